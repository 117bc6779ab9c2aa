"""Who pushed it out of blocks, stores and slots, against literal ones that write down what goes, and for whom."""

from __future__ import annotations

from typing import Any, SupportsIndex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.simulate.engine import Setup, Tier
from cachelens.simulate.serve import serve
from tests.simulate.engines import stores, test_llamacpp, test_lmcache, test_mooncake_store
from tests.simulate.explained import Prefix, built, evictors, play
from tests.simulate.workloads import Call, calls

# vLLM, and stores behind it


class FreeQueue(list[stores.Block]):
    """Notes for whom a block is taken that still had a hash."""

    serving = -1

    def __init__(self, blocks: list[stores.Block]) -> None:
        super().__init__(blocks)
        self.lost: dict[Prefix, int] = {}

    def pop(self, at: SupportsIndex = -1) -> stores.Block:
        block = super().pop(at)
        if block.key is not None:
            self.lost[block.key] = self.serving
        return block


def lost_on_device(queue: FreeQueue, call: Call, served: int, size: int) -> int:
    page = served // size
    if page >= (len(call.prompt) - 1) // size:
        return -1
    wanted = stores.key(call, (page + 1) * size)
    # A hole in front of what is cached would make this wrong: there is none.
    assert all(block.key != wanted for block in queue)
    return queue.lost.get(wanted, -1)


@settings(max_examples=150, deadline=None)
@given(calls(), st.integers(8, 60), st.sampled_from([1, 1, 2, 4]))
def test_vllm_block_by_block(given_calls: list[Call], capacity: int, page: int) -> None:
    replay = play("vllm", built(given_calls), Setup(capacity, page))
    device = stores.Device(page, capacity)
    queue = FreeQueue(device.free)
    device.free = queue
    for number, call in enumerate(given_calls):
        if not device.fits(call):
            assert (replay.hit[number], evictors(replay)[number]) == (0, -1)
            continue
        queue.serving = number
        expected = lost_on_device(queue, call, int(replay.hit[number]), page)
        assert device.serve(call) == replay.hit[number]
        assert evictors(replay)[number] == expected


class LoggedMemory(test_lmcache.Literal):
    """Notes for whom a chunk leaves; its `serve` does the device first, as it should."""

    serving = -1
    lost: dict[Prefix, int]

    def allocate(self) -> bool:
        before = list(self.hot)
        done = super().allocate()
        for one in before:
            if one not in self.hot:
                self.lost[one] = self.serving
        return done


class Objects(dict[Prefix, tuple[int, int]]):
    """Notes for whom an object leaves."""

    serving = -1

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[Prefix, int] = {}

    def __delitem__(self, one: Prefix) -> None:
        super().__delitem__(one)
        self.lost[one] = self.serving


