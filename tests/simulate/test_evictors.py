"""Who pushed it out: every engine against a literal simulator that writes down what it evicts, and for whom."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.prefix.paths import page_ids
from cachelens.prefix.runs import ReuseRuns
from cachelens.simulate.engine import Engine, Replay, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.fleet import Fleet
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload
from tests.simulate.engines import (
    stores,
    test_hicache,
    test_llamacpp,
    test_lmcache,
    test_mooncake_store,
    test_tensorrt_llm,
)
from tests.simulate.golden import golden_workload, recordings
from tests.simulate.workloads import Call, calls, work_of

SERVERS = [name for name in ENGINES if ENGINES.load(name).facts.kind == "server"]
RECORDED = Path(__file__).parent / "engines" / "recorded"
#: Lists of tokens from the start of a prompt, in a namespace.
Prefix = tuple[str, tuple[int, ...]]


def built(given_calls: list[Call], timed: bool = False) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(given_calls, Path(folder))
    work = replace(work, priority=np.array([call.priority for call in given_calls], dtype=np.int64))
    return work if timed else replace(work, start_us=None, end_us=None)


def play(name: str, work: Workload, setup: Setup) -> Replay:
    kind: type[Engine] = ENGINES.load(name)
    return kind(work, replace(setup, explain=True)).replay()


def evictors(replay: Replay) -> list[int]:
    assert replay.evictor is not None
    found: list[int] = replay.evictor.tolist()
    return found


# The stack


@settings(max_examples=150, deadline=None)
@given(calls(), st.integers(1, 60), st.sampled_from([1, 1, 2, 4]), st.integers(0, 20), st.booleans())
def test_lru_token_by_token(given_calls: list[Call], capacity: int, page: int, tier: int, keep: bool) -> None:
    capacity = max(capacity, page)
    tiers = (Tier("host", tier),) if tier else ()
    setup = Setup(capacity, page, tiers=tiers, options={"keep_output": str(keep).lower()})
    replay = play("lru", built(given_calls), setup)
    room = (capacity + tier) // page
    stack: list[Prefix] = []
    lost: dict[Prefix, int] = {}
    for number, call in enumerate(given_calls):
        whole = [*call.prompt, *(call.output[:-1] if keep else ())]
        path = [(call.namespace, tuple(whole[:end])) for end in range(page, len(whole) + 1, page)]
        pages = path[: len(call.prompt) // page]
        held = set(stack[:room])
        hit = next((at for at, one in enumerate(pages) if one not in held), len(pages))
        assert replay.hit[number] == hit * page
        assert evictors(replay)[number] == (lost.get(pages[hit], -1) if hit < len(pages) else -1)
        stack = [*path, *(one for one in stack if one not in path)]
        for one in (held | set(path)) - set(stack[:room]):
            lost[one] = number


# SGLang and HiCache


class LoggedTree(test_hicache.Literal):
    """Notes for whom a node leaves the tree, or the device."""

    def __init__(self, *given_: Any) -> None:
        super().__init__(*given_)
        self.serving = -1
        self.lost: dict[Prefix, int] = {}

    def note(self, node: test_hicache.Node) -> None:
        tokens: list[int] = []
        up = node
        while up.parent is not None:
            tokens = [*up.key, *tokens]
            up = up.parent
        namespace = next(name for name, root in self.roots.items() if root is up)
        for end in range(len(tokens) - len(node.key) + self.page, len(tokens) + 1, self.page):
            self.lost[namespace, tuple(tokens[:end])] = self.serving

    def remove(self, node: test_hicache.Node) -> None:
        self.note(node)
        super().remove(node)

    def evict(self, tokens: int) -> None:
        before = [node for node in self.all() if node.value]
        super().evict(tokens)
        for node in before:
            if not node.value:
                self.note(node)

    def replay(self, given_calls: list[Call], rejected: list[bool]) -> Iterator[tuple[int, int]]:
        """Hit and evictor of each request."""
        for number, call in enumerate(given_calls):
            if rejected[number]:
                yield 0, -1
                continue
            self.serving = number
            before = dict(self.lost)
            hit, _ = self.serve(call)
            wanted = call.prompt[: hit + self.page]
            asked = hit + self.page <= len(call.prompt) - 1
            yield hit, before.get((call.namespace, tuple(wanted)), -1) if asked else -1


@pytest.mark.parametrize("policy", test_hicache.POLICIES)
@settings(max_examples=40, deadline=None)
@given(calls(), st.integers(20, 60), st.sampled_from([1, 1, 2, 4]))
def test_sglang_leaf_by_leaf(policy: str, given_calls: list[Call], capacity: int, page: int) -> None:
    work = built(given_calls)
    replay = play("sglang", work, Setup(capacity, page, policy))
    assert replay.rejected is not None
    literal = LoggedTree(page, capacity, 0, policy, "write_through", 1)
    told = list(literal.replay(given_calls, replay.rejected.tolist()))
    assert list(zip(replay.hit.tolist(), evictors(replay), strict=True)) == told
    if policy == "lru":
        classic = play("sglang", work, Setup(capacity, page, policy, options={"tree": "classic"}))
        assert evictors(classic) == evictors(replay)


@pytest.mark.parametrize("writes", test_hicache.WRITES)
@settings(max_examples=60, deadline=None)
@given(
    calls(),
    st.integers(20, 60),
    st.integers(0, 120),
    st.sampled_from([1, 1, 2, 4]),
    st.sampled_from([1, 10]),
    st.sampled_from(test_hicache.POLICIES),
)
def test_hicache_leaf_by_leaf(
    writes: str, given_calls: list[Call], capacity: int, host: int, page: int, threshold: int, policy: str
) -> None:
    options = {"write_policy": writes, "load_back_threshold": str(threshold)}
    setup = Setup(capacity, page, policy, (Tier("host", host),), options)
    replay = play("hicache", built(given_calls), setup)
    assert replay.rejected is not None
    literal = LoggedTree(page, capacity, host, policy, writes, threshold)
    told = list(literal.replay(given_calls, replay.rejected.tolist()))
    assert list(zip(replay.hit.tolist(), evictors(replay), strict=True)) == told


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


# TensorRT-LLM


class LoggedBlocks(test_tensorrt_llm.Literal):
    """Notes for whom a block leaves the tree, and what was lost of what was looked for in vain."""

    serving = -1

    def __init__(self, given_calls: list[Call], *more: Any) -> None:
        super().__init__(given_calls, *more)
        self.lost: dict[Prefix, int] = {}
        self.evictor = [-1] * len(given_calls)

    def path(self, node: test_tensorrt_llm.Node) -> Prefix:
        tokens: tuple[int, ...] = ()
        while node.parent is not None:
            tokens = (*node.key, *tokens)
            node = node.parent
        return next(name for name, root in self.roots.items() if root is node), tokens

    def detach(self, block: test_tensorrt_llm.Block, reused: int = 0) -> None:
        node = block.node
        if node is not None:
            namespace, tokens = self.path(node)
            for end in range(len(tokens) - len(node.key) + 1, len(tokens) + 1):
                if self.partial or end == len(tokens):
                    self.lost[namespace, tokens[:end]] = self.serving
        super().detach(block, reused)

    def find(
        self, node: test_tensorrt_llm.Node, key: tuple[int, ...]
    ) -> tuple[bool, int, test_tensorrt_llm.Block] | None:
        found = super().find(node, key)
        same = 0 if found is None else found[1]
        if same < len(key):
            namespace, tokens = self.path(node)
            wanted = key[: same + 1] if self.partial else key
            held = any(child[: len(wanted)] == wanted for child in node.children) and self.partial
            self.evictor[self.serving] = -1 if held else self.lost.get((namespace, (*tokens, *wanted)), -1)
        return found

    def start(self, request: int) -> int | None:
        self.serving = request
        return super().start(request)

    def finish(self, request: int) -> None:
        self.serving = request
        super().finish(request)


@settings(max_examples=250, deadline=None)
@given(
    st.booleans(),
    calls(timed=True, most=30),
    st.sampled_from([2, 4]),
    st.integers(6, 20),
    st.sampled_from([0, 0, 1, 4, 12]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 30, 36]),
    st.booleans(),
)
def test_tensorrt_block_by_block(
    timed: bool,
    given_calls: list[Call],
    page: int,
    blocks: int,
    host: int,
    partial: bool,
    copy: bool,
    offload: int,
    per_request: bool,
) -> None:
    work = built(given_calls, timed)
    literal = LoggedBlocks(given_calls, page, blocks, host, partial, copy, offload, None, 35, per_request)
    expected = serve(work, literal)
    options = {
        "partial_reuse": partial,
        "copy_on_partial_reuse": copy,
        "secondary_offload_min_priority": offload,
        "request_priority": per_request,
    }
    tiers = (Tier("host", host * page),) if host else ()
    texts = {name: str(value).lower() for name, value in options.items()}
    replay = play("tensorrt-llm", work, Setup(blocks * page, page, tiers=tiers, options=texts))
    assert replay.hit.tolist() == expected.hit.tolist()
    assert evictors(replay) == literal.evictor


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
