"""LMCache against a literal simulator on token lists, and the worked example of its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.chunk_store import ChunkStore
from cachelens.simulate.engine import Replay, Setup, Tier
from cachelens.simulate.engines.lmcache import Lmcache
from cachelens.simulate.engines.vllm import Vllm
from cachelens.simulate.workload import Workload
from tests.simulate.engines.stores import Device, Key, built, kept, key
from tests.simulate.workloads import Call, calls, work_of

POLICIES = ("LRU", "LFU", "FIFO", "MRU")


class Literal:
    """local_cpu_backend.py and its policies, and what the adapter for vLLM asks of them."""

    def __init__(self, device: Device, chunk: int, room: int, policy: str, decode: bool) -> None:
        self.device, self.chunk, self.policy, self.decode = device, chunk, policy, decode
        self.memory = room
        self.hot: list[Key] = []  # in the order of the policy's dictionary
        self.frequency: dict[Key, int] = {}
        self.arrival: dict[Key, int] = {}  # when it got to that frequency
        self.clock = 0

    def mark(self, one: Key, frequency: int) -> None:
        self.clock += 1
        self.frequency[one], self.arrival[one] = frequency, self.clock

    def on_hit(self, one: Key) -> None:
        if self.policy in ("LRU", "MRU"):
            self.hot.remove(one)
            self.hot.append(one)
        self.mark(one, self.frequency[one] + 1)

    def candidate(self) -> Key:
        if self.policy == "LFU":
            return min(self.hot, key=lambda one: (self.frequency[one], self.arrival[one]))
        return self.hot[-1] if self.policy == "MRU" else self.hot[0]

    def allocate(self) -> bool:
        while self.memory == 0:
            if not self.hot:
                return False
            self.hot.remove(self.candidate())
            self.memory += 1
        self.memory -= 1
        return True

    def store(self, keys: list[Key]) -> None:
        objects = []
        for one in keys:
            if not self.allocate():
                break
            objects.append(one)
        for one in objects:
            if one in self.hot:
                self.memory += 1
            else:
                self.hot.append(one)
                self.mark(one, 1)

    def serve(self, call: Call) -> tuple[int, int]:
        """Tokens served and, of those, loaded."""
        chunk, prompt = self.chunk, len(call.prompt)
        computed = self.device.serve(call)
        keys = [key(call, end) for end in range(chunk, kept(call) + 1, chunk)]
        prompt_keys = keys[: prompt // chunk]
        found: list[Key] = []
        for one in prompt_keys:
            if one not in self.hot:
                break
            found.append(one)
        for one in reversed(found):
            self.on_hit(one)
        external = len(found) * chunk
        need = external - computed
        if external == prompt:
            need -= 1
        self.store(prompt_keys[len(found) :])
        if self.decode:
            for one in keys[prompt // chunk :]:
                self.store([one])
        return computed + max(need, 0), max(need, 0)


def replayed(work: Workload, capacity: int | None, page: int, host: int | None, **options: str) -> Replay:
    tiers = () if host is None else (Tier("host", host),)
    return Lmcache(work, Setup(capacity, page, tiers=tiers, options=options)).replay()


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=40, deadline=None)
@given(
    calls(),
    st.integers(20, 60),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 60),
    st.integers(1, 6),
    st.booleans(),
)
def test_equal_to_a_literal_simulator(
    policy: str, given_calls: list[Call], capacity: int, page: int, host: int, chunk: int, decode: bool
) -> None:
    work = built(given_calls)
    options = {"chunk_size": str(chunk), "cache_policy": policy, "save_decode_cache": str(decode).lower()}
    replay = replayed(work, capacity, page, host, **options)
    device = Device(page, capacity)
    literal = Literal(device, chunk, host // chunk, policy, decode)
    told = [literal.serve(call) if device.fits(call) else (0, 0) for call in given_calls]
    assert replay.hit.tolist() == [hit for hit, _ in told]
    assert replay.tiers["host"].tolist() == [loaded for _, loaded in told]


@settings(max_examples=60, deadline=None)
@given(calls(timed=True), st.integers(20, 120), st.sampled_from([1, 4]), st.integers(1, 9))
def test_a_store_of_less_than_a_chunk_is_plain_vllm(
    given_calls: list[Call], capacity: int, page: int, chunk: int
) -> None:
    work = built(given_calls)
    replay = replayed(work, capacity, page, chunk - 1, chunk_size=str(chunk))
    plain = Vllm(work, Setup(capacity, page)).replay()
    assert replay.hit.tolist() == plain.hit.tolist()
    assert replay.tiers["host"].sum() == 0
    assert replay.evicted_tokens == plain.evicted_tokens


@settings(max_examples=25, deadline=None)
@given(calls(), st.integers(60, 120), st.sampled_from([1, 4]), st.integers(1, 6))
def test_an_unlimited_store_loses_only_what_fills_no_chunk(
    given_calls: list[Call], capacity: int, page: int, chunk: int
) -> None:
    work = built(given_calls)
    replay = replayed(work, capacity, page, 10**6, chunk_size=str(chunk), save_decode_cache="true")
    chunks = work.reusable(chunk)
    served = np.where(chunks == work.prompt_tokens, chunks - 1, chunks)
    assert (replay.hit >= served).all()
    assert (replay.hit <= work.reusable(1)).all()
    assert (replay.tiers["host"] <= replay.hit).all()
    plain = Vllm(work, Setup(capacity, page)).replay()
    assert (replay.hit - replay.tiers["host"]).tolist() == plain.hit.tolist()
    assert replay.hit.tolist() == np.maximum(served, plain.hit).tolist()
    # Without sizes it is the most that there can be.
    most = replayed(work, None, page, None, chunk_size=str(chunk), save_decode_cache="true")
    assert (replay.hit <= most.hit).all()


def test_a_whole_prompt_in_the_store_computes_its_last_token_again(tmp_path: Path) -> None:
    work = work_of([Call(list(range(512))), Call([9] * 600), Call(list(range(512)))], tmp_path)
    replay = replayed(work, 640, 16, 2048)
    assert replay.hit.tolist() == [0, 0, 511]
    # 600 tokens took 38 of 40 blocks: two of the first prompt's, its first ones, are left.
    assert replay.tiers["host"].tolist() == [0, 0, 511 - 32]


def test_the_size_of_the_store_must_be_given(tmp_path: Path) -> None:
    work = work_of([Call([1, 2, 3])], tmp_path)
    with pytest.raises(UsageError, match="needs the size") as error:
        Lmcache(work, Setup(1000))
    assert "--tier host:" in str(error.value.hint)
    with pytest.raises(UsageError):
        Lmcache(work, Setup(1000, tiers=(Tier("host", 10),), options={"chunk_size": "0"}))
    with pytest.raises(UsageError):
        Lmcache(work, Setup(1000, tiers=(Tier("host", 10),), options={"cache_policy": "lru"}))


def test_relaxed_lifts_both_sizes() -> None:
    ((name, setup),) = Lmcache.relaxed(Setup(100, tiers=(Tier("host", 10),)))
    assert (name, setup.capacity_tokens, setup.tiers) == ("capacity", None, ())
    assert Lmcache.relaxed(Setup()) == ()


def test_a_store_makes_room_for_what_it_holds_already() -> None:
    store = ChunkStore(2)
    store.put([1, 2])
    store.put([3, 2])  # 1 goes for 3, and 2 for itself
    assert 2 in store
    assert 3 in store
    assert store.evicted == 2
    store.put([4, 5, 6])  # no room for three
    assert [chunk in store for chunk in (4, 5, 6)] == [True, True, False]
