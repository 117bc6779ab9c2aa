"""Where and how a prompt departs from its predecessor's. In: two prompts. Out: a `Departure`.

A prefix breaks when the predecessor's prompt is not a full prefix of this one. The first differing
segment says where, the segments around it say what kind of edit it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachelens.attribute.align import common_head
from cachelens.model.kinds import KINDS
from cachelens.model.result import Break
from cachelens.model.trace import Trace

_MESSAGE = re.compile(r"^(?:messages|input|contents)\[(\d+)\]")

#: Text of token ids, for character offsets; None where the trace holds no text.
Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Prompts:
    """The two prompts of a break, as segment rows, and how many leading tokens they share."""

    before: Sequence[int]
    now: Sequence[int]
    shared_tokens: int


def describe(
    trace: Trace, prompts: Prompts, previous_request_id: str, lost_tokens: int, decode: Decode | None
) -> Break:
    """The break between two prompts, of which the first is no full prefix of the second.

    The place is that of the first differing token: equal text may be cut into other segments, and
    segments without tokens differ without consequence.
    """
    before_at, _ = _holding(trace, prompts.before, prompts.shared_tokens)
    at, start = _holding(trace, prompts.now, prompts.shared_tokens)
    content = trace.segments.content
    then = [int(content[row]) for row in prompts.before[before_at:]]
    now = [int(content[row]) for row in prompts.now[at:]]
    kind = edit_kind(then, now)
    row = prompts.before[before_at] if kind in ("removed", "truncated") else prompts.now[at]
    path = trace.segments.location(row)
    message = _MESSAGE.match(path)
    name = int(trace.segments.name[row])
    return Break(
        kind=kind,
        previous_request_id=previous_request_id,
        segment=at,
        component=KINDS[trace.segments.kind[row]],
        message=int(message.group(1)) if message else None,
        path=path,
        name=trace.segments.strings[name] if name >= 0 else None,
        token_offset=prompts.shared_tokens,
        segment_offset=prompts.shared_tokens - start,
        char_offset=_characters(trace, then[0], now[0], decode) if kind == "changed" and decode else None,
        lost_tokens=lost_tokens,
    )


def _holding(trace: Trace, rows: Sequence[int], token: int) -> tuple[int, int]:
    """Position of the segment that holds the token at depth `token`, and the depth where it starts.

    The number of segments and their tokens when the prompt ends there.
    """
    depth = 0
    for at, row in enumerate(rows):
        tokens = int(trace.contents.tokens[trace.segments.content[row]])
        if depth + tokens > token:
            return at, depth
        depth += tokens
    return len(rows), depth


def shared_contents(trace: Trace, before: Sequence[int], now: Sequence[int]) -> int:
    """Leading tokens that two prompts share, content by content: for prompts that no cache would share."""
    shared = 0
    for then, row in zip(before, now, strict=False):
        one, other = (int(trace.segments.content[r]) for r in (then, row))
        if one != other:
            return shared + common_head(trace.contents.token_ids(one), trace.contents.token_ids(other))
        shared += int(trace.contents.tokens[one])
    return shared


def edit_kind(then: Sequence[int], now: Sequence[int]) -> str:
    """What was done to `then` to get `now`, both from the first difference on; one of BREAK_KINDS."""
    if not now:
        return "truncated"
    kept_then = then[0] in Counter(now)
    kept_now = now[0] in Counter(then)
    if kept_then and kept_now:
        return "reordered"
    if kept_then:
        return "inserted"
    if kept_now:
        return "removed"
    return "changed"


def _characters(trace: Trace, then: int, now: int, decode: Decode) -> int | None:
    """Characters of text that two contents share from their start; None where one is no text."""
    ids = [
        trace.contents.token_ids(content)[int(trace.contents.framing[content]) :] for content in (then, now)
    ]
    if not all(len(one) for one in ids):
        return None
    a, b = (decode(one.tolist()) for one in ids)
    size = min(len(a), len(b))
    return next((at for at in range(size) if a[at] != b[at]), size)
