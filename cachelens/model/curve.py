"""The hit rate over cache sizes. In: filled by `cachelens.pipeline`. Out: JSON, and back."""

from __future__ import annotations

import msgspec

from cachelens.model.rows import TraceFacts

#: Identifies the JSON layout; raised when a field changes meaning or goes.
CURVE_SCHEMA = "cachelens.curve/1"


class CurvePoint(msgspec.Struct, frozen=True):
    """Hit tokens of least-recently-used and of perfect eviction in a cache of `capacity_tokens`.

    `optimal_hit_tokens` is None where only the exact LRU curve was computed.
    """

    capacity_tokens: int
    lru_hit_tokens: int
    optimal_hit_tokens: int | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Hit tokens of one engine and policy: (capacity in tokens, hit tokens), by capacity."""

    engine: str
    policy: str
    page_size: int
    points: tuple[tuple[int, int], ...]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The exact hit-rate curve of a trace: between neighboring points LRU is linear in the capacity.

    `capacities`: those that were asked for one by one, in the order asked; each has a point with both
    values. `unit`: what all counts are in, tokens or (hash traces) blocks; LRU of blocks is known at the
    points only. `working_set`: what an infinite cache would hold, in that unit. `definitions`: the hit rate
    of an infinite cache as different studies define it. `series`: other engines and policies on the same
    trace. `kv_bytes_per_token`: of the model chosen, to show sizes in bytes. `remedied`: (capacity, hit
    tokens) of LRU when all remedies are followed, of `remedied_prompt_tokens` then sent. `today`: the cache that was
    replayed, as (capacity, None: unlimited, and hit tokens).
    """

    schema: str = CURVE_SCHEMA
    cachelens: str
    trace: TraceFacts
    page_size: int
    prompt_tokens: int
    ideal_hit_tokens: int
    working_set: int
    points: tuple[CurvePoint, ...]
    marked_capacity_tokens: int | None = None
    capacities: tuple[int, ...] = ()
    unit: str = "tokens"
    definitions: dict[str, float] = {}
    series: tuple[Series, ...] = ()
    kv_bytes_per_token: float | None = None
    remedied: tuple[tuple[int, int], ...] = ()
    remedied_prompt_tokens: int = 0
    today: tuple[int | None, int] | None = None
