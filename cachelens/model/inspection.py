"""Inspection: one request looked at token by token. In: filled by `cachelens.pipeline`. Out: JSON, and back.

Every prompt token lies in one piece of one segment, and the pieces sum to what the analysis says of the request.
"""

from __future__ import annotations

import msgspec

from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.rows import Break, EngineFacts, RequestRow, TraceFacts

INSPECTION_SCHEMA = "cachelens.inspection/1"


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Another segment. `position` in this prompt, None when it does not stand there."""

    path: str
    kind: str
    name: str | None = None
    position: int | None = None


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens `[lo, hi)` of the prompt, alike in everything.

    `bucket` None: not wasted. `label_cause`: what makes the label so (the earlier copy, the later read, the
    rerun); None where nothing does.
    """

    lo: int
    hi: int
    outcome: str
    label: str
    bucket: str | None = None
    label_cause: Pointer | None = None


class SegmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the prompt. `start`: tokens of the prompt before it.

    `path` is its place in the body, `digest` a name for its token ids that does not show them (None: a picture,
    or a block known by its hash alone). `text` only when texts were asked for.
    """

    position: int
    kind: str
    role: str
    path: str
    name: str | None
    start: int
    tokens: int
    digest: str | None
    pieces: tuple[Piece, ...]
    text: str | None = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an edited segment; `position` counts segments of its prompt, or of prompt and reply."""

    position: int
    kind: str
    path: str
    name: str | None
    tokens: int
    digest: str | None
    text: str | None = None


class EditRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to one segment. `number` counts the edits of this request from 1.

    `compared_with`: the request whose version is `before`. `in_reply`: that version was generated in reply to
    it. `sibling`: it is not the predecessor but the first request of another lineage. `token_offset`: tokens of
    this prompt before the edit takes effect. `head`, `tail`: tokens that both versions share at their ends.
    `after_tokens`: tokens behind the edit that had been sent before. `code`, `rule`: whose edit it is, None when
    no rule claims it.
    """

    number: int
    kind: str
    compared_with: str
    token_offset: int
    head: int
    tail: int
    after_tokens: int
    in_reply: bool = False
    sibling: bool = False
    before: Side | None = None
    now: Side | None = None
    code: str | None = None
    rule: str | None = None


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prompt departs from what was sent or generated before, with both sides of the first difference.

    `edit` is the number of the edit that made it, None where the texts do not differ (another model or scope).
    """

    at: Break
    before: Side | None = None
    now: Side | None = None
    edit: int | None = None
    code: str | None = None
    rule: str | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the lineage. `number` counts the requests of the trace from 1, in order of start.

    `gap_s`: seconds since the request before it in the lineage started, None where unknown.
    """

    number: int
    request_id: str
    previous_request_id: str | None
    gap_s: float | None
    prompt_tokens: int
    outcomes: dict[str, int]
    break_kind: str | None = None
    echo_kind: str | None = None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """One request under one cache model.

    `chosen_by` says why it is this request. `number` counts requests from 1 in order of start; `started_at` is
    ISO 8601, None where unknown. `divergence_edit`: the edit for which all tokens of outcome `divergence` were
    computed again, None where there are none or no edit made them. `lineage`: the last requests of the lineage
    up to this one, `earlier_steps` more stand before them. `spawned_by`: the request that began the lineage.
    `reported_prompt_tokens`: as the server counts them. `shows_text`: it holds text of prompts.
    """

    schema: str = INSPECTION_SCHEMA
    cachelens: str
    trace: TraceFacts
    engine: EngineFacts
    chosen_by: str
    number: int
    started_at: str | None
    request: RequestRow
    segments: tuple[SegmentRow, ...]
    edits: tuple[EditRow, ...] = ()
    divergence_edit: int | None = None
    break_: Departure | None = msgspec.field(default=None, name="break")
    echo: Departure | None = None
    lineage: tuple[Step, ...] = ()
    earlier_steps: int = 0
    spawned_by: str | None = None
    reported_prompt_tokens: int | None = None
    shows_text: bool = False


def sums(inspection: Inspection) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Tokens of the pieces by outcome, by label (`live` included), and by bucket (`none` included).

    Names without tokens are left out.
    """
    outcomes, labels, buckets = (dict.fromkeys(names, 0) for names in (OUTCOMES, LABELS, BUCKETS))
    for segment in inspection.segments:
        for piece in segment.pieces:
            tokens = piece.hi - piece.lo
            outcomes[piece.outcome] += tokens
            labels[piece.label] += tokens
            buckets[piece.bucket or "none"] += tokens
    return _some(outcomes), _some(labels), _some(buckets)


def _some(tokens: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in tokens.items() if number}


def check(inspection: Inspection) -> None:
    """Raise ValueError unless the pieces cover the prompt without gap or overlap and sum to the request's row."""
    at = 0
    for segment in inspection.segments:
        if segment.start != at:
            raise ValueError(f"segment {segment.position} does not begin where the one before it ends")
        for piece in segment.pieces:
            if piece.lo != at or piece.hi <= piece.lo:
                raise ValueError(f"segment {segment.position}: a gap or an overlap at token {at}")
            at = piece.hi
        if at != segment.start + segment.tokens:
            raise ValueError(f"segment {segment.position}: its pieces do not sum to its tokens")
    request = inspection.request
    outcomes, labels, buckets = sums(inspection)
    labels.pop("live", None)
    buckets.pop("none", None)
    if at != request.prompt_tokens or outcomes != request.outcomes:
        raise ValueError("the segments do not sum to the outcomes of the request")
    if labels != request.labels or buckets != request.buckets:
        raise ValueError("the segments do not sum to the labels and buckets of the request")
