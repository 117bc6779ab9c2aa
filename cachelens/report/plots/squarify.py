"""Squarified treemaps, after Bruls, Huizing and van Wijk. In: sizes, a frame. Out: a rectangle for each size.

Rows are laid along the shorter side of what is left of the frame, and a row takes one more rectangle as long as
that makes its most oblong one less so.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.report.plots.rect import Rect


def squarify(sizes: Sequence[float], frame: Rect) -> list[Rect]:
    """Rectangles in the order of `sizes`, with areas in the same proportions, which fill `frame` without overlap.

    Sizes must not be negative: ValueError. A size of nothing gets a rectangle of no area.
    """
    if any(size < 0 for size in sizes):
        raise ValueError("no rectangle has less than no area")
    found = [Rect(frame.x, frame.y, 0.0, 0.0)] * len(sizes)
    total = sum(sizes)
    order = sorted((at for at, size in enumerate(sizes) if size > 0), key=lambda at: (-sizes[at], at))
    left, at = frame, 0
    while at < len(order):
        per_size = left.area / total
        end = _row(sizes, order, at, min(left.width, left.height), per_size)
        row = order[at:end]
        held = sum(sizes[one] for one in row)
        boxes, left = _laid([sizes[one] / held for one in row], held / total, left, last=end == len(order))
        for one, box in zip(row, boxes, strict=True):
            found[one] = box
        total -= held
        at = end
    return found


def _row(sizes: Sequence[float], order: list[int], start: int, side: float, per_size: float) -> int:
    """Where the row that begins at `order[start]` ends."""
    largest = sizes[order[start]] * per_size
    held, worst = 0.0, float("inf")
    for at in range(start, len(order)):
        area = sizes[order[at]] * per_size
        held += area
        if side <= 0 or held <= 0 or area <= 0:
            return len(order)
        now = max(side * side * largest / (held * held), held * held / (side * side * area))
        if now > worst:
            return at
        worst = now
    return len(order)


def _laid(parts: list[float], share: float, left: Rect, last: bool) -> tuple[list[Rect], Rect]:
    """Rectangles of a row that takes `share` of what is left, and what is left then."""
    tall = left.width >= left.height
    depth = (left.width if tall else left.height) * (1.0 if last else min(share, 1.0))
    side = left.height if tall else left.width
    boxes, done = [], 0.0
    for number, part in enumerate(parts):
        length = side - done if number == len(parts) - 1 else min(part * side, side - done)
        boxes.append(
            Rect(left.x, left.y + done, depth, length) if tall else Rect(left.x + done, left.y, length, depth)
        )
        done += length
    if tall:
        return boxes, Rect(left.x + depth, left.y, left.width - depth, left.height)
    return boxes, Rect(left.x, left.y + depth, left.width, left.height - depth)
