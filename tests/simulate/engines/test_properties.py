"""What must hold of every engine, whatever it models."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.prefix.minimum import min_hits
from cachelens.simulate.engine import Engine, Replay, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload
from tests.simulate.workloads import Call, calls, work_of

NAMES = list(ENGINES)
#: Engines whose tier has no default size.
NEED_TIER = {"lmcache", "mooncake-store"}
SERVERS = [name for name in NAMES if ENGINES.load(name).facts.kind == "server"]


def run(
    name: str, work: Workload, capacity: int | None = None, page: int | None = None, **more: object
) -> Replay:
    engine: type[Engine] = ENGINES.load(name)
    if page is not None and engine.facts.page_sizes and page not in engine.facts.page_sizes:
        page = None
    if page is None and capacity is not None and capacity < engine.facts.page_size:
        page = engine.facts.page_sizes[0]
    if not engine.facts.sized or engine.facts.kind == "api":
        capacity = None
    if name in NEED_TIER and capacity is not None and not more.get("tiers"):
        more["tiers"] = (Tier("host", 2 * capacity),)
    return engine(work, Setup(capacity_tokens=capacity, page_size=page, **more)).replay()  # type: ignore[arg-type]


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        return work_of(given_calls, Path(folder))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(calls(timed=True), st.integers(20, 120))
def test_no_more_than_an_infinite_cache_and_never_more_than_the_prompt(
    name: str, given_calls: list[Call], capacity: int
) -> None:
    work = built(given_calls)
    replay = run(name, work, capacity)
    keeps = ENGINES.load(name).facts.keeps_output
    assert (replay.hit >= 0).all()
    assert (replay.hit <= work.prompt_tokens).all()
    assert (replay.hit <= work.reusable(1, keeps)).all()
    slower = sum(replay.tiers.values(), np.zeros(len(work), dtype=np.int64))
    assert (slower <= replay.hit).all()
    written = (0 if replay.written_5m is None else replay.written_5m) + (
        0 if replay.written_1h is None else replay.written_1h
    )
    assert (replay.hit + written <= work.prompt_tokens).all()
    if replay.rejected is not None:
        assert (replay.hit[replay.rejected] == 0).all()


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("page", [1, 4])
@settings(max_examples=30, deadline=None)
@given(calls(), st.integers(20, 120))
def test_no_server_beats_perfect_eviction(
    name: str, page: int, given_calls: list[Call], capacity: int
) -> None:
    work = built(given_calls)
    tiers = (Tier("host", 30),) if ENGINES.load(name).facts.tiers else ()
    replay = run(name, work, capacity, page, tiers=tiers)
    # What the device and the tiers could hold together, token by token, evicted perfectly.
    best = min_hits(work.runs(1), len(work), capacity + sum(tier.capacity_tokens for tier in tiers))
    assert replay.hit.sum() <= best.sum()


@pytest.mark.parametrize("name", ["sglang", "vllm"])
@pytest.mark.parametrize("page", [1, 4])
@settings(max_examples=40, deadline=None)
@given(calls())
def test_unlimited_equals_the_infinite_cache_up_to_pages_and_the_last_token(
    name: str, page: int, given_calls: list[Call]
) -> None:
    work = built(given_calls)
    most = np.minimum(work.reusable(page), (work.prompt_tokens - 1) // page * page)
    assert run(name, work, None, page).hit.tolist() == most.tolist()
    # What does not fit is never needed: a cache as large as everything sent is unlimited.
    everything = int(work.prompt_tokens.sum() + work.output_tokens.sum()) + (2 * len(work) + 2) * page
    assert run(name, work, everything, page).hit.tolist() == most.tolist()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(calls(timed=True), st.integers(20, 120), st.permutations([11, 5, 90]))
def test_token_ids_are_only_names(
    name: str, given_calls: list[Call], capacity: int, names: list[int]
) -> None:
    renamed = [
        call._replace(prompt=[names[t] for t in call.prompt], output=[names[t] for t in call.output])
        for call in given_calls
    ]
    before, after = run(name, built(given_calls), capacity), run(name, built(renamed), capacity)
    assert before.hit.tolist() == after.hit.tolist()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(calls(most=10))
def test_namespaces_never_share(name: str, given_calls: list[Call]) -> None:
    apart = [call._replace(namespace=f"n{number}") for number, call in enumerate(given_calls)]
    assert run(name, built(apart)).hit.sum() == 0


@pytest.mark.parametrize("policy", ENGINES.load("sglang").facts.policies)
@settings(max_examples=20, deadline=None)
@given(calls(timed=True), st.integers(20, 80))
def test_running_requests_never_hold_more_than_there_is(
    policy: str, given_calls: list[Call], capacity: int
) -> None:
    work = built(given_calls)
    engine = ENGINES.load("sglang")(work, Setup(capacity_tokens=capacity, policy=policy))
    engine.replay()
    assert engine.tree.pages <= capacity
    pool = ENGINES.load("vllm")(work, Setup(capacity_tokens=capacity, page_size=1))
    pool.replay()
    assert pool.pool.free == capacity


def test_a_request_that_never_fits_is_rejected_and_leaves_nothing(tmp_path: Path) -> None:
    work = work_of([Call([1] * 50), Call([1] * 10), Call([1] * 10)], tmp_path)
    for name in ("sglang", "vllm"):
        replay = run(name, work, 20, 1)
        assert replay.rejected is not None
        assert replay.rejected.tolist() == [True, False, False]
        assert replay.hit.tolist() == [0, 0, 9]


def test_requests_that_overlap_pin_what_they_use_and_make_others_wait(tmp_path: Path) -> None:
    long = [
        Call([1] * 8, start=0, duration=10),
        Call([2] * 8, start=1, duration=1),
        Call([1] * 8, start=20, duration=1),
    ]
    work = work_of(long, tmp_path)
    replay = run("sglang", work, 12)
    assert replay.waited == 1  # the second needs 8 of 12 while the first holds 8
    # It starts when the first ends, and evicts it then: the third finds nothing but what is left.
    assert replay.hit.tolist() == [0, 0, 0]
    assert run("sglang", work, 16).hit.tolist() == [0, 0, 7]
