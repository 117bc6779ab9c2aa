"""Plots as files. In: a curve, or one picture of a result. Out: SVG, PNG or PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document


class Svg:
    """Vector graphics, with text as text."""

    name = "svg"
    suffixes: tuple[str, ...] = (".svg",)
    documents: frozenset[DocumentKind] = frozenset({"curve", "picture"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """The plot of the document; `options` change nothing. Raises TypeError for what has no plot."""
        from cachelens.model.curve import Curve
        from cachelens.report.plots.picture import Picture

        if isinstance(document, Picture):
            return document.draw(self.name)
        if not isinstance(document, Curve):
            raise TypeError(f"{self.name} shows curves and pictures only")
        from cachelens.report.plots.curve import draw
        from cachelens.report.plots.figure import save

        return save(lambda figure: draw(figure, document), self.name)


class Png(Svg):
    """Pixels, the size in inches at 150 dots an inch."""

    name = "png"
    suffixes = (".png",)
    binary = True


class Pdf(Svg):
    """One page of the size of the plot, with its fonts."""

    name = "pdf"
    suffixes = (".pdf",)
    binary = True
