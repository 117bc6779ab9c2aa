"""What caches would have hit, as comments. In: a `Grid` or a `Curve`. Out: Markdown with one table."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from cachelens.model.curve import Curve, CurvePoint
from cachelens.model.grid import Cell, Grid
from cachelens.model.rows import TraceFacts
from cachelens.report.curves import selection
from cachelens.report.markdown.comment import comment, table
from cachelens.report.markdown.escape import code, prose
from cachelens.report.markdown.result import encoding, skipped
from cachelens.report.units import count, exact, money, percent, plural, points, share, size

#: Caches, and capacities of a curve.
_CELLS, _POINTS = 100, 12
_NAME = 60
_NOTES = 8


def grid_comment(grid: Grid) -> str:
    """The best cache first, then all of them in the order asked."""
    prompt = grid.trace.prompt_tokens
    best = max(grid.cells, key=lambda cell: cell.hit_rate, default=None)
    title = "cachelens: no cache was replayed"
    if best is not None:
        title = (
            f"cachelens: the best of {plural(len(grid.cells), 'cache')} serves {percent(best.hit_rate, 2)}"
        )
        title += f", an infinite one {share(grid.ideal_hit_tokens, prompt, 2)}"
    scope = f"{_requests(grid.trace)}, {count(prompt)} prompt tokens, working set {count(grid.working_set_tokens)}."
    cells = grid.cells[:_CELLS]
    told = grid.reported_cached_tokens is not None
    priced = any(cell.cost_usd is not None for cell in cells)
    rows = [
        (
            _engine(cell) + (" **best**" if cell is best and len(grid.cells) > 1 else ""),
            code(cell.policy, _NAME) if cell.policy else "",
            "unlimited" if cell.capacity_tokens is None else size(cell.capacity_tokens),
            exact(cell.page_size),
            f"{exact(cell.replicas)} {code(cell.router or '', _NAME)}" if cell.replicas > 1 else "1",
            percent(cell.hit_rate, 2),
            percent(cell.of_ideal),
            percent(cell.of_optimal),
            *((_gap(cell),) if told else ()),
            *(("–" if cell.cost_usd is None else money(cell.cost_usd),) if priced else ()),
        )
        for cell in cells
    ]
    header = ("engine", "policy", "capacity", "page", "replicas", "hit", "of ideal", "of optimal")
    shown = table(
        (*header, *(("above reported",) if told else ()), *(("USD",) if priced else ())),
        rows,
        right=(2, 3, *range(5, 10)),
    )
    return comment((f"### {title}\n\n{scope}", shown), list(_grid_notes(grid)), grid.cachelens)


def curve_comment(curve: Curve) -> str:
    """Sizes evenly spaced over the working set, or those asked for."""
    prompt = curve.prompt_tokens
    title = f"cachelens: an infinite cache serves {share(curve.ideal_hit_tokens, prompt, 2)}"
    scope = (
        f"{_requests(curve.trace)}, {count(prompt)} prompt {curve.unit}, working set {count(curve.working_set)}, "
        f"pages of {exact(curve.page_size)}."
    )
    by_size = {point.capacity_tokens: point for point in curve.points}
    chosen = [by_size[asked] for asked in curve.capacities] if curve.capacities else selection(curve, _POINTS)
    lines = [dict(series.points) for series in curve.series]
    rows = [
        (
            size(point.capacity_tokens) + (" **marked**" if _is_marked(point, curve) else ""),
            share(point.capacity_tokens, curve.working_set),
            share(point.lru_hit_tokens, prompt, 2),
            _of(point.optimal_hit_tokens, prompt),
            *(_of(line.get(point.capacity_tokens), prompt) for line in lines),
        )
        for point in chosen[:_CELLS]
    ]
    names = (code(f"{series.engine} {series.policy}", _NAME) for series in curve.series)
    header = (f"cache size, {curve.unit}", "of working set", "LRU", "perfect eviction", *names)
    shown = table(header, rows, right=range(len(header)))
    notes = (encoding(curve.trace.encoding), *skipped(curve.trace), *map(prose, curve.trace.notes[:_NOTES]))
    return comment((f"### {title}\n\n{scope}", shown), notes, curve.cachelens)


def _requests(trace: TraceFacts) -> str:
    return f"{plural(trace.sessions, 'session')}, {plural(trace.requests, 'request')}"


def _engine(cell: Cell) -> str:
    options = ",".join(f"{name}={value}" for name, value in cell.options.items())
    return code(f"{cell.engine} {options}".rstrip(), _NAME)


def _gap(cell: Cell) -> str:
    """Simulated less reported, with its sign."""
    if cell.above_reported is None:
        return "–"
    gap = Fraction(cell.above_reported)
    return ("-" if gap < 0 else "+" if gap > 0 else "") + points(gap)


def _is_marked(point: CurvePoint, curve: Curve) -> bool:
    return point.capacity_tokens == curve.marked_capacity_tokens


def _of(part: int | None, whole: int) -> str:
    return "–" if part is None else share(part, whole, 2)


def _grid_notes(grid: Grid) -> Iterator[str]:
    yield encoding(grid.trace.encoding)
    if grid.reported_cached_tokens is not None:
        cached = share(grid.reported_cached_tokens, grid.reported_prompt_tokens or 0)
        yield f"servers reported {cached} from cache, on {plural(grid.reported_requests, 'request')}"
    yield from skipped(grid.trace)
    if len(grid.cells) > _CELLS:
        yield f"{plural(len(grid.cells) - _CELLS, 'more cache')}: other formats of cachelens hold them"
    for cell in grid.cells:
        if cell.rejected:
            yield f"{_engine(cell)}: {plural(cell.rejected, 'request')} larger than the cache"
    yield from (prose(note) for note in (*grid.notes[:_NOTES], *grid.trace.notes[:_NOTES]))
