"""Result: everything an output may show. In: filled by `cachelens.pipeline`. Out: JSON, and back.

Renderers read a Result and nothing else, so any output can be made again from the saved file.
Counts are tokens and exact; rates are shares of prompt tokens. Numbers always satisfy `check`.
"""

from __future__ import annotations

import msgspec

from cachelens.model.findings import Bucket, Confusion, Finding, Remedies
from cachelens.model.kinds import BUCKETS, OUTCOMES
from cachelens.model.skips import SkipReport

#: Identifies the JSON layout; raised when a field changes meaning or goes.
RESULT_SCHEMA = "cachelens.result/1"
CURVE_SCHEMA = "cachelens.curve/1"


class TraceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    `unique_tokens`: tokens of the distinct contents, each counted once, however often it was sent.
    `working_set_tokens`: tokens of the distinct prompt prefixes, what an infinite cache would hold.
    `skipped` lists records left out, `skipped_records` their number. `notes` are sentences.
    """

    requests: int
    sessions: int
    lineages: int
    prompt_tokens: int
    unique_tokens: int
    working_set_tokens: int
    output_tokens: int
    encoding: str
    render: str
    sources: tuple[str, ...]
    harnesses: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    skipped: tuple[SkipReport, ...] = ()
    skipped_records: int = 0
    notes: tuple[str, ...] = ()


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The cache model that was replayed. `capacity_tokens` None: unlimited. `page_size` in tokens.

    `tiers`: capacities of slower tiers in tokens, by name; `tier_hit_tokens`: hits that came from them.
    `rejected_requests` could never fit, `waited_requests` had to wait for others. `notes` are about this
    replay, `unknown` about what is not published or not modeled.
    """

    name: str
    policy: str
    capacity_tokens: int | None
    page_size: int
    title: str = ""
    options: dict[str, str] = {}
    tiers: dict[str, int] = {}
    tier_hit_tokens: dict[str, int] = {}
    rejected_requests: int = 0
    waited_requests: int = 0
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


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


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request's prompt departs from that of its predecessor in the lineage.

    `kind` is one of BREAK_KINDS. `segment` is the position of the first differing segment, `component`
    its kind, `path` its place in the body (of the predecessor's body when the segment was removed).
    `token_offset` counts tokens of the prompt before the first difference; `segment_offset` counts
    those of them inside the segment, `char_offset` the characters of its text before the difference
    (None: not text). `lost_tokens`: tokens sent before, recomputed because of this difference.
    """

    kind: str
    previous_request_id: str
    segment: int
    component: str
    message: int | None
    path: str
    name: str | None
    token_offset: int
    segment_offset: int
    char_offset: int | None
    lost_tokens: int


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `outcomes` holds only the outcomes that occur, and sums to `prompt_tokens`.

    `reusable_tokens`: what an infinite token-granular cache would have served. `break_` (JSON: `break`)
    is None when the predecessor's prompt is a full prefix of this one, or when there is none. `echo`: where the
    copy of the predecessor's reply departs from what was generated; None when it is faithful, or not there.
    `labels`: tokens by label, and `buckets` by bucket, as far as they are not live and in none. `expected`: what
    the server reported against the simulation: `as expected`, `less`, `more`; None when it reported nothing;
    `miss_reason`: why it missed in the server's own words. `evicted_by`: the request that pushed out the first
    token that was lost to capacity. `idle_s`: how long the first expired token had not been used.
    """

    request_id: str
    session_id: str
    lineage_id: str
    previous_request_id: str | None
    source_file: str
    source_record: int
    model: str | None
    prompt_tokens: int
    outcomes: dict[str, int]
    reusable_tokens: int
    reported_cached_tokens: int | None = None
    labels: dict[str, int] = {}
    buckets: dict[str, int] = {}
    expected: str | None = None
    miss_reason: str | None = None
    evicted_by: str | None = None
    idle_s: float | None = None
    echo: Break | None = None
    break_: Break | None = msgspec.field(default=None, name="break")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One analysis of one trace under one cache model. `worst_breaks`: request ids, most tokens lost first.

    `engines`: the same trace under other caches, side by side. `labels`: tokens by label, `live` included.
    `buckets`: waste by kind. `findings`: by what their remedies save, most first. `shows_text`: it holds text of
    prompts.
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
    trace. `kv_bytes_per_token`: of the model chosen, to show sizes in bytes.
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
        for name, tokens in row.outcomes.items():
            sums[name] += tokens
        if row.labels and sum(row.labels.values()) > row.prompt_tokens:
            raise ValueError(f"request {row.request_id}: more labels than prompt tokens")
        for name, tokens in row.buckets.items():
            buckets[name] += tokens
    for name, bucket in result.buckets.items():
        if buckets[name] != bucket.carried_tokens or sum(bucket.causes.values()) != bucket.carried_tokens:
            raise ValueError(f"bucket {name}: its requests or causes do not sum to its tokens")
    totals = result.totals
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
