"""llama.cpp's slots against a literal simulator on token lists, and the worked examples of its page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.engine import Replay, Setup, Tier
from cachelens.simulate.engines.llamacpp import Llamacpp
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload
from tests.simulate.tables import rows
from tests.simulate.workloads import Call, calls, work_of

PAGE = Path(__file__).parents[3] / "docs" / "engines" / "llamacpp.md"


class Slot:
    def __init__(self) -> None:
        self.tokens: list[object] = []
        self.last_used = -1
        self.request: int | None = None


def lcp(a: list[object], b: list[object]) -> int:
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return same


class Literal:
    """get_available_slot, server_prompt_cache and the launch of a task, on lists of tokens."""

    def __init__(
        self,
        given_calls: list[Call],
        capacity: int | None,
        slots: int,
        unified: bool,
        similarity: float,
        ram: int,
        cache_idle: bool,
    ) -> None:
        self.calls = given_calls
        self.slots = [Slot() for _ in range(slots)]
        self.pool = capacity if unified else None
        self.n_ctx = 10**9 if capacity is None else capacity if unified else capacity // slots
        self.unified, self.similarity, self.ram = unified, similarity, ram
        self.cache_idle = cache_idle and ram > 0
        self.states: list[list[object]] = []
        self.clock = 0
        self.from_ram = [0] * len(given_calls)
        self.evicted_tokens = 0

    def prompt(self, request: int) -> list[object]:
        call = self.calls[request]
        return [(call.namespace, token) for token in call.prompt]

    def kept(self, request: int) -> list[object]:
        call = self.calls[request]
        text = self.prompt(request) + [(call.namespace, token) for token in call.output[:-1]]
        return text[: max(self.n_ctx - 1, len(call.prompt))]

    def fits(self, request: int) -> bool:
        return len(self.prompt(request)) < self.n_ctx

    def alloc(self, tokens: list[object]) -> None:
        if not tokens or any(lcp(state, tokens) == len(tokens) for state in self.states):
            return
        if len(tokens) > self.ram:
            return
        self.states = [state for state in self.states if lcp(state, tokens) < len(state)]
        while self.states and sum(map(len, self.states)) + len(tokens) > self.ram:
            self.states.pop(0)
        self.states.append(tokens)

    def held(self, slot: Slot) -> int:
        return len(slot.tokens) if slot.request is None else len(self.kept(slot.request))

    def start(self, request: int) -> int | None:
        tokens = self.prompt(request)
        idle = [slot for slot in self.slots if slot.request is None]
        if not idle:
            return None
        busy = sum(self.held(slot) for slot in self.slots if slot.request is not None)
        if self.pool is not None and busy + len(self.kept(request)) > self.pool:
            return None
        chosen, best, update = None, np.float32(0), False
        if self.similarity:
            for slot in idle:
                if slot.tokens:
                    similar = np.float32(lcp(slot.tokens, tokens)) / np.float32(len(tokens))
                    if similar > best and similar > np.float32(self.similarity):
                        chosen, best = slot, similar
            if chosen is not None:
                keep = best * np.float32(len(tokens)) / np.float32(len(chosen.tokens))
                update = bool(keep < np.float32(0.5))
        if chosen is None:
            oldest = min(slot.last_used for slot in idle)
            chosen = [slot for slot in idle if slot.last_used == oldest][-1]
            update = True
        loaded = False
        if update and self.ram:
            self.alloc(chosen.tokens)
            common = lcp(chosen.tokens, tokens)
            f_keep = common / len(chosen.tokens) if chosen.tokens else -1.0
            f_sim = common / len(tokens)
            found = None
            for state in self.states:
                common = lcp(state, tokens)
                keep_cur, sim_cur = common / len(state), common / len(tokens)
                if keep_cur >= 0.25 and f_keep < keep_cur and f_sim < sim_cur:
                    f_keep, f_sim, found = keep_cur, sim_cur, state
            if found is not None:
                others = sum(self.held(slot) for slot in self.slots if slot is not chosen)
                if self.pool is None or others + len(found) <= self.pool:
                    self.states = [state for state in self.states if state is not found]
                    chosen.tokens, loaded = found, True
                else:
                    chosen.tokens = []
        n_past = min(lcp(chosen.tokens, tokens), len(tokens) - 1)
        if loaded:
            self.from_ram[request] = n_past
        chosen.tokens, chosen.request = tokens, request
        if self.cache_idle:
            for slot in self.slots:
                if slot.request is None:
                    self.alloc(slot.tokens)
                    if self.unified:
                        slot.tokens = []
        while self.pool is not None and sum(map(self.held, self.slots)) > self.pool:
            next(slot for slot in self.slots if slot.request is None and slot.tokens).tokens = []
        return n_past

    def finish(self, request: int) -> None:
        slot = next(slot for slot in self.slots if slot.request == request)
        self.clock += 1
        slot.request, slot.last_used, slot.tokens = None, self.clock, self.kept(request)

    def lookup(self, request: int) -> int:
        raise NotImplementedError


def play(work: Workload, capacity: int | None = None, ram: int = 0, **options: object) -> Replay:
    return engine(work, capacity, ram, **options).replay()


def engine(work: Workload, capacity: int | None = None, ram: int = 0, **options: object) -> Llamacpp:
    setup = Setup(
        capacity_tokens=capacity,
        tiers=(Tier("ram", ram),) if ram else (),
        options={name: str(value).lower() for name, value in options.items()},
    )
    return Llamacpp(work, setup)


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        return work_of(given_calls, Path(folder))


@settings(max_examples=200, deadline=None)
@given(
    st.booleans().flatmap(lambda timed: calls(timed=timed, most=30)),
    st.sampled_from([None, 12, 20, 40, 90]),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0, 10, 25, 60, 10**6]),
    st.booleans(),
)
def test_equals_the_literal_simulator(
    given_calls: list[Call],
    capacity: int | None,
    slots: int,
    unified: bool,
    similarity: float,
    ram: int,
    cache_idle: bool,
) -> None:
    work = built(given_calls)
    literal = Literal(given_calls, capacity, slots, unified, similarity, ram, cache_idle)
    expected = serve(work, literal)
    real = engine(
        work,
        capacity,
        ram,
        slots=slots,
        unified=unified,
        slot_prompt_similarity=similarity,
        cache_idle_slots=cache_idle,
    )
    replay = real.replay()
    assert replay.hit.tolist() == expected.hit.tolist()
    assert replay.waited == expected.waited
    assert replay.rejected is not None
    assert expected.rejected is not None
    assert replay.rejected.tolist() == expected.rejected.tolist()
    if ram:
        assert replay.tiers["ram"].tolist() == literal.from_ram
        assert real.ram is not None
        assert [entry.tokens for entry in real.ram.entries] == [len(state) for state in literal.states]
    assert [slot.text.tokens for slot in real.slots] == [len(slot.tokens) for slot in literal.slots]


@settings(max_examples=60, deadline=None)
@given(calls(most=20), st.sampled_from([None, 40]), st.sampled_from([0, 25]))
def test_a_lookup_says_what_a_start_serves_and_changes_nothing(
    given_calls: list[Call], capacity: int | None, ram: int
) -> None:
    work = built(given_calls)
    asked = engine(work, capacity, ram, slots=2)
    for request in range(len(work)):
        if asked.fits(request):
            before = asked.lookup(request)
            assert asked.lookup(request) == before
            assert asked.start(request) == before
            asked.finish(request)


@settings(max_examples=40, deadline=None)
@given(calls(most=20), st.integers(20, 80), st.integers(10, 60))
def test_every_token_is_hit_computed_or_accounted_for(
    given_calls: list[Call], capacity: int, ram: int
) -> None:
    """What was computed is in a slot, was dropped, or is held twice: never more was dropped than computed."""
    work = built(given_calls)
    replay = play(work, capacity, ram, slots=2)
    assert replay.rejected is not None
    computed = (work.kept_tokens - replay.hit)[~replay.rejected].sum()
    # A sequence is copied whole into RAM, at most once when it leaves a slot: twice what was in slots.
    assert 0 <= replay.evicted_tokens <= 2 * work.kept_tokens.sum()
    assert computed >= 0


def test_one_slot_keeps_one_sequence(tmp_path: Path) -> None:
    a, b = list(range(10)), list(range(100, 110))
    work = work_of([Call(a), Call(b), Call(a)], tmp_path)
    assert play(work, slots=1).hit.tolist() == [0, 0, 0]
    assert play(work, slots=2).hit.tolist() == [0, 0, 9]
    assert play(work, slots=1).notes[0].startswith("no RAM prompt cache")
    swapped = play(work, slots=1, ram=100)
    assert swapped.hit.tolist() == [0, 0, 9]
    assert swapped.tiers["ram"].tolist() == [0, 0, 9]
    assert swapped.notes == ()
    assert play(work, slots=1, ram=9).hit.tolist() == [0, 0, 0]  # no sequence fits into RAM


def test_a_fork_overwrites_its_sibling(tmp_path: Path) -> None:
    stem = list(range(10))
    first, second = [*stem, *range(50, 55)], [*stem, *range(70, 75)]
    work = work_of([Call(first), Call(second), Call(first)], tmp_path)
    # Two slots do not help: the slot with the stem is the most similar one each time.
    assert play(work, slots=2).hit.tolist() == [0, 10, 10]
    assert work.reusable().tolist() == [0, 10, 15]


def test_a_prompt_that_fills_its_context_is_rejected(tmp_path: Path) -> None:
    work = work_of([Call(list(range(10))), Call(list(range(9)), output=[1, 2, 3])], tmp_path)
    replay = play(work, 10)
    assert replay.rejected is not None
    assert replay.rejected.tolist() == [True, False]
    assert "1 responses would have been cut off where the context ends" in replay.notes
    apart = play(work, 40, unified=False)
    assert apart.rejected is not None
    assert apart.rejected.tolist() == [True, False]
    roomy = play(work, 44, unified=False)
    assert roomy.rejected is not None
    assert not roomy.rejected.any()


def test_requests_wait_for_a_slot(tmp_path: Path) -> None:
    work = work_of(
        [
            Call([1] * 5, start=0, duration=10),
            Call([2] * 5, start=1, duration=1),
            Call([1] * 5, start=2, duration=1),
        ],
        tmp_path,
    )
    assert play(work, slots=1).waited == 2
    both = play(work, slots=2)
    assert both.waited == 0
    assert both.hit.tolist() == [0, 0, 0]  # the first still runs: its slot is busy


@pytest.mark.parametrize(
    ("capacity", "options"),
    [(None, {"slots": 0}), (None, {"slot_prompt_similarity": 1.5}), (3, {"slots": 4, "unified": False})],
)
def test_what_cannot_be(capacity: int | None, options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        play(work_of([Call([1])], tmp_path), capacity, **options)


def test_relaxed_lifts_what_there_is() -> None:
    assert Llamacpp.relaxed(Setup()) == ()
    ((outcome, setup),) = Llamacpp.relaxed(Setup(capacity_tokens=9, tiers=(Tier("ram", 5),)))
    assert outcome == "capacity"
    assert setup.capacity_tokens is None
    assert setup.tiers[0].capacity_tokens > 10**12
    assert Llamacpp.relaxed(setup) == ()


def test_the_worked_example_of_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = rows(text, "llamacpp")
    assert found
    for options, given_calls, table in found:
        ram = int(options.pop("ram", 0))
        capacity = options.pop("capacity", None)
        replay = play(built(given_calls), None if capacity is None else int(capacity), ram, **options)
        assert [int(row["hit"]) for row in table] == replay.hit.tolist()
        if ram:
            assert [int(row["from RAM"]) for row in table] == replay.tiers["ram"].tolist()
