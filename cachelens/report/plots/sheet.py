"""A figure laid out by hand, in points from its top left corner. In: marks and where they go. Out: artists on a figure.

For pictures whose every mark has a place of its own, so that nothing ever runs into anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from cachelens.report.plots.fitting import wrapped
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.theme import Theme

#: Sizes of type, in points: title, names, figures and remarks.
TITLE, NAME, SMALL = 11.0, 8.0, 7.0
#: Height of a capital letter above its baseline, by size of type; half of it centers a line.
_CAPITALS = 0.73
_HATCH = "////"


class Sheet:
    """`width` and `height` in points; `y` runs down. Coordinates are kept to a hundredth of a point."""

    def __init__(self, figure: Figure, theme: Theme) -> None:
        figure.set_layout_engine("none")
        self.theme = theme
        self.width, self.height = (float(inches) * 72 for inches in figure.get_size_inches())
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        self._layer = 1.0

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = NAME,
        color: str | None = None,
        align: str = "left",
        bold: bool = False,
    ) -> None:
        """One line, its baseline at `y`. No character has a special meaning. Nothing is drawn of an empty one."""
        if text:
            self._axes.text(
                round(x, 2),
                round(y, 2),
                text,
                fontsize=size,
                color=color or self.theme.ink,
                ha=align,
                va="baseline",
                fontweight="bold" if bold else "normal",
                parse_math=False,
                zorder=self._above(),
            )

    def paragraph(self, x: float, y: float, text: str, room: float) -> float:
        """Lines of a remark, the first baseline at `y`. Returns the baseline after the last."""
        for line in wrapped(text, room, SMALL):
            self.text(x, y, line, SMALL, self.theme.muted)
            y += 1.35 * SMALL
        return y

    def boxes(self, boxes: Iterable[Rect], color: str, label: str = "", hatch: str | None = None) -> None:
        """Filled rectangles as one shape, named `label`; striped in the color `hatch`."""
        vertices: list[tuple[float, float]] = []
        for box in boxes:
            left, right, top, bottom = (
                round(at, 2) for at in (box.x, box.x + box.width, box.y, box.y + box.height)
            )
            vertices += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        if not vertices:
            return
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * (len(vertices) // 5)
        self._axes.add_patch(
            PathPatch(
                Path(vertices, codes),
                facecolor=color,
                edgecolor=hatch or "none",
                linewidth=0,
                hatch=_HATCH if hatch else None,
                label=label,
                snap=True,
                zorder=self._above(),
            )
        )

    def lines(
        self,
        lines: Iterable[Sequence[tuple[float, float]]],
        color: str,
        thickness: float = 0.6,
        label: str = "",
    ) -> None:
        """Lines through points, all as one shape, named `label`."""
        vertices: list[tuple[float, float]] = []
        codes: list[np.uint8] = []
        for line in lines:
            vertices += [(round(x, 2), round(y, 2)) for x, y in line]
            codes += [Path.MOVETO, *[Path.LINETO] * (len(line) - 1)]
        if vertices:
            self._axes.add_patch(
                PathPatch(
                    Path(vertices, codes),
                    facecolor="none",
                    edgecolor=color,
                    linewidth=thickness,
                    capstyle="butt",
                    label=label,
                    zorder=self._above(),
                )
            )

    def image(self, pixels: npt.NDArray[np.uint8], frame: Rect, label: str = "") -> None:
        """Pixels (rows, columns, RGBA) that fill `frame`, each a small rectangle of one color."""
        self._axes.imshow(
            pixels,
            extent=(frame.x, frame.right, frame.bottom, frame.y),
            interpolation="none",
            aspect="auto",
            label=label,
            zorder=self._above(),
        )
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)

    def _above(self) -> float:
        """What is drawn later lies above."""
        self._layer += 0.001
        return self._layer


def baseline(middle: float, size: float) -> float:
    """Baseline of a line of type whose capitals have their middle at `middle`."""
    return middle + _CAPITALS * size / 2
