"""Few groups side by side, each with room for a heading. In: sizes, a frame. Out: a heading and a body for each.

Bodies have areas in exactly the proportions of the sizes, though headings take room: a column with more headings has
less of its height left and is that much wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from cachelens.report.plots.rect import Rect

#: More groups than these would take long to arrange.
_MOST = 12


class Place(NamedTuple):
    """Where a group goes: its heading above its body."""

    heading: Rect
    body: Rect


def columns(sizes: Sequence[float], frame: Rect, heading: float, least: float) -> list[Place]:
    """Places for at most 12 `sizes` above 0, in their order from left to right and down each column.

    `heading`: height of one. Of all ways to part them into columns the one whose bodies are closest to squares,
    headings narrower than `least` counting against it. Raises ValueError for sizes it cannot place.
    """
    if not 0 < len(sizes) <= _MOST or min(sizes) <= 0:
        raise ValueError("only a few groups, each larger than nothing, can be set side by side")
    best: tuple[float, list[Place]] | None = None
    for cuts in range(len(sizes)):
        for bounds in combinations(range(1, len(sizes)), cuts):
            places = _placed(sizes, (0, *bounds, len(sizes)), frame, heading)
            if places is not None:
                cost = _cost(sizes, places, least)
                if best is None or cost < best[0]:
                    best = (cost, places)
    if best is None:
        raise ValueError("the frame is too low for a heading")
    return best[1]


def _placed(sizes: Sequence[float], bounds: Sequence[int], frame: Rect, heading: float) -> list[Place] | None:
    """Places with these bounds between columns; None where headings leave no room in one of them."""
    parts = []
    for low, high in pairwise(bounds):
        room = frame.height - heading * (high - low)
        if room <= 0:
            return None
        parts.append(sum(sizes[low:high]) / room)
    places, x = [], frame.x
    for (low, high), part in zip(pairwise(bounds), parts, strict=True):
        width = frame.width * part / sum(parts)
        held, y = sum(sizes[low:high]), frame.y
        for size in sizes[low:high]:
            height = (frame.height - heading * (high - low)) * size / held
            places.append(Place(Rect(x, y, width, heading), Rect(x, y + heading, width, height)))
            y += heading + height
        x += width
    return places


def _cost(sizes: Sequence[float], places: Sequence[Place], least: float) -> float:
    """How far bodies are from squares, the larger counting more, and headings from being readable."""
    whole = sum(sizes)
    cost = 0.0
    for size, place in zip(sizes, places, strict=True):
        width, height = max(place.body.width, 1e-9), max(place.body.height, 1e-9)
        cost += size / whole * max(width / height, height / width)
        cost += max(0.0, 1 - place.heading.width / least)
    return cost
