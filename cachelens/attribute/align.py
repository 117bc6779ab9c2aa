"""Which parts of a prompt were sent before by its predecessor: alignment, per occurrence, not by text.

In: two prompts as content numbers. Out: token spans of the later prompt that the earlier one held too.
Segments are matched one to one, equal contents first (in order, moves allowed); what is left is paired in
order by kind, and inside such an edited segment the common prefix and suffix count as sent before. A file
read twice and appended at the end has no partner: it is fresh, although the same text was seen before.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from cachelens.model.trace import Contents, Int64, UInt32

#: Share of the shorter text that two segments must have in common, at their ends, to be one edited segment.
_SAME_SEGMENT = 0.5

#: Segments of the earlier prompt that are compared with an edited one: pairs keep their order, so its
#: partner is among the next ones unless many segments were dropped at once.
_CANDIDATES = 16


class Span(NamedTuple):
    """Tokens `[lo, hi)` of a prompt, counted from its start."""

    lo: int
    hi: int


def retransmitted(
    before: Sequence[int],
    now: Sequence[int],
    contents: Contents,
    group: Callable[[int], object],
    same: int = 0,
) -> list[Span]:
    """Spans of the prompt `now` that its predecessor's prompt `before` held, in order, without overlap.

    Both are content numbers; the first `same` of them are known to be equal. `group` maps a content to
    what two versions of an edited segment have in common, such as its kind.
    """
    tokens = contents.tokens
    waiting: defaultdict[int, int] = defaultdict(int)
    for content in before[same:]:
        waiting[content] += 1
    starts = np.concatenate(([0], np.cumsum(tokens[np.array(now, dtype=np.int64)]))) if now else np.zeros(1)
    offsets = starts.astype(np.int64).tolist()
    spans = [Span(0, offsets[same])] if same else []
    unmatched: list[int] = []
    matched: list[tuple[int, Span]] = []
    for at in range(same, len(now)):
        content = now[at]
        if waiting[content] > 0:
            waiting[content] -= 1
            matched.append((at, Span(offsets[at], offsets[at + 1])))
        else:
            unmatched.append(at)
    left: defaultdict[object, deque[int]] = defaultdict(deque)
    for content in reversed(before[same:]):
        # The last copies of a content are the unmatched ones: matching went in order.
        if waiting[content] > 0:
            waiting[content] -= 1
            left[group(content)].appendleft(content)
    for at in unmatched:
        candidates = left.get(group(now[at]))
        if candidates and (edited := _edited(candidates, now[at], contents)):
            head, tail = edited
            if head:
                matched.append((at, Span(offsets[at], offsets[at] + head)))
            if tail:
                matched.append((at, Span(offsets[at + 1] - tail, offsets[at + 1])))
    matched.sort()
    spans.extend(span for _, span in matched)
    return [span for span in spans if span.hi > span.lo]


def _edited(candidates: deque[int], content: int, contents: Contents) -> tuple[int, int] | None:
    """Common head and tail of `content` with the first of `candidates` that is the same segment, edited.

    The candidate is used up, and those before it: pairs keep their order.
    """
    now = contents.token_ids(content)
    for at, candidate in enumerate(islice(candidates, _CANDIDATES)):
        then = contents.token_ids(candidate)
        head = common_head(then, now)
        tail = common_head(then[head:][::-1], now[head:][::-1])
        framing = int(contents.framing[content])
        shorter = min(len(then), len(now)) - framing
        if shorter > 0 and head + tail - framing >= _SAME_SEGMENT * shorter:
            for _ in range(at + 1):
                candidates.popleft()
            return head, tail
    return None


def common_head(a: UInt32, b: UInt32) -> int:
    """Length of the longest common prefix of two arrays of token ids."""
    size = min(len(a), len(b))
    different = np.flatnonzero(a[:size] != b[:size])
    return int(different[0]) if len(different) else size


def same_prefix(before: Int64, now: Int64) -> int:
    """How many leading entries two arrays share."""
    size = min(len(before), len(now))
    different = np.flatnonzero(before[:size] != now[:size])
    return int(different[0]) if len(different) else size
