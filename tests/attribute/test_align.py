"""Alignment decides per occurrence what was sent before."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cachelens.attribute.align import Match, Span, in_order, matches, spans
from cachelens.attribute.breaks import edit_kind
from cachelens.model.trace import Contents


def contents_of(texts: list[list[int]]) -> Contents:
    """Contents without framing, one per list of token ids."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    return Contents(
        kind=np.zeros(len(texts), dtype=np.uint8),
        bytes=lengths * 4,
        tokens=lengths,
        framing=np.zeros(len(texts), dtype=np.int32),
        offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        ids=np.array([token for text in texts for token in text], dtype=np.uint32),
    )


#: Content i is ten tokens that no other content holds.
DISTINCT = contents_of([list(range(100 * i, 100 * i + 10)) for i in range(12)])


def held(before: list[int], now: list[int], contents: Contents = DISTINCT, same: int = 0) -> list[Span]:
    """Merged spans of `now` that `before` held."""
    found = matches(before, now, contents, lambda content: 0, same)
    offsets = [0, *np.cumsum(contents.tokens[now]).tolist()] if now else [0]
    return spans(found, offsets)


def test_a_second_copy_of_a_file_is_fresh() -> None:
    assert held([1, 2], [1, 2, 3, 2]) == [Span(0, 10), Span(10, 20)]


def test_moved_segments_were_sent_before() -> None:
    assert held([1, 2, 3], [3, 1, 2]) == [Span(0, 10), Span(10, 20), Span(20, 30)]


def test_inside_an_edited_segment_head_and_tail_were_sent_before() -> None:
    contents = contents_of([[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 99, 98, 6, 7, 8]])
    assert held([0], [1], contents) == [Span(0, 3), Span(5, 8)]


def test_segments_with_little_in_common_are_no_edit() -> None:
    contents = contents_of([[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 93, 94, 95, 96, 97, 98]])
    assert held([0], [1], contents) == []


def test_an_overlapping_head_and_tail_are_not_counted_twice() -> None:
    contents = contents_of([[7, 7, 7, 7], [7, 7, 7]])
    assert held([0], [1], contents) == [Span(0, 3)]


PROMPTS = st.lists(st.integers(0, 11), max_size=12)


@given(PROMPTS, PROMPTS)
def test_spans_are_disjoint_in_order_and_never_more_than_was_sent(before: list[int], now: list[int]) -> None:
    spans = held(before, now)
    assert all(a.hi <= b.lo for a, b in pairwise(spans))
    assert all(0 <= span.lo < span.hi <= 10 * len(now) for span in spans)
    common = sum(min(before.count(content), now.count(content)) for content in set(now))
    assert sum(span.hi - span.lo for span in spans) == 10 * common


@given(PROMPTS, PROMPTS)
def test_a_known_common_prefix_changes_nothing(shared: list[int], rest: list[int]) -> None:
    before, now = shared + rest[::-1], shared + rest
    whole = {token for span in held(before, now) for token in range(*span)}
    known = held(before, now, same=len(shared))
    assert {token for span in known for token in range(*span)} == whole


@given(PROMPTS, PROMPTS)
def test_no_place_has_two_partners(before: list[int], now: list[int]) -> None:
    found = matches(before, now, DISTINCT, lambda content: 0)
    assert len({match.now for match in found}) == len({match.before for match in found}) == len(found)
    assert all(before[match.before] == now[match.now] for match in found)


@given(st.permutations(range(8)))
def test_what_stayed_in_order_is_a_longest_rising_run(places: list[int]) -> None:
    found = [Match(now, before, 1, 0) for now, before in enumerate(places)]
    kept = sorted(in_order(found))
    assert all(found[a].before < found[b].before for a, b in pairwise(kept))
    longest = [1] * len(places)
    for at, place in enumerate(places):
        longest[at] = 1 + max((longest[b] for b in range(at) if places[b] < place), default=0)
    assert len(kept) == max(longest)


def test_edit_kinds() -> None:
    assert edit_kind([1, 2], []) == "truncated"
    assert edit_kind([1, 2], [2, 1]) == "reordered"
    assert edit_kind([1, 2], [9, 1, 2]) == "inserted"
    assert edit_kind([1, 2], [2]) == "removed"
    assert edit_kind([1, 2], [9, 2]) == "changed"