def lost_in_store(
    lost: dict[Prefix, int], held: set[Prefix], call: Call, served: int, chunk: int, most: int
) -> int:
    """`most`: tokens that a store which holds every chunk of the prompt would serve."""
    if served >= most:
        return -1
    ends = range(chunk, len(call.prompt) + 1, chunk)
    wanted = stores.key(call, (served // chunk + 1) * chunk)
    if wanted in held:
        wanted = next(one for end in ends if (one := stores.key(call, end)) not in held)
        assert wanted in lost
    return lost.get(wanted, -1)


@pytest.mark.parametrize("policy", test_lmcache.POLICIES)
@settings(max_examples=60, deadline=None)
@given(
    calls(),
    st.integers(12, 60),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 60),
    st.integers(1, 6),
    st.booleans(),
)
def test_lmcache_chunk_by_chunk(
    policy: str, given_calls: list[Call], capacity: int, page: int, host: int, chunk: int, decode: bool
) -> None:
    options = {"chunk_size": str(chunk), "cache_policy": policy, "save_decode_cache": str(decode).lower()}
    setup = Setup(capacity, page, tiers=(Tier("host", host),), options=options)
    replay = play("lmcache", built(given_calls), setup)
    device = stores.Device(page, capacity)
    queue = device.free = FreeQueue(device.free)
    literal = LoggedMemory(device, chunk, host // chunk, policy, decode)
    literal.lost = {}
    for number, call in enumerate(given_calls):
        if not device.fits(call):
            assert evictors(replay)[number] == -1
            continue
        queue.serving = literal.serving = number
        served = int(replay.hit[number])
        most = len(call.prompt) // chunk * chunk
        most -= most == len(call.prompt)
        expected = max(
            lost_on_device(queue, call, served, page),
            lost_in_store(literal.lost, set(literal.hot), call, served, chunk, most),
        )
        assert literal.serve(call)[0] == served
        assert evictors(replay)[number] == expected


@settings(max_examples=120, deadline=None)
@given(calls(), st.integers(12, 60), st.sampled_from([1, 2, 4]), st.integers(0, 60), st.integers(0, 3))
def test_mooncake_object_by_object(
    given_calls: list[Call], capacity: int, page: int, host: int, blocks: int
) -> None:
    chunk = page * (blocks or 1)
    setup = Setup(capacity, page, tiers=(Tier("pool", host),), options={"chunk_size": str(page * blocks)})
    replay = play("mooncake-store", built(given_calls), setup)
    device = stores.Device(page, capacity)
    queue = device.free = FreeQueue(device.free)
    literal = test_mooncake_store.Literal(device, chunk, host // chunk)
    objects = literal.used = Objects()
    for number, call in enumerate(given_calls):
        if not device.fits(call):
            assert evictors(replay)[number] == -1
            continue
        queue.serving = objects.serving = number
        served = int(replay.hit[number])
        most = (len(call.prompt) - 1) // chunk * chunk
        expected = max(
            lost_on_device(queue, call, served, page),
            lost_in_store(objects.lost, set(objects), call, served, chunk, most),
        )
        assert literal.serve(call)[0] == served
        assert evictors(replay)[number] == expected


# llama.cpp


class LoggedSlots(test_llamacpp.Literal):
    """Compares all that slots and RAM hold before and after each step."""

    serving = -1

    def __init__(self, given_calls: list[Call], *more: Any) -> None:
        super().__init__(given_calls, *more)
        self.resident: set[tuple[object, ...]] = set()
        self.lost: dict[tuple[object, ...], int] = {}
        self.evictor = [-1] * len(given_calls)
        self.then = (self.resident, dict(self.lost))

    def note(self) -> None:
        held = [slot.tokens for slot in self.slots] + self.states
        resident = {tuple(text[:end]) for text in held for end in range(1, len(text) + 1)}
        for one in self.resident - resident:
            self.lost[one] = self.serving
        self.resident = resident

    def alloc(self, tokens: list[object]) -> None:
        super().alloc(tokens)
        if all(slot.request != self.serving for slot in self.slots):  # before the request has a slot
            self.note()
            self.then = (self.resident, dict(self.lost))

    def start(self, request: int) -> int | None:
        self.serving = request
        self.then = (self.resident, dict(self.lost))
        hit = super().start(request)
        if hit is not None:
            resident, lost = self.then
            tokens = self.prompt(request)
            wanted = tuple(tokens[: hit + 1])
            if hit < len(tokens) - 1 and wanted not in resident:
                self.evictor[request] = lost.get(wanted, -1)
            self.note()
        return hit

    def finish(self, request: int) -> None:
        self.serving = request
        super().finish(request)
        self.note()


@settings(max_examples=250, deadline=None)
@given(
    st.booleans().flatmap(lambda timed: calls(timed=timed, most=30)),
    st.sampled_from([None, 20, 40, 90]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([0, 25, 60]),
    st.booleans(),
)
def test_llamacpp_slot_by_slot(
    given_calls: list[Call],
    capacity: int | None,
    slots: int,
    unified: bool,
    similarity: float,
    ram: int,
    cache_idle: bool,
) -> None:
    work = built(given_calls, given_calls[0].start is not None)
    literal = LoggedSlots(given_calls, capacity, slots, unified, similarity, ram, cache_idle)
    expected = serve(work, literal)
    options = {
        "slots": slots,
        "unified": unified,
        "slot_prompt_similarity": similarity,
        "cache_idle_slots": cache_idle,
    }
    tiers = (Tier("ram", ram),) if ram else ()
    texts = {name: str(value).lower() for name, value in options.items()}
    replay = play("llamacpp", work, Setup(capacity, tiers=tiers, options=texts))
    assert replay.hit.tolist() == expected.hit.tolist()
    assert evictors(replay) == literal.evictor
