"""Curves, lifetimes, block LRU and miss reasons against the literal simulators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.prefix.queries import (
    MISS_REASONS,
    alive_rows,
    block_lru_hits,
    curve,
    curve_at,
    hits_at,
    infinite_hits,
    misses,
    ttl_hits,
)

from .literal import leading, lifetimes, looked, stack_lru, touched
from .test_runs import CAPACITIES, PAGES, runs_of
from .workloads import Request, of, untimed, workloads


@untimed
@given(workloads(), PAGES, st.booleans())
def test_the_curve_is_exact_at_every_capacity(requests: list[Request], page: int, generated: bool) -> None:
    runs = runs_of(requests, page, generated)
    n = len(requests)
    line = curve(runs)
    assert (line.capacities[0], line.hits[0]) == (0, 0)
    assert line.hits[-1] == infinite_hits(runs, n).sum()
    assert bool(np.all(np.diff(line.capacities) > 0))
    every = range(int(line.capacities[-1]) + 2 * page)
    expected = [int(hits_at(runs, n, c).sum()) for c in every]
    assert curve_at(runs, list(every)).tolist() == expected
    for c in every[:: max(1, len(every) // 5)]:
        assert expected[c] == sum(stack_lru(requests, c, page, generated))
    if page == 1:
        straight = np.interp(every, line.capacities, line.hits)
        assert straight.tolist() == expected


@untimed
@given(workloads(), PAGES, st.booleans())
def test_block_lru_touched_root_first(requests: list[Request], page: int, generated: bool) -> None:
    runs = runs_of(requests, page, generated)
    n = len(requests)
    for capacity in CAPACITIES:
        got = block_lru_hits(runs, n, capacity)
        assert got.tolist() == stack_lru(requests, capacity, page, generated, root_first=True)
        assert bool(np.all(got <= hits_at(runs, n, capacity)))


@untimed
@given(
    workloads(),
    PAGES,
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 30)),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=12, max_size=12),
    st.integers(0, 25),
)
def test_lifetimes_equal_the_literal_cache(
    requests: list[Request],
    page: int,
    generated: bool,
    capacity: int | None,
    moments: list[tuple[int, int]],
    ttl: int,
) -> None:
    """With releases in any order, even before their start."""
    n = len(requests)
    time, release = [a for a, _ in moments[:n]], [b for _, b in moments[:n]]
    runs = runs_of(requests, page, generated)
    expected = lifetimes(requests, time, release, ttl, capacity, page, generated)
    assert ttl_hits(runs, n, time, release, ttl, capacity).tolist() == expected


@untimed
@given(workloads(), PAGES, st.lists(st.integers(0, 9), min_size=12, max_size=12), st.integers(0, 30))
def test_ordered_lifetimes_do_not_depend_on_when_expired_tokens_leave(
    requests: list[Request], page: int, gaps: list[int], capacity: int
) -> None:
    """The same hits when what expired is removed at once: it lies below everything alive."""
    n = len(requests)
    time = np.cumsum(gaps[:n])
    runs = runs_of(requests, page, True)
    stack: list[object] = []
    since: dict[object, int] = {}
    expected = []
    for i, request in enumerate(requests):
        stack = [p for p in stack if time[i] - since[p] <= 10]
        expected.append(page * leading(looked(request, page), stack[: capacity // page]))  # type: ignore[arg-type]
        for item in touched(request, page, True)[::-1]:
            if item in stack:
                stack.remove(item)
            stack.insert(0, item)
            since[item] = int(time[i])
    assert ttl_hits(runs, n, time, time, 10, capacity).tolist() == expected


@untimed
@given(
    workloads(),
    PAGES,
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(0, 12)),
    st.lists(st.integers(0, 5), min_size=12, max_size=12),
)
def test_misses_account_for_every_token(
    requests: list[Request], page: int, capacity: int | None, ttl: int | None, gaps: list[int]
) -> None:
    n = len(requests)
    time = np.cumsum(gaps[:n])
    runs = runs_of(requests, page, True)
    alive = None if ttl is None else alive_rows(runs, time, time, ttl)
    room = 10**9 if capacity is None else capacity
    hits = hits_at(runs, n, room, alive)
    lengths = np.array([len(r.looked) for r in requests], dtype=np.int64)
    table = misses(runs, lengths, capacity, alive)

    last: dict[object, int] = {}
    stack: list[object] = []
    expected: list[tuple[int, int, str, int]] = []  # request, depth, reason, last request
    for i, request in enumerate(requests):
        for depth in range(int(hits[i]) + 1, len(request.looked) + 1):
            end = -(-depth // page) * page
            item = (request.namespace, request.looked[:end])
            if end > len(request.looked):
                expected.append((i, depth, "tail", -1))
            elif item not in last:
                expected.append((i, depth, "unseen", -1))
            elif ttl is not None and time[i] - time[last[item]] > ttl:
                expected.append((i, depth, "expired", last[item]))
            else:
                assert stack.index(item) >= room // page
                expected.append((i, depth, "evicted", last[item]))
        for touch in touched(request, page, True)[::-1]:
            if touch in stack:
                stack.remove(touch)
            stack.insert(0, touch)
            last[touch] = i
    found = [
        (int(table.request[k]), depth, MISS_REASONS[table.reason[k]], int(table.last_request[k]))
        for k in range(len(table))
        for depth in range(int(table.lo[k]) + 1, int(table.hi[k]) + 1)
    ]
    assert found == expected
    counted = hits.copy()
    np.add.at(counted, table.request, table.hi - table.lo)
    assert counted.tolist() == lengths.tolist()


def test_what_lies_below_an_expired_run_is_out_of_reach() -> None:
    """Request 1 touches `ab` and is released at once, request 0 runs on: `cd` outlives `ab` in vain."""
    runs = runs_of(of("abcd", "abx", "abcd"), 1, False)
    assert ttl_hits(runs, 3, [0, 1, 20], [15, 2, 20], 10).tolist() == [0, 2, 0]
    table = misses(runs, np.array([4, 3, 4]), None, alive_rows(runs, [0, 1, 20], [15, 2, 20], 10))
    last = [
        (MISS_REASONS[r], q)
        for i, r, q in zip(table.request, table.reason, table.last_request, strict=True)
        if i == 2
    ]
    assert last == [("expired", 1), ("expired", 0)]


def test_misses_begin_where_hits_end() -> None:
    """At capacity 5, `abcdwxyz` leaves `abcdw`."""
    runs = runs_of(of("abcdwxyz", "abcdwxyz?"), 1, False)
    table = misses(runs, np.array([8, 9]), 5)
    columns = (table.request, table.lo, table.hi, table.reason, table.last_request)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
        (0, 0, 8, MISS_REASONS.index("unseen"), -1),
        (1, 5, 8, MISS_REASONS.index("evicted"), 0),
        (1, 8, 9, MISS_REASONS.index("unseen"), -1),
    ]


def test_a_lifetime_includes_its_last_moment() -> None:
    runs = runs_of(of("abcd", "abcd"), 1, False)
    assert ttl_hits(runs, 2, [0, 300], [0, 300], 300).tolist() == [0, 4]
    assert ttl_hits(runs, 2, [0, 301], [0, 301], 300).tolist() == [0, 0]


def test_wrong_questions_are_refused() -> None:
    runs = runs_of(of("ab", "ab"), 1, False)
    with pytest.raises(ValueError, match="negative"):
        hits_at(runs, 2, -1)
    with pytest.raises(ValueError, match="negative"):
        curve_at(runs, [-1])
    with pytest.raises(ValueError, match="lengths of the paths"):
        misses(runs, np.array([2, 1]))


def test_the_curve_of_nothing() -> None:
    runs = runs_of(of("ab", "cd"), 1, False)
    assert [column.tolist() for column in curve(runs)] == [[0], [0]]
    assert curve_at(runs, [0, 5]).tolist() == [0, 0]
