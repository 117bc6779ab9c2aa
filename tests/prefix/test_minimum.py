"""MIN against exhaustive search, and against every policy that can be simulated literally."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.prefix.minimum import min_curve, min_hits
from cachelens.prefix.queries import block_lru_hits, hits_at, infinite_hits
from cachelens.prefix.runs import reuse_runs

from .literal import evict_leaves, exhaustive
from .test_runs import CAPACITIES, PAGES, runs_of
from .workloads import Request, of, tables, untimed, workloads


@untimed
@given(
    workloads(max_requests=6, max_new=3, atomic=False),
    st.sampled_from([1, 1, 1, 2]),
    st.booleans(),
    st.integers(0, 6),
)
def test_min_is_the_optimum(requests: list[Request], page: int, generated: bool, capacity: int) -> None:
    runs = runs_of(requests, page, generated)
    best = exhaustive(requests, min(capacity, 4 * page), page, generated)
    assert min_hits(runs, len(requests), min(capacity, 4 * page)).sum() == best


@untimed
@given(workloads(), PAGES, st.booleans())
def test_no_policy_hits_more(requests: list[Request], page: int, generated: bool) -> None:
    runs = runs_of(requests, page, generated)
    n = len(requests)
    for capacity in CAPACITIES:
        best = min_hits(runs, n, capacity)
        assert best.sum() >= hits_at(runs, n, capacity).sum()
        assert best.sum() >= block_lru_hits(runs, n, capacity).sum()
        assert bool(np.all(best <= infinite_hits(runs, n)))
        assert bool(np.all(best % page == 0))
    for capacity in CAPACITIES[2:-2:3]:
        best = min_hits(runs, n, capacity)
        for policy in ("fifo", "lfu", "mru"):
            assert best.sum() >= sum(evict_leaves(requests, capacity, page, generated, policy))


@pytest.mark.parametrize(("capacity", "hits"), [(3, 0), (4, 4), (7, 4), (8, 8)])
def test_a_part_of_a_page_holds_nothing(capacity: int, hits: int) -> None:
    runs = runs_of(of("abcdefgh", "abcdefgh"), 4, False)
    assert min_hits(runs, 2, capacity).tolist() == hits_at(runs, 2, capacity).tolist() == [0, hits]


@untimed
@given(workloads(), PAGES, st.booleans())
def test_the_curve_rises_from_nothing_to_the_infinite_cache(
    requests: list[Request], page: int, generated: bool
) -> None:
    runs = runs_of(requests, page, generated)
    n = len(requests)
    capacities = [0, 1, 3, 6, 10, 20, 10**9]
    totals = min_curve(runs, n, capacities)
    assert totals.tolist() == [int(min_hits(runs, n, c).sum()) for c in capacities]
    assert bool(np.all(np.diff(totals) >= 0))
    assert totals[0] == 0
    assert totals[-1] == infinite_hits(runs, n).sum()


@untimed
@given(workloads(), st.booleans(), st.integers(0, 30))
def test_hits_can_be_reached(requests: list[Request], generated: bool, capacity: int) -> None:
    """Replay the choice: keep each request's hits from their last touch on, and count what is held."""
    runs = runs_of(requests, 1, generated)
    hits = min_hits(runs, len(requests), capacity)
    held = np.zeros(len(requests) + 1, np.int64)
    for k in range(len(runs)):
        kept = int(np.clip(hits[runs.request[k]] - runs.lo[k], 0, runs.hi[k] - runs.lo[k]))
        held[runs.last_request[k]] += kept
        held[runs.request[k]] -= kept
    assert int(np.cumsum(held).max()) <= capacity


def test_min_sees_the_scan_coming() -> None:
    """A loop over three prompts of four tokens in a cache of eight: LRU gets nothing, MIN keeps two alive."""
    requests = of(*["aaaa", "bbbb", "cccc"] * 4)
    runs = runs_of(requests, 1, False)
    assert hits_at(runs, 12, 8).sum() == 0
    assert min_hits(runs, 12, 8).sum() == 2 * 3 * 4
    assert min_hits(runs, 12, 12).sum() == 36


def test_a_prompt_larger_than_the_cache_is_served_and_leaves_its_head() -> None:
    runs = runs_of(of("abcdefgh", "abcdefgh"), 1, False)
    assert min_hits(runs, 2, 3).tolist() == hits_at(runs, 2, 3).tolist() == [0, 3]


def test_min_may_decline_to_keep() -> None:
    """`xyzw` is never used again: keeping it would push out `abcd`."""
    runs = runs_of(of("abcd", "xyzw", "abcd"), 1, False)
    assert min_hits(runs, 3, 4).tolist() == [0, 0, 4]


def test_min_needs_requests_that_touch_what_they_look_up() -> None:
    forest, lookup, _ = tables(of("ab", "abcd")).place()
    runs = reuse_runs(forest, lookup, lookup[::-1].copy())
    assert not runs.covering
    with pytest.raises(ValueError, match="touch all"):
        min_hits(runs, 2, 4)
    with pytest.raises(ValueError, match="negative"):
        min_hits(reuse_runs(forest, lookup), 2, -1)
