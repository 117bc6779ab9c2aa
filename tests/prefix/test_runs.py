"""The reuse-run table against the literal stack: same hits at every request, and the same stack distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.prefix.queries import hits_at, infinite_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs

from .literal import looked, stack_lru, touched
from .workloads import Request, of, tables, untimed, workloads

PAGES = st.sampled_from([1, 1, 2, 3, 4])
#: Below a page, between pages, around a prompt, around the working set.
CAPACITIES = (1, 2, 3, 5, 7, 10, 14, 19, 27, 38)


def runs_of(requests: list[Request], page: int, generated: bool) -> ReuseRuns:
    forest, lookup, touch = tables(requests).place()
    return reuse_runs(forest, lookup, touch if generated else None, page)


def rows(runs: ReuseRuns) -> list[tuple[int, ...]]:
    return list(
        zip(
            *(c.tolist() for c in (runs.request, runs.lo, runs.hi, runs.last_request, runs.above)),
            strict=True,
        )
    )


@untimed
@given(workloads(), PAGES, st.booleans())
def test_hits_equal_the_literal_stack(requests: list[Request], page: int, generated: bool) -> None:
    runs = runs_of(requests, page, generated)
    n = len(requests)
    for capacity in CAPACITIES:
        assert hits_at(runs, n, capacity).tolist() == stack_lru(requests, capacity, page, generated)
    assert infinite_hits(runs, n).tolist() == stack_lru(requests, None, page, generated)
    assert hits_at(runs, n, 0).sum() == 0
    assert hits_at(runs, n, 10**12).tolist() == infinite_hits(runs, n).tolist()


@untimed
@given(workloads(), PAGES, st.booleans())
def test_every_row_states_last_user_distance_and_size(
    requests: list[Request], page: int, generated: bool
) -> None:
    """Token by token: who used it last, where it lies in the stack, how much is left of that request."""
    runs = runs_of(requests, page, generated)
    found: list[tuple[int, int, int, int, int]] = []  # request, depth, last request, distance, live
    for k in range(len(runs)):
        for depth in range(int(runs.lo[k]) + page, int(runs.hi[k]) + 1, page):
            distance = int(runs.above[k] + depth - runs.lo[k])
            found.append(
                (int(runs.request[k]), depth, int(runs.last_request[k]), distance, int(runs.live[k]))
            )
    expected = []
    stack: list[tuple[str, tuple[object, ...]]] = []
    last: dict[tuple[str, tuple[object, ...]], int] = {}
    for i, request in enumerate(requests):
        for item in looked(request, page):
            if item in last:
                live = page * sum(user == last[item] for user in last.values())
                expected.append((i, len(item[1]), last[item], page * (stack.index(item) + 1), live))
        for item in touched(request, page, generated)[::-1]:
            if item in stack:
                stack.remove(item)
            stack.insert(0, item)
            last[item] = i
    assert found == expected


@untimed
@given(workloads(), PAGES, st.booleans())
def test_rows_are_merged_and_without_gaps(requests: list[Request], page: int, generated: bool) -> None:
    runs = runs_of(requests, page, generated)
    before: tuple[int, ...] = (-1, 0, 0, 0, 0)
    for row in rows(runs):
        request, lo, hi, last, above = row
        assert lo < hi
        assert last < request
        if request == before[0]:
            assert lo == before[2]
            assert last < before[3]
            assert above >= before[4] + before[2] - before[1]
        else:
            assert request > before[0]
            assert lo == 0
        before = row


@untimed
@given(workloads(), st.data())
def test_lookup_and_touch_may_be_unrelated(requests: list[Request], data: st.DataObject) -> None:
    """Looking up is not touching: with any touch paths at all the literal stack gives the same hits."""
    forest, lookup, touch = tables(requests).place()
    pick = data.draw(st.permutations(range(len(requests))))
    shuffled = [Request(r.namespace, r.prompt, ()) for r in requests]
    runs = reuse_runs(forest, lookup, touch[pick])
    assert runs.covering == all(
        (requests[j].namespace == r.namespace and requests[j].touched[: len(r.looked)] == r.looked)
        or not r.looked
        for r, j in zip(requests, pick, strict=True)
    )
    stack: list[object] = []
    for i, request in enumerate(shuffled):
        resident = set(stack[:7])
        expected = 0
        for item in looked(request, 1):
            if item not in resident:
                break
            expected += 1
        assert hits_at(runs, len(requests), 7)[i] == expected
        for item in touched(requests[pick[i]], 1, True)[::-1]:
            if item in stack:
                stack.remove(item)
            stack.insert(0, item)


@untimed
@given(workloads(), PAGES, st.booleans())
def test_renaming_tokens_changes_nothing(requests: list[Request], page: int, generated: bool) -> None:
    forest, lookup, touch = tables(requests, rename=lambda t: 4_294_967_295 - 17 * t).place()
    renamed = reuse_runs(forest, lookup, touch if generated else None, page)
    assert rows(renamed) == rows(runs_of(requests, page, generated))


@untimed
@given(workloads())
def test_namespaces_are_isolated(requests: list[Request]) -> None:
    """Requests of one namespace hit in an infinite cache as if the others were not there."""
    hits = infinite_hits(runs_of(requests, 1, True), len(requests))
    for space in ("m", "n"):
        mine = [i for i, r in enumerate(requests) if r.namespace == space]
        alone = infinite_hits(runs_of([requests[i] for i in mine], 1, True), len(mine))
        assert hits[mine].tolist() == alone.tolist()


def test_a_small_table_by_hand() -> None:
    runs = runs_of(of("abcd", "abxy", "abcdef", "ab"), 1, False)
    assert rows(runs) == [
        (1, 0, 2, 0, 0),  # ab, last used by request 0, on top of the stack
        (2, 0, 2, 1, 0),  # ab by request 1
        (2, 2, 4, 0, 4),  # cd by request 0, below abxy
        (3, 0, 2, 2, 0),
    ]
    assert runs.live.tolist() == [4, 4, 2, 6]


def test_append_only_session_is_one_row_a_request() -> None:
    texts = ["s" * 10 + "".join(chr(97 + k) * 3 for k in range(i)) for i in range(20)]
    runs = runs_of(of(*texts), 1, False)
    assert len(runs) == 19
    assert infinite_hits(runs, 20).tolist() == [0, *(len(t) for t in texts[:-1])]


def test_paths_that_part_inside_a_page_do_not_share_it() -> None:
    runs = runs_of(of("abcdefg", "abcdxyz", "abcdefz"), 4, False)
    assert infinite_hits(runs, 3).tolist() == [0, 4, 4]
    runs = runs_of(of("abcdef", "abcdxf", "abcdef"), 2, False)
    assert infinite_hits(runs, 3).tolist() == [0, 4, 6]


def test_a_path_larger_than_the_cache_leaves_its_head() -> None:
    runs = runs_of(of("abcdefgh", "abcdefgh"), 1, False)
    assert hits_at(runs, 2, 3).tolist() == [0, 3]


def test_what_cannot_be_asked_is_refused() -> None:
    forest, lookup, touch = tables(of("ab")).place()
    with pytest.raises(ValueError, match="page"):
        reuse_runs(forest, lookup, page=0)
    with pytest.raises(ValueError, match="one node per request"):
        reuse_runs(forest, lookup, touch[:0])
    for wrong in (-1, len(forest)):
        with pytest.raises(IndexError, match="nodes of the forest"):
            reuse_runs(forest, np.array([wrong], np.int64))


def test_no_requests_no_rows() -> None:
    forest, lookup, _ = tables([]).place()
    assert len(reuse_runs(forest, lookup)) == 0
