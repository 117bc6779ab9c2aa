"""Documents as flat tables. In: a document. Out: column names and rows of plain values."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.curve import Curve
from cachelens.model.grid import Cell, Grid
from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.result import Result
from cachelens.model.rows import RequestRow

Row = Sequence[object]

#: Columns of a curve, in its unit and in shares of what was sent; `optimal` is empty where it was not computed.
CURVE_COLUMNS = (
    "capacity_tokens",
    "lru_hit_tokens",
    "optimal_hit_tokens",
    "lru_hit_rate",
    "optimal_hit_rate",
)
#: Columns of a grid that are fields of its cells.
CELL_COLUMNS = (
    "engine",
    "policy",
    "capacity",
    "capacity_tokens",
    "page_size",
    "replicas",
    "router",
    "prompt_tokens",
    "hit_tokens",
    "hit_rate",
    "mean_hit_ratio",
    "flop_hit_rate",
    "of_ideal",
    "of_optimal",
    "written_5m_tokens",
    "written_1h_tokens",
    "cost_usd",
    "evicted_tokens",
    "routing_tokens",
    "pooled_hit_rate",
    "imbalance",
    "above_reported",
    "rejected",
    "waited",
)
#: Columns of an analysis that are fields of its requests.
REQUEST_COLUMNS = (
    "request_id",
    "session_id",
    "lineage_id",
    "previous_request_id",
    "source_file",
    "source_record",
    "model",
    "prompt_tokens",
    "reusable_tokens",
    "reported_cached_tokens",
)
#: Columns about why a request was not served, and what was expected of its server.
WHY_COLUMNS = ("expected", "miss_reason", "evicted_by", "idle_s")
_BREAK_COLUMNS = ("kind", "path", "token_offset", "lost_tokens")


def columns_of(document: Result | Curve | Grid) -> tuple[tuple[str, ...], list[Row]]:
    """The table of a document: a row per request, capacity or cache."""
    if isinstance(document, Result):
        return _result(document)
    return _grid(document) if isinstance(document, Grid) else _curve(document)


def _curve(curve: Curve) -> tuple[tuple[str, ...], list[Row]]:
    """Every point, or those at the capacities asked for; further columns for other engines."""
    prompt = curve.prompt_tokens
    asked = set(curve.capacities)
    lines = [dict(series.points) for series in curve.series]
    names = tuple(f"{series.engine}_{series.policy}_hit_tokens" for series in curve.series)
    rows: list[Row] = []
    for point in curve.points:
        if asked and point.capacity_tokens not in asked:
            continue
        lru, optimal = point.lru_hit_tokens, point.optimal_hit_tokens
        rates = [None if hits is None or not prompt else hits / prompt for hits in (lru, optimal)]
        others = [line.get(point.capacity_tokens) for line in lines]
        rows.append((point.capacity_tokens, lru, optimal, *rates, *others))
    return (*CURVE_COLUMNS, *names), rows


def _grid(grid: Grid) -> tuple[tuple[str, ...], list[Row]]:
    tiers = tuple(dict.fromkeys(name for cell in grid.cells for name in cell.tiers))
    columns = (*CELL_COLUMNS, *(f"{name}_hit_tokens" for name in tiers))
    return columns, [_cell(cell, tiers) for cell in grid.cells]


def _cell(cell: Cell, tiers: Sequence[str]) -> Row:
    return (*(getattr(cell, name) for name in CELL_COLUMNS), *(cell.tiers.get(name) for name in tiers))


def _result(result: Result) -> tuple[tuple[str, ...], list[Row]]:
    outcomes = tuple(f"{name}_tokens" for name in OUTCOMES)
    labels = tuple(f"{name}_tokens" for name in LABELS[1:])
    buckets = tuple(f"{name}_carried_tokens" for name in BUCKETS[1:])
    breaks = (*(f"break_{name}" for name in _BREAK_COLUMNS), "echo_kind", "echo_path")
    columns = (*REQUEST_COLUMNS, *outcomes, *labels, *buckets, *WHY_COLUMNS, *breaks)
    return columns, [_request(row) for row in result.requests]


def _request(row: RequestRow) -> Row:
    found, echo = row.break_, row.echo
    return (
        *(getattr(row, name) for name in REQUEST_COLUMNS),
        *(row.outcomes.get(name, 0) for name in OUTCOMES),
        *(row.labels.get(name, 0) for name in LABELS[1:]),
        *(row.buckets.get(name, 0) for name in BUCKETS[1:]),
        *(getattr(row, name) for name in WHY_COLUMNS),
        *(None if found is None else getattr(found, name) for name in _BREAK_COLUMNS),
        *((None, None) if echo is None else (echo.kind, echo.path)),
    )
