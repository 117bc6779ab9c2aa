"""What caches would have hit, as tables. In: a `Curve` or a `Grid`. Out: a row per capacity, or per cache."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.curve import Curve
from cachelens.model.grid import Cell, Grid
from cachelens.report.tables.shape import Column, Row, Table, columns

#: Columns of a grid that are fields of its cells.
CELL_COLUMNS = (
    *columns(str, ("engine", "policy", "capacity")),
    *columns(int, ("capacity_tokens", "page_size", "replicas")),
    Column("router", str),
    *columns(int, ("prompt_tokens", "hit_tokens")),
    *columns(float, ("hit_rate", "mean_hit_ratio", "flop_hit_rate", "of_ideal", "of_optimal")),
    *columns(int, ("written_5m_tokens", "written_1h_tokens")),
    Column("cost_usd", float),
    *columns(int, ("evicted_tokens", "routing_tokens")),
    *columns(float, ("pooled_hit_rate", "imbalance", "above_reported")),
    *columns(int, ("rejected", "waited")),
)


def points(curve: Curve) -> Table:
    """Every point, or those at the capacities asked for; further columns for other engines.

    Tokens are in the unit of the curve, rates are shares of what was sent; `optimal` is empty where it was not
    computed.
    """
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
    return Table(
        (
            *columns(int, ("capacity_tokens", "lru_hit_tokens", "optimal_hit_tokens")),
            *columns(float, ("lru_hit_rate", "optimal_hit_rate")),
            *columns(int, names),
        ),
        tuple(rows),
    )


def cells(grid: Grid) -> Table:
    """One row a cache; a column for each slower tier that one of them has."""
    tiers = tuple(dict.fromkeys(name for cell in grid.cells for name in cell.tiers))
    found = (*CELL_COLUMNS, *columns(int, tuple(f"{name}_hit_tokens" for name in tiers)))
    return Table(found, tuple(_cell(cell, tiers) for cell in grid.cells))


def _cell(cell: Cell, tiers: Sequence[str]) -> Row:
    own = (getattr(cell, column.name) for column in CELL_COLUMNS)
    return (*own, *(cell.tiers.get(name) for name in tiers))
