"""One picture as a document. In: the name of a plot, a `Result`. Out: what renderers of images draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachelens.errors import UsageError
from cachelens.report.plots import PLOTS
from cachelens.report.plots.base import Plot, PlotOptions

if TYPE_CHECKING:
    from cachelens.model.result import Result


@dataclass(frozen=True)
class Picture:
    """The plot of that name of a result. Raises UsageError when it cannot be drawn of this one, or is unknown."""

    plot: str
    result: Result
    options: PlotOptions = field(default_factory=PlotOptions)

    def __post_init__(self) -> None:
        plot: Plot = PLOTS.load(self.plot)()
        why = plot.missing(self.result)
        if why is not None:
            again = "save it again with `cachelens analyze TRACE -o result.json --force`"
            raise UsageError(
                f"{self.plot} cannot be drawn: {why}", again if self.result.pictures is None else None
            )

    def draw(self, kind: str) -> bytes:
        """The picture as `svg`, `png` or `pdf`, in its own size."""
        from cachelens.report.plots.figure import save

        plot: Plot = PLOTS.load(self.plot)()
        size, theme = plot.size(self.result), self.options.theme
        return save(lambda figure: plot.draw(figure, self.result, self.options), kind, size, theme)
