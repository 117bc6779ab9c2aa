"""Who pushed it out of a stack or a tree of prefixes, against literal ones that write down what goes, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.simulate.engine import Setup, Tier
from cachelens.simulate.serve import serve
from tests.simulate.engines import test_hicache, test_tensorrt_llm
from tests.simulate.explained import Prefix, built, evictors, play
from tests.simulate.workloads import Call, calls

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
