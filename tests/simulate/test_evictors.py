"""Who pushed it out: what holds for every engine, and for requests that run at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.prefix.paths import page_ids
from cachelens.prefix.runs import ReuseRuns
from cachelens.simulate.engine import Engine, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.fleet import Fleet
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload
from tests.simulate.explained import built, evictors, play
from tests.simulate.golden import golden_workload, recordings
from tests.simulate.workloads import Call, calls, work_of

SERVERS = [name for name in ENGINES if ENGINES.load(name).facts.kind == "server"]
RECORDED = Path(__file__).parent / "engines" / "recorded"


# At the same time


class Observed:
    """An engine whose pages are compared before and after each step, whatever else runs."""

    def __init__(self, engine: Any, work: Workload, page: int) -> None:
        self.engine, self.work, self.page = engine, work, page
        self.paths = work.paths(page)
        self.lost: dict[int, int] = {}
        self.evictor = [-1] * len(work)

    @property
    def evicted_tokens(self) -> int:
        return int(self.engine.evicted_tokens)

    def held(self) -> set[int]:
        if not self.paths.size:
            return set()  # no prompt fills a page
        if hasattr(self.engine, "pool"):
            cached = self.engine.pool._cached.reshape(-1, self.paths.size).any(axis=0)
            return set(np.flatnonzero(cached).tolist())
        nodes = self.engine.tree._first.values()
        return {
            page for one in nodes for page in page_ids(one.ranges, one.start)[: one.end - one.start].tolist()
        }

    def fits(self, request: int) -> bool:
        return bool(self.engine.fits(request))

    def lookup(self, request: int) -> int:
        raise NotImplementedError

    def start(self, request: int) -> int | None:
        before, then = self.held(), dict(self.lost)
        hit: int | None = self.engine.start(request)
        if hit is not None:
            limit = (int(self.work.prompt_tokens[request]) - 1) // self.page
            if hit // self.page < limit:
                path = page_ids(self.paths.ranges(int(self.work.prompt[request]), limit))
                self.evictor[request] = then.get(int(path[hit // self.page]), -1)
        self.note(before, request)
        return hit

    def finish(self, request: int) -> None:
        before = self.held()
        self.engine.finish(request)
        self.note(before, request)

    def note(self, before: set[int], request: int) -> None:
        for page in before - self.held():
            self.lost[page] = request


@pytest.mark.parametrize("name", ["sglang", "vllm"])
@settings(max_examples=100, deadline=None)
@given(calls(timed=True), st.integers(16, 50), st.sampled_from([1, 1, 4]))
def test_requests_that_overlap_page_by_page(
    name: str, given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls, timed=True)
    kind: type[Engine] = ENGINES.load(name)
    observed = Observed(kind(work, Setup(capacity, page)), work, page)
    expected = serve(work, observed)
    replay = play(name, work, Setup(capacity, page))
    assert replay.hit.tolist() == expected.hit.tolist()
    assert evictors(replay) == observed.evictor


@pytest.mark.parametrize(("name", "page"), [("sglang", 1), ("hicache", 1), ("vllm", 1), ("tensorrt-llm", 2)])
def test_what_a_request_generates_pushes_out_in_its_name(name: str, page: int, tmp_path: Path) -> None:
    work = work_of(
        [
            Call([1] * 8, start=0, duration=1),
            Call([2] * 5, [7] * 15, start=2, duration=10),
            Call([3] * 3, start=5, duration=1),
            Call([1] * 8, start=20, duration=1),
        ],
        tmp_path,
    )
    tiers = (Tier("host", 0),) if name == "hicache" else ()
    replay = play(name, work, Setup(26, page, tiers=tiers))
    assert evictors(replay) == [-1, -1, -1, 1]  # not 2, which started last


def test_lru_over_a_part_of_the_trace_keeps_the_numbers_of_the_whole(tmp_path: Path) -> None:
    a, b = [1] * 40, [2] * 40
    work = work_of([Call([5]), Call(a), Call([6]), Call(b), Call(a)], tmp_path)
    part = work.only(np.array([1, 3, 4]))
    assert evictors(play("lru", part, Setup(50))) == [-1, -1, -1, -1, 3]


# All of them


def setup_of(name: str, capacity: int, page: int) -> Setup:
    known = ENGINES.load(name).facts
    if known.page_sizes and page not in known.page_sizes:
        page = known.page_sizes[0]
    tiers = (Tier("host", capacity),) if name in ("lmcache", "mooncake-store", "hicache") else ()
    options = {"chunk_size": str(page)} if name == "lmcache" else {}
    if name == "hicache":
        options = {"load_back_threshold": "1"}
    return Setup(capacity, page, tiers=tiers, options=options)


@pytest.mark.parametrize("name", [*SERVERS, "lru"])
@settings(max_examples=40, deadline=None)
@given(calls(), st.integers(20, 90), st.sampled_from([1, 4]))
def test_an_evictor_came_between_the_last_use_and_the_miss(
    name: str, given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    setup = setup_of(name, capacity, page)
    replay = play(name, work, setup)
    if replay.rejected is not None and replay.rejected.any():
        return  # what was rejected used nothing
    page = setup.page_size or 1
    by_block = name not in ("tensorrt-llm", "llamacpp")  # others find parts of blocks
    runs = work.runs(page if by_block else 1)
    for request, evictor in enumerate(evictors(replay)):
        if evictor >= 0:
            last = last_use_of(runs, request, int(replay.hit[request]))
            assert 0 <= last <= evictor <= request


def last_use_of(runs: ReuseRuns, request: int, depth: int) -> int:
    rows = zip(runs.request, runs.lo, runs.hi, runs.last_request, strict=True)
    return next((int(last) for one, lo, hi, last in rows if one == request and lo <= depth < hi), -1)


@pytest.mark.parametrize("name", ["sglang", "vllm", "lru", "hicache", "lmcache", "mooncake-store"])
@settings(max_examples=60, deadline=None)
@given(calls(), st.integers(20, 90), st.sampled_from([1, 4]))
def test_there_is_an_evictor_exactly_where_a_cache_without_bounds_serves_more(
    name: str, given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    setup = setup_of(name, capacity, page)
    replay = play(name, work, setup)
    if replay.rejected is not None and replay.rejected.any():
        return  # what was rejected left nothing that could be evicted
    ((_, free),) = ENGINES.load(name).relaxed(setup)
    unlimited = play(name, work, free)
    assert set(evictors(unlimited)) == {-1}
    # The store alone keeps no generated text; the device does, which unlimited keeps all of it.
    lost = unlimited.hit > replay.hit
    assert [one >= 0 for one in evictors(replay)] == lost.tolist()


@pytest.mark.parametrize("name", list(ENGINES))
@settings(max_examples=15, deadline=None)
@given(calls(timed=True), st.integers(20, 90))
def test_explaining_changes_no_figure(name: str, given_calls: list[Call], capacity: int) -> None:
    work = built(given_calls, timed=True)
    known = ENGINES.load(name).facts
    sized = known.sized and known.kind != "api"
    setup = setup_of(name, capacity, 4) if sized else Setup()
    plain = ENGINES.load(name)(work, setup).replay()
    told = play(name, work, setup)
    assert plain.evictor is None
    assert plain.idle_us is None
    assert (told.evictor is not None) == (name in SERVERS or name == "lru")
    assert (told.idle_us is not None) == (known.kind == "api")
    assert told.hit.tolist() == plain.hit.tolist()
    assert told.evicted_tokens == plain.evicted_tokens
    assert {k: v.tolist() for k, v in told.tiers.items()} == {k: v.tolist() for k, v in plain.tiers.items()}
    if told.evictor is not None:
        assert (told.evictor < len(work)).all()
        assert (told.evictor >= -1).all()
        if told.rejected is not None:
            assert (told.evictor[told.rejected] == -1).all()


@pytest.mark.parametrize("recording", recordings(RECORDED)[::7], ids=lambda one: one.path.name)
def test_recorded_answers_are_the_same_when_explained(recording: Any) -> None:
    work = golden_workload(recording.workload, recording.setup.policy == "priority")
    replay = play(recording.engine, work, recording.setup)
    assert replay.hit.tolist() == recording.hits().tolist()
    assert max(evictors(replay)) >= 0


def test_the_request_that_came_between_is_named(tmp_path: Path) -> None:
    a, b, c = ([one] * 40 for one in (1, 2, 3))
    work = work_of([Call(a), Call(b), Call(c), Call(a), Call([9] * 5), Call(a)], tmp_path)
    # Room for two of them: c pushes out a, whose return pushes out b; small ones fit beside.
    for name in (*SERVERS, "lru"):
        if name == "llamacpp":
            continue
        tiers = (Tier("host", 1),) if name in ("lmcache", "mooncake-store") else ()
        page = 2 if name == "tensorrt-llm" else 1
        if name == "hicache":
            tiers = (Tier("host", 0),)
        replay = play(name, work, Setup(90, page, tiers=tiers))
        assert evictors(replay) == [-1, -1, -1, 2, -1, -1], name
    slots = play("llamacpp", work, Setup(options={"slots": "2"}))
    assert evictors(slots) == [-1, -1, -1, 2, -1, -1]  # a slot each: the small one takes that of c


def test_a_fleet_names_requests_of_the_whole_trace(tmp_path: Path) -> None:
    a, b = [1] * 40, [2] * 40
    work = work_of([Call(one) for one in (a, a, b, b, a, a)], tmp_path)
    fleet = Fleet(ENGINES.load("vllm"), work, Setup(60, 1, explain=True), 2)
    assert evictors(fleet.replay()) == [-1, -1, -1, -1, 2, 3]
    assert Fleet(ENGINES.load("vllm"), work, Setup(60, 1), 2).replay().evictor is None
