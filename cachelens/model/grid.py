"""Grid: one trace replayed by several caches. In: filled by `cachelens.pipeline`. Out: JSON, and back."""

from __future__ import annotations

import msgspec

from cachelens.model.rows import TraceFacts

GRID_SCHEMA = "cachelens.grid/1"


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The model whose KV is held: bytes of one token over all ranks, where its shape was read.

    `approximate`: the shape was not compared with the published configuration.
    """

    name: str
    kv_dtype: str
    kv_bytes_per_token: float
    source: str
    approximate: bool = False


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cache and what it served.

    `capacity_tokens` None: unlimited, of each replica. `hit_tokens` come from any tier; `tiers` names those
    from slower ones. `written_5m_tokens` and `written_1h_tokens` were written at a price, None where the
    cache has no such thing. `mean_hit_ratio`: mean over requests of their own hit rate. `flop_hit_rate`:
    share of prefill work saved, None without a model. `of_ideal`, `of_optimal`: hits as a share of what
    an infinite token-granular cache and perfect eviction at this capacity (tiers and replicas
    included), also token by token, give. `cost_usd` None: no
    price, and `cost_note` says why. `rejected` requests never fit, `waited` had to wait for others.
    `routing_tokens`: what another replica held and this one never did. `pooled_hit_rate`: of one cache as large as
    all replicas together; `imbalance`: tokens computed by the busiest replica over their mean.
    `above_reported`: hit rate on the
    requests whose server reported cached tokens, less the reported rate (of the server's own count of
    prompt tokens); None without reports.
    """

    engine: str
    policy: str
    capacity_tokens: int | None
    capacity: str
    page_size: int
    prompt_tokens: int
    hit_tokens: int
    hit_rate: float
    mean_hit_ratio: float
    flop_hit_rate: float | None
    of_ideal: float
    of_optimal: float
    tiers: dict[str, int] = {}
    written_5m_tokens: int | None = None
    written_1h_tokens: int | None = None
    cost_usd: float | None = None
    cost_note: str | None = None
    evicted_tokens: int = 0
    rejected: int = 0
    waited: int = 0
    replicas: int = 1
    router: str | None = None
    routing_tokens: int = 0
    pooled_hit_rate: float | None = None
    imbalance: float | None = None
    above_reported: float | None = None
    options: dict[str, str] = {}
    notes: tuple[str, ...] = ()


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Every combination of engine, policy and capacity that was asked for, in that order.

    `reported_…`: what the server said of `reported_requests` requests, None when it said nothing.
    `unknown`: sentences, by engine, about what is not published or not modeled.
    """

    schema: str = GRID_SCHEMA
    cachelens: str
    trace: TraceFacts
    working_set_tokens: int
    ideal_hit_tokens: int
    timed: bool
    reported_requests: int = 0
    reported_cached_tokens: int | None = None
    reported_prompt_tokens: int | None = None
    cells: tuple[Cell, ...]
    model: ModelFacts | None = None
    unknown: dict[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()
