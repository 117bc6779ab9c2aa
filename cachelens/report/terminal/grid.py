"""The screen of a grid. In: a `Grid`. Out: headline, bounds, one line per cache, what is not known."""

from __future__ import annotations

from fractions import Fraction

from cachelens.model.grid import Cell, Grid
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.heading import headline, remarks, sentences
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, gib, money, percent, plural, points, share, size
from cachelens.report.untrusted import clean, width

#: A column: its heading, its cells, whether they are aligned to the right.
_Column = tuple[str, list[str], bool]
#: Columns that a narrow page does without, the first to go first.
_DISPENSABLE = (
    "mean",
    "written",
    "busiest",
    "routing",
    "memory",
    "page",
    "of ideal",
    "FLOPs",
    "fleet",
    "- reported",
)


def grid_screen(grid: Grid, page: Page) -> list[Line]:
    """One line per cell, with the columns that say something in this grid."""
    blank: Line = []
    engines = dict.fromkeys(cell.engine for cell in grid.cells)
    lines = headline(grid.cachelens, grid.trace, ", ".join(engines), page)
    bounds: list[Line] = [
        [Span(f"  prompt tokens {count(grid.trace.prompt_tokens)}")],
        [Span(f"working set {count(grid.working_set_tokens)}{_bytes(grid, grid.working_set_tokens)}")],
        [Span(f"infinite cache hits {share(grid.ideal_hit_tokens, grid.trace.prompt_tokens)}")],
    ]
    if grid.reported_cached_tokens is not None:
        cached = share(grid.reported_cached_tokens, grid.reported_prompt_tokens or 0)
        told = plural(grid.reported_requests, "request")
        bounds.append([Span(f"reported by server {cached} on {told}")])
    if grid.model is not None:
        bounds.append(
            [
                Span(
                    f"{clean(grid.model.name, 40, ascii_only=page.ascii_only)} "
                    f"{grid.model.kv_bytes_per_token:,.0f} B of KV a token ({grid.model.kv_dtype})"
                )
            ]
        )
    lines += [blank, *pack(bounds, page.width, indent=2), blank, *_table(grid, page)]
    said = [*grid.notes, *_remarks_of(grid)]
    for engine, unknown in grid.unknown.items():
        number = plural(len(unknown), "rule")
        said.append(f"{engine}: {number} not published or not modeled: docs/engines/{engine}.md")
    closing = [*remarks(grid.trace, page), *sentences("note", said, page)]
    return [*lines, blank, *closing] if closing else lines


def _table(grid: Grid, page: Page) -> list[Line]:
    """Columns without anything to say are left out."""
    cells = grid.cells
    columns: list[_Column] = [
        ("engine", [_engine(cell) for cell in cells], False),
        ("policy", [cell.policy for cell in cells], False),
        ("capacity", [_capacity(cell) for cell in cells], True),
    ]
    if grid.model is not None:
        columns.append(("memory", [_memory(grid, cell.capacity_tokens) for cell in cells], True))
    if any(cell.page_size > 1 for cell in cells):
        columns.append(("page", [exact(cell.page_size) for cell in cells], True))
    if any(cell.replicas > 1 or cell.router for cell in cells):
        columns.append(
            ("fleet", [f"{cell.replicas} {cell.router}" if cell.router else "1" for cell in cells], False)
        )
    columns.append(("hit", [share(cell.hit_tokens, cell.prompt_tokens, 2) for cell in cells], True))
    for name in dict.fromkeys(tier for cell in cells for tier in cell.tiers):
        columns.append((f"of it {name}", [_tier(cell, name) for cell in cells], True))
    columns.append(("mean", [percent(cell.mean_hit_ratio) for cell in cells], True))
    if any(cell.flop_hit_rate is not None for cell in cells):
        columns.append(
            ("FLOPs", ["-" if c.flop_hit_rate is None else percent(c.flop_hit_rate) for c in cells], True)
        )
    columns.append(("of ideal", [percent(cell.of_ideal) for cell in cells], True))
    columns.append(("of optimal", [percent(cell.of_optimal) for cell in cells], True))
    if any(cell.above_reported is not None for cell in cells):
        columns.append(("- reported", [_gap(cell) for cell in cells], True))
    if any(cell.routing_tokens for cell in cells):
        columns.append(("routing", [share(cell.routing_tokens, cell.prompt_tokens) for cell in cells], True))
    if any(cell.pooled_hit_rate is not None for cell in cells):
        columns.append(
            (
                "pooled",
                ["-" if c.pooled_hit_rate is None else percent(c.pooled_hit_rate) for c in cells],
                True,
            )
        )
        columns.append(
            ("busiest", ["-" if c.imbalance is None else f"{c.imbalance:.2f}x" for c in cells], True)
        )
    if any(cell.written_5m_tokens is not None for cell in cells):
        columns.append(("written", [_written(cell) for cell in cells], True))
    if any(cell.cost_usd is not None for cell in cells):
        columns.append(("USD", ["-" if c.cost_usd is None else money(c.cost_usd) for c in cells], True))
    columns, left_out = _fitting(columns, page)
    header = [name for name, _, _ in columns]
    rows = list(zip(*(values for _, values, _ in columns), strict=True))
    right = frozenset(at for at, column in enumerate(columns) if column[2])
    lines: list[Line] = list(table(header, rows, page, right=right, flexible=0))
    if left_out:
        lines += sentences("no room for", [f"{', '.join(left_out)} (a wider page, or --format csv)"], page)
    return lines


