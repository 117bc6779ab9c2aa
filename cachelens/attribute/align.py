"""Which parts of a prompt were sent before by its predecessor: alignment, per occurrence, not by text.

In: two sequences of content numbers. Out: `Match`es between their places, and spans of tokens.
Segments are matched one to one, equal contents first (in order, moves allowed); what is left is paired in
order by kind, and inside such an edited segment the common prefix and suffix count as sent before. A file
read twice and appended at the end has no partner: it is fresh, although the same text was seen before.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from cachelens.model.trace import Contents, Int64, UInt32

#: Share of the shorter text that two segments must have in common, at their ends, to be one edited segment.
SAME_SEGMENT = 0.5

#: Segments of the earlier prompt that are compared with an edited one: pairs keep their order, so its
#: partner is among the next ones unless many segments were dropped at once.
_CANDIDATES = 16


class Span(NamedTuple):
    """Tokens `[lo, hi)` of a prompt, counted from its start."""

    lo: int
    hi: int


class Match(NamedTuple):
    """Place `now` of the later sequence holds what place `before` of the earlier one held.

    `head` tokens at its start and `tail` at its end are the same; equal contents have all in `head`.
    """

    now: int
    before: int
    head: int
    tail: int


def matches(
    before: Sequence[int],
    now: Sequence[int],
    contents: Contents,
    group: Callable[[int], object],
    same: int = 0,
) -> list[Match]:
    """Places of `now` that have a partner in `before`, in order of `now`; no place has two.

    Both are content numbers; the first `same` of them are known to be equal. `group` maps a content to
    what two versions of an edited segment have in common, such as its kind.
    """
    tokens = contents.tokens
    found = [Match(at, at, int(tokens[now[at]]), 0) for at in range(same)]
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)
    for at in range(same, len(before)):
        waiting[before[at]].append(at)
    unmatched: list[int] = []
    for at in range(same, len(now)):
        content = now[at]
        if places := waiting.get(content):
            found.append(Match(at, places.popleft(), int(tokens[content]), 0))
        else:
            unmatched.append(at)
    left: defaultdict[object, deque[int]] = defaultdict(deque)
    for at in sorted(at for places in waiting.values() for at in places):
        left[group(before[at])].append(at)
    for at in unmatched:
        candidates = left.get(group(now[at]))
        if candidates and (pair := _edited(candidates, before, now[at], contents)):
            found.append(Match(at, *pair))
    found.sort()
    return found


def _edited(
    candidates: deque[int], before: Sequence[int], content: int, contents: Contents
) -> tuple[int, int, int] | None:
    """Place, common head and common tail of the one of `candidates` that is `content` before an edit.

    The one that has most in common with it, of equal ones the first: texts of one template are alike at their ends
    anyway. It is used up, and those before it: pairs keep their order.
    """
    now = contents.token_ids(content)
    framing = int(contents.framing[content])
    best, used = (-1, 0, 0), 0
    for at, candidate in enumerate(islice(candidates, _CANDIDATES)):
        then = contents.token_ids(before[candidate])
        head, tail = common_ends(then, now)
        other = int(contents.framing[before[candidate]])
        shorter = min(len(then) - other, len(now) - framing)
        same_text = head + tail - min(head, framing, other)
        alike = shorter > 0 and same_text >= SAME_SEGMENT * shorter
        if alike and head + tail > best[1] + best[2]:
            best, used = (candidate, head, tail), at + 1
    for _ in range(used):
        candidates.popleft()
    return best if used else None


def spans(found: Sequence[Match], offsets: Sequence[int]) -> list[Span]:
    """Token spans of the later prompt that the matches cover, in order, without overlap.

    `offsets[at]` is where its segment `at` begins; one more entry where the last one ends.
    """
    covered = []
    for match in found:
        start, end = offsets[match.now], offsets[match.now + 1]
        if match.head:
            covered.append(Span(start, start + match.head))
        if match.tail:
            covered.append(Span(end - match.tail, end))
    return covered


def in_order(found: Sequence[Match]) -> set[int]:
    """Indexes of matches whose places rise in both sequences, as many tokens as can be; the others were moved.

    Of equal choices the one that holds more at the start of the later sequence: what moves mostly moves back.
    """
    if all(one.before < other.before for one, other in pairwise(found)):
        return set(range(len(found)))
    size = max(match.before for match in found) + 1
    best: list[tuple[int, int]] = [(0, 1)] * (size + 1)  # Fenwick tree: (tokens, - index of the last match)
    previous: list[int] = []
    for index, match in enumerate(found):
        at, most = match.before, (0, 1)
        while at > 0:
            most = max(most, best[at])
            at &= at - 1
        previous.append(-most[1])
        own = (most[0] + match.head + match.tail, -index)
        at = match.before + 1
        while at <= size:
            best[at] = max(best[at], own)
            at += at & -at
    at, last = size, (0, 1)
    while at > 0:
        last = max(last, best[at])
        at &= at - 1
    kept: set[int] = set()
    index = -last[1]
    while index >= 0:
        kept.add(index)
        index = previous[index]
    return kept


def common_ends(then: UInt32, now: UInt32) -> tuple[int, int]:
    """Tokens that two arrays of token ids share at their start, and of the rest those at their end."""
    head = common_head(then, now)
    return head, common_head(then[head:][::-1], now[head:][::-1])


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
