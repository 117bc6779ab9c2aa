"""What is said of the trace, of the cache and of each request. In: filled by `cachelens.pipeline`. Out: JSON, and back.

Counts are tokens and exact.
"""

from __future__ import annotations

import msgspec

from cachelens.model.skips import SkipReport


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
    `labels`: tokens by label, and `buckets` by bucket, as far as they are not live and in none; `wasted_tokens`:
    those in buckets that had to be computed. `expected`: what the server reported against the simulation: `as
    expected`, `less`, `more`; None when it reported nothing; `miss_reason`: why it missed in the server's own words.
    `evicted_by`: the request that pushed out the first token that was lost to capacity. `idle_s`: how long the first
    expired token had not been used.
    `runs`: outcomes by place in the prompt, first to last token; empty unless pictures were asked for.
    `expected_cached_tokens`: what the simulation would have served in the server's own count of tokens. Times are
    seconds since the first request of the trace started, None where unknown.
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
    wasted_tokens: int = 0
    expected: str | None = None
    miss_reason: str | None = None
    evicted_by: str | None = None
    idle_s: float | None = None
    output_tokens: int = 0
    reported_prompt_tokens: int | None = None
    expected_cached_tokens: int | None = None
    started_s: float | None = None
    first_token_s: float | None = None
    ended_s: float | None = None
    runs: tuple[tuple[str, int], ...] = ()
    echo: Break | None = None
    break_: Break | None = msgspec.field(default=None, name="break")
