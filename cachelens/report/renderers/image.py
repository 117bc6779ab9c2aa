"""Plots as files. In: a document that `report.plots` can draw. Out: SVG or PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.plots import PLOTS
from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result


class Svg:
    """Vector graphics, with text as text."""

    name = "svg"
    suffixes: tuple[str, ...] = (".svg",)
    documents: frozenset[DocumentKind] = frozenset({"curve"})
    binary = False

    def render(self, document: Result | Curve | Grid, options: RenderOptions) -> bytes:
        """The plot of the document; `options` change nothing. Raises TypeError for what has no plot."""
        from cachelens.model.curve import Curve
        from cachelens.report.plots.figure import save

        if not isinstance(document, Curve):
            raise TypeError(f"{self.name} shows curves only")
        return save(lambda figure: PLOTS.load("curve")(figure, document), self.name)


class Png(Svg):
    """Pixels, twice the size in inches at 150 dots an inch."""

    name = "png"
    suffixes = (".png",)
    binary = True
