"""A small chart of text. In: a `Curve`. Out: lines; cache size to the right (logarithmic), hit rate upwards.

The area below the curve is what LRU hits; the shaded area above it is what perfect eviction would add.
"""

from __future__ import annotations

import math
from itertools import pairwise

from cachelens.model.curve import Curve, CurvePoint
from cachelens.report.curves import evaluated, lru_hits
from cachelens.report.palette import LRU_COLOR, OPTIMAL_COLOR
from cachelens.report.terminal.screen import Line, Page, Span
from cachelens.report.units import share, size

_AXIS = 10
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def chart(curve: Curve, page: Page, height: int = 10) -> list[Line]:
    """The chart in `height` rows and two more for the axis; empty when there is nothing to draw."""
    known = evaluated(curve)
    if len(known) < 2 or not curve.prompt_tokens or not curve.ideal_hit_tokens:
        return []
    columns = page.width - _AXIS - 4
    low, high = known[0].capacity_tokens, known[-1].capacity_tokens
    sizes = [low * (high / low) ** (at / (columns - 1)) for at in range(columns)]
    lru = [lru_hits(curve, size) for size in sizes]
    best = [max(_optimal(known, size), hits) for size, hits in zip(sizes, lru, strict=True)]
    top = float(curve.ideal_hit_tokens)
    lines: list[Line] = []
    for row in reversed(range(height)):
        label = share(curve.ideal_hit_tokens * (row + 1), curve.prompt_tokens * height)
        shown = label if row % 3 == (height - 1) % 3 else ""
        lines.append(
            [
                Span(f"{shown:>{_AXIS}} "),
                *_row(
                    row, [hits / top * height for hits in lru], [hits / top * height for hits in best], page
                ),
            ]
        )
    lines.append([Span(" " * (_AXIS + 1) + _ticks(curve, low, high, columns), "dim")])
    return lines


def _row(row: int, lru: list[float], best: list[float], page: Page) -> list[Span]:
    """One row of cells; `lru` and `best` are heights in rows."""
    spans: list[Span] = []
    for filled, possible in zip(lru, best, strict=True):
        part = min(max(filled - row, 0.0), 1.0)
        steps = "  #" if page.ascii_only else _EIGHTHS
        hit = steps[round(part * (len(steps) - 1))].strip()
        if hit:
            cell = Span(hit, LRU_COLOR)
        elif possible - row >= 0.5:
            cell = Span("." if page.ascii_only else "░", OPTIMAL_COLOR)
        else:
            cell = Span(" ")
        if spans and spans[-1].style == cell.style:
            spans[-1] = Span(spans[-1].text + cell.text, cell.style)
        else:
            spans.append(cell)
    return spans


def _optimal(known: list[CurvePoint], size: float) -> float:
    """Perfect eviction between the sizes at which it was computed: a straight line, for the eye only."""
    if size >= known[-1].capacity_tokens:
        return float(known[-1].optimal_hit_tokens or 0)
    for left, right in pairwise(known):
        if left.capacity_tokens <= size < right.capacity_tokens:
            part = (size - left.capacity_tokens) / (right.capacity_tokens - left.capacity_tokens)
            low, high = left.optimal_hit_tokens or 0, right.optimal_hit_tokens or 0
            return low + part * (high - low)
    return float(known[0].optimal_hit_tokens or 0)


def _ticks(curve: Curve, low: int, high: int, columns: int) -> str:
    """Sizes below the columns where they stand: the marked one, both ends, powers of ten."""
    cells = [" "] * columns
    marked = curve.marked_capacity_tokens
    powers = [10**at for at in range(20) if low < 10**at < high]
    for capacity in [*([marked] if marked else []), low, high, *powers]:
        if not low <= capacity <= high:
            continue
        at = round(math.log(capacity / low) / math.log(high / low) * (columns - 1))
        text = ("^" if capacity == marked else "") + size(capacity)
        at = min(at, columns - len(text))
        around = cells[max(at - 2, 0) : at + len(text) + 2]
        if all(cell == " " for cell in around):
            cells[at : at + len(text)] = text
    return "".join(cells).rstrip()