def _fitting(columns: list[_Column], page: Page) -> tuple[list[_Column], list[str]]:
    """The columns that fit, and the names of those that had to go, the least telling first."""
    left_out: list[str] = []
    for name in _DISPENSABLE:
        if sum(max(map(width, [head, *cells])) + 2 for head, cells, _ in columns) + 1 <= page.width:
            break
        if any(head == name for head, _, _ in columns):
            columns = [column for column in columns if column[0] != name]
            left_out.append(name)
    return columns, left_out


def _engine(cell: Cell) -> str:
    options = ",".join(f"{name}={value}" for name, value in cell.options.items())
    return f"{cell.engine} {options}" if options else cell.engine


def _capacity(cell: Cell) -> str:
    if cell.capacity_tokens is None:
        return "unlimited"
    return size(cell.capacity_tokens)


def _memory(grid: Grid, tokens: int | None) -> str:
    if grid.model is None or tokens is None:
        return "-"
    return gib(tokens * grid.model.kv_bytes_per_token)


def _bytes(grid: Grid, tokens: int) -> str:
    return "" if grid.model is None else f" ({gib(tokens * grid.model.kv_bytes_per_token)})"


def _gap(cell: Cell) -> str:
    """Simulated less reported, in percentage points, with its sign."""
    if cell.above_reported is None:
        return "-"
    gap = Fraction(cell.above_reported)
    return ("-" if gap < 0 else "+" if gap > 0 else "") + points(gap)


def _tier(cell: Cell, name: str) -> str:
    return share(cell.tiers[name], cell.prompt_tokens) if name in cell.tiers else "-"


def _written(cell: Cell) -> str:
    if cell.written_5m_tokens is None and cell.written_1h_tokens is None:
        return "-"
    written = (cell.written_5m_tokens or 0) + (cell.written_1h_tokens or 0)
    return share(written, cell.prompt_tokens)


def _remarks_of(grid: Grid) -> list[str]:
    """What cells have to say, each thing once, with the caches it is true of."""
    said: dict[str, list[str]] = {}
    for cell in grid.cells:
        where = f"{cell.engine} {cell.policy} {_capacity(cell)}".replace("  ", " ")
        if cell.rejected:
            said.setdefault(f"{plural(cell.rejected, 'request')} can never fit and got nothing", []).append(
                where
            )
        if cell.waited:
            said.setdefault(f"{plural(cell.waited, 'request')} had to wait for others", []).append(where)
        for note in cell.notes:
            said.setdefault(note, []).append(cell.engine)
        if cell.cost_note:
            said.setdefault(cell.cost_note, []).append(cell.engine)
    return [f"{', '.join(dict.fromkeys(where))}: {what}" for what, where in said.items()]
