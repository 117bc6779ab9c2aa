"""The same trace under other caches. In: `Result.engines`. Out: rows, with the hit rate as a bar."""

from __future__ import annotations

from dataclasses import dataclass

from cachelens.model.result import Result
from cachelens.report.html import words
from cachelens.report.units import exact, money, share


@dataclass(frozen=True)
class Layout:
    """One cache. `width`: its hit rate in percent, for a bar. `cost` empty: no row has a price."""

    engine: str
    order: str
    hit_rate: str
    width: str
    hit: str
    computed: str
    cost: str
    replayed: bool


def layouts(result: Result) -> tuple[Layout, ...]:
    """Rows in the order of the Result; `replayed` marks the engine of the report."""
    priced = any(row.cost_usd is not None for row in result.engines)
    return tuple(
        Layout(
            engine=words.name(row.engine),
            order=words.name(row.order),
            hit_rate=share(row.hit_tokens, row.prompt_tokens),
            width=f"{min(max(100 * row.hit_rate, 0), 100):.2f}%",
            hit=exact(row.hit_tokens),
            computed=exact(row.prefilled_tokens),
            cost="" if not priced else "-" if row.cost_usd is None else money(row.cost_usd),
            replayed=row.engine == result.engine.name,
        )
        for row in result.engines
    )
