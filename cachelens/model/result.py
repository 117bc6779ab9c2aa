"""Result: everything an output may show. In: filled by `cachelens.pipeline`. Out: JSON, and back.

Renderers read a Result and nothing else, so any output can be made again from the saved file.
Counts are tokens and exact; rates are shares of prompt tokens. Numbers always satisfy `check`.
"""

from __future__ import annotations

import msgspec

from cachelens.model.findings import Bucket, Confusion, Finding, Remedies
from cachelens.model.kinds import BUCKETS, OUTCOMES
from cachelens.model.pictures import Pictures
from cachelens.model.rows import EngineFacts, RequestRow, TraceFacts

#: Identifies the JSON layout; raised when a field changes meaning or goes.
RESULT_SCHEMA = "cachelens.result/1"


class LayoutRow(msgspec.Struct, frozen=True, kw_only=True):
    """The same trace under another cache: unlimited, its prompts put together in its own order.

    `order` is `tools-first`, `system-first` or `as captured`. `cost_usd` None: there is no price.
    """

    engine: str
    order: str
    prompt_tokens: int
    hit_tokens: int
    prefilled_tokens: int
    hit_rate: float
    cost_usd: float | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over all requests.

    `hit_rate` = hit / prompt. `ideal_hit_rate`: an infinite cache that works token by token.
    `optimal_hit_rate`: perfect eviction at this capacity,
    tiers included, token by token. `mean_hit_ratio`: mean over
    requests of their own hit rate. `prefill_amplification` = computed / fresh (None: nothing fresh).
    """

    prompt_tokens: int
    hit_tokens: int
    prefilled_tokens: int
    fresh_tokens: int
    reusable_tokens: int
    outcomes: dict[str, int]
    hit_rate: float
    ideal_hit_rate: float
    optimal_hit_rate: float
    mean_hit_ratio: float
    prefill_amplification: float | None
    reported_cached_tokens: int | None = None
    reported_prompt_tokens: int | None = None
    cost_usd: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One analysis of one trace under one cache model. `worst_breaks`: request ids, most tokens lost first.

    `engines`: the same trace under other caches, side by side. `labels`: tokens by label, `live` included.
    `buckets`: waste by kind. `findings`: by what their remedies save, most first. `shows_text`: it holds text of
    prompts. `pictures`: None unless they were asked for; then each request has its `runs` as well.
    """

    schema: str = RESULT_SCHEMA
    cachelens: str
    trace: TraceFacts
    engine: EngineFacts
    totals: Totals
    requests: tuple[RequestRow, ...]
    worst_breaks: tuple[str, ...] = ()
    engines: tuple[LayoutRow, ...] = ()
    labels: dict[str, int] = {}
    buckets: dict[str, Bucket] = {}
    findings: tuple[Finding, ...] = ()
    remedies: Remedies = Remedies()
    confusion: Confusion | None = None
    shows_text: bool = False
    pictures: Pictures | None = None


def encode(result: msgspec.Struct) -> bytes:
    """Any document as indented JSON with a final newline; the same document gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def decode(data: bytes) -> Result:
    """A Result from its JSON. Raises msgspec.ValidationError when it is not one."""
    return msgspec.json.decode(data, type=Result)


def check(result: Result) -> None:
    """Raise ValueError unless every token of every request is accounted for exactly once."""
    sums = dict.fromkeys(OUTCOMES, 0)
    buckets = dict.fromkeys(BUCKETS, 0)
    for row in result.requests:
        if sum(row.outcomes.values()) != row.prompt_tokens:
            raise ValueError(f"request {row.request_id}: outcomes do not sum to its prompt tokens")
        if row.runs and _summed(row.runs) != row.outcomes:
            raise ValueError(f"request {row.request_id}: its runs do not sum to its outcomes")
        for name, tokens in row.outcomes.items():
            sums[name] += tokens
        if row.labels and sum(row.labels.values()) > row.prompt_tokens:
            raise ValueError(f"request {row.request_id}: more labels than prompt tokens")
        for name, tokens in row.buckets.items():
            buckets[name] += tokens
    for name, bucket in result.buckets.items():
        if buckets[name] != bucket.carried_tokens or sum(bucket.causes.values()) != bucket.carried_tokens:
            raise ValueError(f"bucket {name}: its requests or causes do not sum to its tokens")
    if sum(row.wasted_tokens for row in result.requests) != sum(
        bucket.computed_tokens for bucket in result.buckets.values()
    ):
        raise ValueError("wasted tokens of the requests do not sum to the computed tokens of the buckets")
    totals = result.totals
    if result.pictures is not None:
        for parts in (result.pictures.tree, result.pictures.groups):
            if sum(part.sent_tokens for part in parts) != totals.prompt_tokens:
                raise ValueError("what a picture shows does not sum to the prompt tokens")
            if sum(part.hit_tokens for part in parts) != totals.hit_tokens:
                raise ValueError("what a picture shows does not sum to the hit tokens")
    if result.labels and sum(result.labels.values()) != totals.prompt_tokens:
        raise ValueError("labels do not sum to the prompt tokens")
    if {name: tokens for name, tokens in sums.items() if tokens} != {
        name: tokens for name, tokens in totals.outcomes.items() if tokens
    }:
        raise ValueError("outcomes of the requests do not sum to the totals")
    if sum(totals.outcomes.values()) != totals.prompt_tokens:
        raise ValueError("outcomes do not sum to the prompt tokens")
    if totals.hit_tokens + totals.prefilled_tokens != totals.prompt_tokens:
        raise ValueError("hit and prefilled tokens do not sum to the prompt tokens")


def _summed(runs: tuple[tuple[str, int], ...]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, tokens in runs:
        sums[name] = sums.get(name, 0) + tokens
    return sums
