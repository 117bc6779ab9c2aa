"""TensorRT-LLM against a literal simulator on token lists, and the worked example of its page."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.engine import Replay, Setup, Tier
from cachelens.simulate.engines.tensorrt_llm import TensorrtLlm
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload
from tests.simulate.tables import rows
from tests.simulate.workloads import Call, calls, work_of

PAGE = Path(__file__).parents[3] / "docs" / "engines" / "tensorrt-llm.md"


class Block:
    def __init__(self, level: int) -> None:
        self.level = level
        self.tokens: tuple[int, ...] = ()
        self.node: Node | None = None
        self.refs = 0
        self.priority = 35
        self.place: tuple[int, int] | None = None


class Node:
    """A node of the reuse tree: children by their tokens, in the order in which they were stored."""

    def __init__(self, parent: Node | None = None, key: tuple[int, ...] = ()) -> None:
        self.parent = parent
        self.key = key
        self.block: Block | None = None
        self.children: dict[tuple[int, ...], Node] = {}


def together(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return same


class Literal:
    """kvCacheManager.cpp and evictionPolicy.cpp, line by line: every block an object from the start."""

    def __init__(
        self,
        given_calls: list[Call],
        page: int,
        blocks: int,
        host: int,
        partial: bool,
        copy: bool,
        offload: int,
        priority: int | None,
        decode: int,
        per_request: bool,
    ) -> None:
        self.calls, self.page, self.partial, self.copy = given_calls, page, partial, copy
        self.offload, self.priority, self.decode, self.per_request = offload, priority, decode, per_request
        self.total = blocks
        self.queues: list[list[list[Block]]] = [[[] for _ in range(101)] for _ in range(2)]
        for level, count in ((0, blocks), (1, host)):
            for _ in range(count):
                self.put(Block(level))
        self.roots: dict[str, Node] = {}
        self.running: dict[int, list[Block]] = {}
        self.from_host = [0] * len(given_calls)
        self.evicted_tokens = 0

    def kept(self, request: int) -> tuple[int, ...]:
        call = self.calls[request]
        return (*call.prompt, *call.output[:-1])

    def put(self, block: Block) -> None:
        block.place = (block.level, block.priority)
        self.queues[block.level][block.priority].append(block)

    def claim(self, block: Block) -> None:
        if block.place is not None:
            self.queues[block.place[0]][block.place[1]].remove(block)
            block.place = None

    def front(self, level: int) -> tuple[Block, int]:
        return next((queue[0], p) for p, queue in enumerate(self.queues[level]) if queue)

    def free(self, level: int) -> int:
        return sum(len(queue) for queue in self.queues[level])

    def detach(self, block: Block, reused: int = 0) -> None:
        node = block.node
        if node is None:
            return
        for child in list(node.children.values()):
            assert child.block is not None
            self.detach(child.block)
        if not block.refs:
            self.evicted_tokens += len(node.key) - reused
        assert node.parent is not None
        del node.parent.children[node.key]
        block.node = None

    def get_free(self, priority: int) -> Block:
        block, level = self.front(0)
        if block.tokens and level >= self.offload and self.free(1):
            other, _ = self.front(1)
            self.claim(block)
            block.level, other.level = 1, 0
            self.put(block)
            block = other
        self.detach(block)
        self.claim(block)
        block.priority = priority
        return block

    def find(self, node: Node, key: tuple[int, ...]) -> tuple[bool, int, Block] | None:
        exact = node.children.get(key)
        if exact is not None:
            assert exact.block is not None
            return len(key) < self.page, len(key), exact.block
        best: tuple[bool, int, Block] | None = None
        for child in node.children.values() if self.partial else ():
            block, same = child.block, together(child.key, key)
            assert block is not None
            usable = self.copy or not (block.refs or child.children)
            if same and usable and (best is None or same > best[1]):
                best = (True, same, block)
        return best

    def chop(self, tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [tokens[at : at + self.page] for at in range(0, len(tokens), self.page)]

    def fits(self, request: int) -> bool:
        return len(self.chop(self.kept(request))) <= self.total

    def room(self, request: int) -> bool:
        need = len(self.chop(self.kept(request)))
        for other, blocks in self.running.items():
            need += len(self.chop(self.kept(other))) - len(blocks)
        node = self.roots.get(self.calls[request].namespace, Node())
        for key in self.chop(tuple(self.calls[request].prompt[:-1])):
            child = node.children.get(key)
            if child is None or len(key) < self.page:
                break
            assert child.block is not None
            need -= child.block.refs > 0
            node = child
        return need <= self.free(0)

    def start(self, request: int) -> int | None:
        if self.running and not self.room(request):
            return None
        call = self.calls[request]
        priority = self.priority
        if self.per_request and call.priority:
            priority = call.priority
        keys = self.chop(tuple(call.prompt[:-1]))
        node: Node | None = self.roots.setdefault(call.namespace, Node())
        blocks: list[Block] = []
        hit = 0
        for number in range(len(self.chop(tuple(call.prompt)))):
            key = keys[number] if number < len(keys) else ()
            found = self.find(node, key) if node is not None and key else None
            if found is None:
                node = None
                block = self.get_free(35 if priority is None else priority)
                block.tokens = key
            else:
                partial, same, block = found
                hit += same
                if block.level:
                    self.from_host[request] += same
                if partial:
                    node = None
                    if block.refs or (block.node is not None and block.node.children):
                        block = self.get_free(block.priority)
                        block.tokens = key
                    else:
                        self.detach(block, same)
                        self.claim(block)
                        block.priority = block.priority if priority is None else priority
                else:
                    node = block.node
                    self.claim(block)
                    block.priority = block.priority if priority is None else priority
                if block.level:
                    other = self.get_free(35)
                    block.level, other.level = 0, 1
                    self.put(other)
            block.refs += 1
            blocks.append(block)
        self.running[request] = blocks
        self.store(request, tuple(call.prompt[: (len(call.prompt) - 1) // self.page * self.page]))
        return hit

    def store(self, request: int, tokens: tuple[int, ...]) -> None:
        node = self.roots[self.calls[request].namespace]
        for key, block in zip(self.chop(tokens), self.running[request], strict=False):
            child = node.children.get(key)
            if child is None:
                assert block.node is None
                child = node.children[key] = Node(node, key)
                child.block, block.node, block.tokens = block, child, key
            node = child

    def finish(self, request: int) -> None:
        blocks = self.running[request]
        while len(blocks) < len(self.chop(self.kept(request))):
            block = self.get_free(self.decode)
            block.refs = 1
            blocks.append(block)
        self.store(request, self.kept(request))
        for block in reversed(self.running.pop(request)):
            block.refs -= 1
            if not block.refs:
                self.put(block)

    def lookup(self, request: int) -> int:
        raise NotImplementedError


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(given_calls, Path(folder))
    return replace(work, priority=np.array([call.priority for call in given_calls], dtype=np.int64))


def play(work: Workload, capacity: int | None, page: int, host: int = 0, **options: object) -> Replay:
    setup = Setup(
        capacity_tokens=capacity,
        page_size=page,
        tiers=(Tier("host", host),) if host else (),
        options={name: str(value).lower() for name, value in options.items()},
    )
    return TensorrtLlm(work, setup).replay()


# A block for the last token alone is empty until it is stored, and the same tokens are not stored twice.
@example([Call([0, 0]), Call([0]), Call([0]), Call([0])], 2, 8, 1, False, False, 0, 20, 35, False)
@settings(max_examples=150, deadline=None)
@given(
    st.booleans().flatmap(lambda timed: calls(timed=timed, most=30)),
    st.sampled_from([2, 4]),
    st.integers(8, 24),
    st.sampled_from([0, 0, 1, 4, 12]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 20, 30, 35, 36]),
    st.sampled_from([None, 20, 80]),
    st.sampled_from([35, 10]),
    st.booleans(),
)
def test_equals_the_literal_simulator(
    given_calls: list[Call],
    page: int,
    blocks: int,
    host: int,
    partial: bool,
    copy: bool,
    offload: int,
    priority: int | None,
    decode: int,
    per_request: bool,
) -> None:
    work = built(given_calls)
    literal = Literal(given_calls, page, blocks, host, partial, copy, offload, priority, decode, per_request)
    expected = serve(work, literal)
    replay = play(
        work,
        blocks * page,
        page,
        host * page,
        partial_reuse=partial,
        copy_on_partial_reuse=copy,
        secondary_offload_min_priority=offload,
        decode_priority=decode,
        request_priority=per_request,
        **({} if priority is None else {"priority": priority}),
    )
    assert replay.hit.tolist() == expected.hit.tolist()
    assert replay.waited == expected.waited
    assert replay.evicted_tokens == literal.evicted_tokens
    if host:
        assert replay.tiers["host"].tolist() == literal.from_host


@settings(max_examples=40, deadline=None)
@given(calls(), st.sampled_from([2, 4]))
def test_unlimited_it_finds_every_token_it_ever_computed(given_calls: list[Call], page: int) -> None:
    """By partial reuse the page makes no difference; without, only whole blocks and equal tails match."""
    work = built(given_calls)
    most = [max(min(a, n - 1), 0) for a, n in zip(work.reusable(), work.prompt_tokens, strict=True)]
    hit = play(work, None, page).hit.tolist()
    whole = play(work, None, page, partial_reuse=False).hit.tolist()
    for request, limit in enumerate(most):
        # A leaf that matched in part is taken over, and its own tail is lost: less than a block.
        assert limit - page < hit[request] <= limit
        assert whole[request] <= limit


def test_the_worked_examples_of_the_page() -> None:
    found = rows(PAGE.read_text(encoding="utf-8"), "tensorrt-llm")
    assert found
    for options, given_calls, table in found:
        host = int(options.get("host", 0))
        capacity = int(options["capacity"]) if "capacity" in options else None
        replay = play(built(given_calls), capacity, int(options["page"]), host)
        assert [int(row["hit"]) for row in table] == replay.hit.tolist()
        if host:
            assert [int(row["from host"]) for row in table] == replay.tiers["host"].tolist()


@pytest.mark.parametrize(
    "options", [{"priority": 101}, {"decode_priority": -1}, {"partial_reuse": "perhaps"}]
)
def test_what_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        play(built([Call([1])]), None, 32, **options)


def test_priorities_of_requests_must_be_in_range() -> None:
    work = built([Call([1], priority=101)])
    assert play(work, None, 32).hit.tolist() == [0]
    with pytest.raises(UsageError, match="request 0"):
        play(work, None, 32, request_priority=True)


def test_a_higher_priority_stays_longer() -> None:
    work = built([Call([1] * 9, priority=90), Call([2] * 9), Call([3] * 9), Call([1] * 9, priority=90)])
    assert play(work, 16, 2).hit.tolist() == [0, 0, 0, 0]
    assert play(work, 16, 2, request_priority=True).hit.tolist()[3] > 0
