"""Labels beside what they name. In: axes, what is drawn in them, places to choose from. Out: texts that cover nothing.

Each label is tried at all its places on all sides, and stands where it covers least of what is drawn. All of it
depends on the picture alone: the same picture gets the same labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

#: Horizontal and vertical alignment by side, those first that are taken where several are as good.
_SIDES = (
    ("left", "bottom"),
    ("right", "bottom"),
    ("left", "top"),
    ("right", "top"),
    ("left", "center"),
    ("right", "center"),
    ("center", "bottom"),
    ("center", "top"),
)
_AWAY = {"left": 1, "right": -1, "center": 0, "bottom": 1, "top": -1}
#: Distance of a label from its place, and room around it, in points.
_GAP, _PAD = 5.0, 1.5
#: Lines are looked at every so many points.
_STEP = 3.0
#: Labels are tried close by, and farther off.
_REACHES = (1.0, 2.8)
_LABEL_COST, _OUTSIDE_COST, _PLACE_COST, _REACH_COST = 50.0, 1000.0, 0.02, 1.5


class Labels:
    """Room for labels in `axes` whose limits are final.

    `lines` and `marks` are (x, y) in data coordinates, joined by straight lines or not.
    """

    def __init__(
        self,
        axes: Axes,
        lines: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]] = (),
        marks: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]] = (),
    ) -> None:
        figure = axes.figure
        if not isinstance(figure, Figure):
            raise TypeError("labels stand in a figure, not in a part of one")
        figure.draw_without_rendering()  # the layout is made when a figure is drawn
        self._axes = axes
        self._point = figure.dpi / 72
        self._inside = axes.get_window_extent().extents
        taken = [self._dense(self._pixels(x, y)) for x, y in lines] + [self._pixels(x, y) for x, y in marks]
        self._taken = np.concatenate(taken) if taken else np.zeros((0, 2))
        self._boxes: list[Floats] = []

    def keep_clear(self, text: Any) -> None:
        """Count a text that is there already as taken."""
        self._boxes.append(np.array(text.get_window_extent().extents))

    def beside(
        self,
        text: str,
        places: Sequence[tuple[float, float]],
        sides: Sequence[tuple[str, str]] = _SIDES,
        must: bool = True,
        **style: Any,
    ) -> bool:
        """Write `text` at the best of `places` (data coordinates, in order of preference), on one of `sides`.

        `must` False: rather not at all than over another label or outside. Whether it was written.
        """
        style = {"parse_math": False, **style}
        shown = self._axes.annotate(text, (0, 0), xycoords="figure pixels", **style)
        size = np.array(shown.get_window_extent().size)
        shown.remove()
        best: tuple[float, int, tuple[str, str], float] | None = None
        anchors = self._pixels([x for x, _ in places], [y for _, y in places])
        for at, anchor in enumerate(anchors):
            for number, side in enumerate(sides):
                for far, reach in enumerate(_REACHES):
                    cost = self._cost(self._box(anchor, size, side, reach))
                    cost += _PLACE_COST * (4 * at + number) + _REACH_COST * far
                    if best is None or cost < best[0]:
                        best = (cost, at, side, reach)
        if best is None or (not must and best[0] >= _LABEL_COST):
            return False
        _, at, side, reach = best
        self._axes.annotate(
            text,
            places[at],
            xytext=self._offset(side, reach),
            textcoords="offset points",
            ha=side[0],
            va=side[1],
            in_layout=False,
            **style,
        )
        self._boxes.append(self._box(anchors[at], size, side, reach))
        return True

    def _offset(self, side: tuple[str, str], reach: float) -> tuple[float, float]:
        x, y = _AWAY[side[0]], _AWAY[side[1]]
        near = 0.6 if x and y else 1.0  # on a diagonal both add up
        return _GAP * near * reach * x, _GAP * near * reach * y

    def _box(self, anchor: Floats, size: Floats, side: tuple[str, str], reach: float) -> Floats:
        """Left, bottom, right and top of a label in pixels."""
        shift = np.array(self._offset(side, reach)) * self._point
        away = np.array([_AWAY[side[0]], _AWAY[side[1]]])
        low = anchor + shift + (away - 1) / 2 * size
        return np.concatenate((low, low + size))

    def _cost(self, box: Floats) -> float:
        pad = _PAD * self._point
        left, bottom, right, top = box + np.array([-pad, -pad, pad, pad])
        x, y = self._taken[:, 0], self._taken[:, 1]
        cost = float(np.count_nonzero((x > left) & (x < right) & (y > bottom) & (y < top)))
        for other in self._boxes:
            if left < other[2] and other[0] < right and bottom < other[3] and other[1] < top:
                cost += _LABEL_COST
        low_x, low_y, high_x, high_y = self._inside
        if box[0] < low_x or box[1] < low_y or box[2] > high_x or box[3] > high_y:
            cost += _OUTSIDE_COST
        return cost

    def _pixels(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        points = np.stack((np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))), axis=1)
        pixels: Floats = self._axes.transData.transform(points)
        return pixels[np.isfinite(pixels).all(axis=1)]

    def _dense(self, pixels: Floats) -> Floats:
        """The points of a line, and more between those that are far apart."""
        pieces = [pixels]
        for start, end in pairwise(pixels):
            count = int(np.hypot(*(end - start)) / (_STEP * self._point))
            if count > 1:
                pieces.append(start + (end - start) * np.linspace(0, 1, min(count, 2000))[:, None])
        return np.concatenate(pieces)
