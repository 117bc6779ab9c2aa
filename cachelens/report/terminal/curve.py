"""The screen of a hit-rate curve. In: a `Curve`. Out: chart and table, or the table of asked sizes."""

from __future__ import annotations

from cachelens.model.curve import Curve, CurvePoint
from cachelens.report.curves import selection
from cachelens.report.palette import LRU_COLOR, OPTIMAL_COLOR
from cachelens.report.terminal.chart import chart
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.heading import headline, remarks
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, percent, share, size

#: Capacities in the table below a chart.
SHOWN = 12
_HEADER = ("cache size", "of working set", "LRU hit", "best possible", "LRU reaches")


def curve_screen(curve: Curve, page: Page) -> list[Line]:
    """Headline, bounds, the chart with its table (or the asked capacities alone), what was left out."""
    blank: Line = []
    pages = (
        f"pages of {exact(curve.page_size)} tokens"
        if curve.page_size > 1
        else f"{curve.unit[:-1]} by {curve.unit[:-1]}"
    )
    lines = headline(curve.cachelens, curve.trace, f"lru and perfect eviction, {pages}", page)
    bounds: list[Line] = [
        [Span(f"  prompt {curve.unit} {count(curve.prompt_tokens)}")],
        [Span(f"working set {count(curve.working_set)}")],
        [Span(f"infinite cache hits {share(curve.ideal_hit_tokens, curve.prompt_tokens)}")],
    ]
    lines += [blank, *pack(bounds, page.width, indent=2)]
    lines += [
        [Span(f"  {percent(rate, 2):>9}  of an infinite cache, as {definition}")]
        for definition, rate in curve.definitions.items()
    ]
    lines.append(blank)
    if curve.capacities:
        by_size = {point.capacity_tokens: point for point in curve.points}
        lines += _table([by_size[size] for size in curve.capacities], curve, page)
    else:
        drawn = chart(curve, page)
        lines += [*drawn, *([_key(page), blank] if drawn else [])]
        lines += _table(selection(curve, SHOWN), curve, page)
    closing = remarks(curve.trace, page)
    return [*lines, blank, *closing] if closing else lines


def _key(page: Page) -> Line:
    hit, more = ("#", ".") if page.ascii_only else ("█", "░")
    return [
        Span(" " * 11),
        Span(hit, LRU_COLOR),
        Span(" LRU   "),
        Span(more, OPTIMAL_COLOR),
        Span(" more with perfect eviction   cache size, logarithmic"),
    ]


def _table(points: list[CurvePoint], curve: Curve, page: Page) -> list[Line]:
    if not points:
        return [[Span("  no capacity to show: nothing in this trace was sent twice")]]
    lines = [dict(series.points) for series in curve.series]
    names = [f"{series.engine} {series.policy}" for series in curve.series]
    rows = [
        (
            size(point.capacity_tokens),
            share(point.capacity_tokens, curve.working_set),
            share(point.lru_hit_tokens, curve.prompt_tokens, 2),
            _of(point.optimal_hit_tokens, curve.prompt_tokens, 2),
            _of(point.lru_hit_tokens, point.optimal_hit_tokens or 0),
            *(_of(line.get(point.capacity_tokens), curve.prompt_tokens, 2) for line in lines),
            "marked" if point.capacity_tokens == curve.marked_capacity_tokens else "",
        )
        for point in points
    ]
    right = frozenset(range(len(_HEADER) + len(names)))
    return list(table((*_HEADER, *names, ""), rows, page, right=right))


def _of(part: int | None, whole: int, digits: int = 1) -> str:
    return "-" if part is None else share(part, whole, digits)
