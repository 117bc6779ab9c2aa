"""The smallest capacity that does: exact for the stack, bracketed by replays for the others."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.simulate.engine import Engine, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.smallest import _lost, smallest_capacity
from cachelens.simulate.workload import Workload
from tests.simulate.workloads import Call, calls, work_of

SERVERS = [name for name in ENGINES if ENGINES.load(name).facts.kind == "server"]


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        return work_of(given_calls, Path(folder))


def lost(engine: type[Engine], work: Workload, setup: Setup) -> int:
    """Tokens that are served without a bound of capacity, and not with it."""
    ((_, free),) = engine.relaxed(setup)
    most = np.minimum(engine(work, free).replay().hit, work.reusable())
    return sum(max(a - b, 0) for a, b in zip(most, engine(work, setup).replay().hit, strict=True))


@settings(max_examples=120, deadline=None)
@given(
    calls(),
    st.integers(1, 60),
    st.sampled_from([1, 1, 2, 4]),
    st.integers(0, 9),
    st.sampled_from([0.1, 0.9, 1.0]),
)
def test_of_the_stack_one_page_less_does_not_do(
    given_calls: list[Call], capacity: int, page: int, tier: int, share: float
) -> None:
    work, engine = built(given_calls), ENGINES.load("lru")
    setup = Setup(max(capacity, page), page, tiers=(Tier("host", tier),) if tier else ())
    found = smallest_capacity(engine, work, setup, share)
    before = lost(engine, work, setup)
    if found is None:
        assert before == 0
        return
    at = replace(setup, capacity_tokens=found.capacity_tokens)
    assert found.lost_tokens == before
    assert found.removed_tokens == before - lost(engine, work, at) >= share * before
    assert found.hit_tokens == engine(work, at).replay().hit.sum()
    less = found.capacity_tokens - page
    assert found.fails_at_tokens == less >= (setup.capacity_tokens or 0) // page * page
    if less >= page:
        assert before - lost(engine, work, replace(setup, capacity_tokens=less)) < share * before


@pytest.mark.parametrize("name", SERVERS)
@settings(max_examples=25, deadline=None)
@given(calls(), st.integers(20, 60), st.sampled_from([1, 4]), st.integers(1, 12))
def test_of_servers_the_answer_was_replayed_and_the_bracket_too(
    name: str, given_calls: list[Call], capacity: int, page: int, replays: int
) -> None:
    work, engine = built(given_calls), ENGINES.load(name)
    known = engine.facts
    page = page if not known.page_sizes or page in known.page_sizes else known.page_sizes[0]
    tiers = (Tier("host", 8),) if known.tiers else ()
    setup = Setup(capacity, page, tiers=tiers)
    found = smallest_capacity(engine, work, setup, 0.9, replays)
    before = lost(engine, work, setup)
    if found is None:
        return
    assert found.replays <= replays
    assert found.capacity_tokens > found.fails_at_tokens >= capacity // page * page
    at = replace(setup, capacity_tokens=found.capacity_tokens)
    assert found.lost_tokens == before
    assert found.removed_tokens == before - lost(engine, work, at) >= 0.9 * before
    assert found.hit_tokens == engine(work, at).replay().hit.sum()
    below = replace(setup, capacity_tokens=found.fails_at_tokens)
    assert before - lost(engine, work, below) < 0.9 * before
    if found.replays < replays:
        assert found.capacity_tokens - found.fails_at_tokens == page


@pytest.mark.parametrize("name", ["sglang", "vllm", "lru"])
def test_two_prompts_in_turn_need_room_for_both(name: str, tmp_path: Path) -> None:
    a, b = [1] * 100, [2] * 100
    work = work_of([Call(a), Call(b)] * 4, tmp_path)
    engine = ENGINES.load(name)
    found = smallest_capacity(engine, work, Setup(110, 1))
    assert found is not None
    # At 100 + x the older prompt keeps x tokens: 10 of 100 now, 81 more of 90 are nine tenths. SGLang drops
    # whole prompts, and wants room for the last token, computed again, beside both.
    assert found.capacity_tokens == {"sglang": 201, "vllm": 191, "lru": 191}[name]
    assert found.fails_at_tokens == found.capacity_tokens - 1


def test_what_one_request_gains_makes_up_for_no_other() -> None:
    assert _lost(np.array([5, 5, 2]), np.array([9, 0, 2])) == 5


def test_nothing_to_remove(tmp_path: Path) -> None:
    work = work_of([Call([1] * 10), Call([1] * 10)], tmp_path)
    lru = ENGINES.load("lru")
    assert smallest_capacity(lru, work, Setup(50)) is None
    assert smallest_capacity(lru, work, Setup()) is None
    assert smallest_capacity(ENGINES.load("anthropic"), work, Setup()) is None
    with pytest.raises(ValueError, match="share"):
        smallest_capacity(lru, work, Setup(50), 0.0)
    with pytest.raises(ValueError, match="replay"):
        smallest_capacity(lru, work, Setup(50), replays=0)
