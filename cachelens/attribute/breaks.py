"""Where and how a prompt departs from its predecessor's. In: two prompts and the edits between. Out: a `Break`.

A prefix breaks when the predecessor's prompt is not a full prefix of this one. The first differing
segment says where, the edits around it say what was done.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cachelens.attribute.align import common_head
from cachelens.attribute.texts import Texts
from cachelens.model.edits import Edit
from cachelens.model.kinds import KINDS
from cachelens.model.rows import Break
from cachelens.model.trace import Trace

_MESSAGE = re.compile(r"^(?:messages|input|contents)\[(\d+)\]")


@dataclass(frozen=True)
class Prompts:
    """The two prompts of a break, as segment rows, how many leading tokens they share, and the edits between."""

    before: Sequence[int]
    now: Sequence[int]
    shared_tokens: int
    edits: Sequence[Edit] = ()


def describe(
    trace: Trace, prompts: Prompts, previous_request_id: str, lost_tokens: int, texts: Texts
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
    kind = _kind(trace, edit_kind(then, now), prompts)
    gone = kind in ("removed", "truncated") or not now
    row = prompts.before[before_at] if gone else prompts.now[at]
    offset = prompts.shared_tokens - start
    in_place = kind in ("changed", "respelled") and bool(now)
    characters = characters_shared(trace, then[0], now[0], texts) if in_place else None
    return _break(
        trace, kind, row, previous_request_id, at, prompts.shared_tokens, offset, characters, lost_tokens
    )


def describe_echo(
    trace: Trace, edit: Edit, previous_request_id: str, lost_tokens: int, texts: Texts
) -> Break:
    """Where the copy of a reply departs from what was generated; `edit` is the first one that made it so."""
    content = trace.segments.content
    characters = None
    if edit.before_row >= 0 and edit.now_row >= 0:
        characters = characters_shared(
            trace, int(content[edit.before_row]), int(content[edit.now_row]), texts
        )
    return _break(
        trace,
        edit.kind,
        edit.row,
        previous_request_id,
        max(edit.now_at, 0),
        edit.depth,
        edit.head,
        characters,
        lost_tokens,
    )


def moved(then: str, now: str, previous_request_id: str, lost_tokens: int) -> Break:
    """The break of a request whose prompt is unchanged, but which went to another cache namespace."""
    same_model = then.partition("#")[0] == now.partition("#")[0]
    return Break(
        kind="scope-changed" if same_model else "model-changed",
        previous_request_id=previous_request_id,
        segment=0,
        component="other",
        message=None,
        path="cache_salt or adapter" if same_model else "model",
        name=None,
        token_offset=0,
        segment_offset=0,
        char_offset=None,
        lost_tokens=lost_tokens,
    )


def _break(
    trace: Trace,
    kind: str,
    row: int,
    previous_request_id: str,
    segment: int,
    token_offset: int,
    segment_offset: int,
    char_offset: int | None,
    lost_tokens: int,
) -> Break:
    path = trace.segments.location(row)
    name = int(trace.segments.name[row])
    return Break(
        kind=kind,
        previous_request_id=previous_request_id,
        segment=segment,
        component=KINDS[trace.segments.kind[row]],
        message=message_of(path),
        path=path,
        name=trace.segments.strings[name] if name >= 0 else None,
        token_offset=token_offset,
        segment_offset=segment_offset,
        char_offset=char_offset,
        lost_tokens=lost_tokens,
    )


def message_of(path: str) -> int | None:
    """The number of the message that a place in a body lies in, None outside the list of messages."""
    found = _MESSAGE.match(path)
    return int(found.group(1)) if found else None


def _kind(trace: Trace, by_contents: str, prompts: Prompts) -> str:
    """The kind of the break: that of the first edit that reaches it, if it is one of these; contents tell the rest.

    Text that is cut into other segments than before is edited, and yet the same tokens.
    """
    own = [edit for edit in prompts.edits if not edit.in_reply]
    size = trace.contents.tokens[trace.segments.content]
    reaching = (edit for edit in own if edit.depth + int(size[edit.row]) > prompts.shared_tokens)
    first = next((edit for edit in reaching if edit.kind != "framed"), None)
    if first is None or by_contents == "truncated":
        return by_contents
    if first.kind in ("summarized", "respelled"):
        return first.kind
    if first.kind == "moved":
        return "moved" if any(edit.kind != "moved" for edit in own) else "reordered"
    return by_contents if by_contents == "reordered" else first.kind


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


def characters_shared(trace: Trace, then: int, now: int, texts: Texts) -> int | None:
    """Characters of text that two contents share from their start; None where one is no text."""
    a, b = texts(then), texts(now)
    if not a or not b:
        return None
    size = min(len(a), len(b))
    return next((at for at in range(size) if a[at] != b[at]), size)
