"""The contract of a plot. In: a `Result` with pictures. Out: marks on an empty figure, and the same said in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from cachelens.report.plots.theme import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cachelens.model.result import Result


@dataclass(frozen=True)
class PlotOptions:
    """How to draw. `theme`: colors of text, lines and ground. `session`: what is drawn of one session, None: of the
    largest, or of all where the plot is of all."""

    theme: Theme = LIGHT
    session: str | None = None


class Plot(Protocol):
    """One kind of picture."""

    name: ClassVar[str]
    title: ClassVar[str]

    def missing(self, result: Result) -> str | None:
        """Why this result cannot be drawn, as a sentence; None when it can."""
        ...

    def size(self, result: Result) -> tuple[float, float]:
        """Width and height in inches."""
        ...

    def describe(self, result: Result) -> str:
        """What the picture shows, in a sentence or two with its main figures, for people who do not see it."""
        ...

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw on an empty figure of that size."""
        ...
