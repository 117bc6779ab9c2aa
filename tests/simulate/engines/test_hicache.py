"""HiCache against a literal simulator on token lists, and the worked example of its page."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.engine import Replay, Setup, Tier
from cachelens.simulate.engines.hicache import Hicache
from cachelens.simulate.engines.sglang import Sglang
from cachelens.simulate.host_tree import HostNode, HostTree, WritePolicy
from cachelens.simulate.policies.base import PolicyOptions
from cachelens.simulate.policies.lru import Lru
from cachelens.simulate.workload import Workload
from tests.simulate.workloads import Call, calls, work_of

WRITES = ("write_through", "write_through_selective", "write_back")
POLICIES = ("lru", "lfu", "fifo", "mru", "filo", "priority", "slru")


class Node:
    """A node of the unified tree: `value` and `host_value` say where its KV is."""

    def __init__(self, parent: Node | None, key: list[int], created: int) -> None:
        self.parent = parent
        self.key = key
        self.children: dict[tuple[int, ...], Node] = {}
        self.value = self.host_value = self.pending = False
        self.lock_ref = self.hits = self.priority = 0
        self.last = self.created = created


class Literal:
    """unified_tree_core.py, full.py and unified_radix_cache.py, line by line, with transfers that take no time."""

    def __init__(self, page: int, capacity: int, host: int, policy: str, writes: str, threshold: int) -> None:
        self.page, self.policy, self.writes, self.threshold = page, policy, writes, threshold
        self.free = capacity // page * page
        self.host_free = host // page * page
        self.clock = 0
        self.roots: dict[str, Node] = {}
        self.duplicates: dict[Node, None] = {}
        self.backup_at = 1 if writes == "write_through" else 2

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def key(self, node: Node) -> tuple[float, ...]:
        return {
            "lru": (node.last,),
            "lfu": (node.hits, node.last),
            "fifo": (node.created,),
            "mru": (-node.last,),
            "filo": (-node.created,),
            "priority": (node.priority, node.last),
            "slru": (node.hits >= 2, node.last),
        }[self.policy]

    def all(self) -> list[Node]:
        found, stack = [], list(self.roots.values())
        while stack:
            node = stack.pop()
            stack += node.children.values()
            if node.parent is not None:
                found.append(node)
        return found

    def first(self, key: list[int]) -> tuple[int, ...]:
        return tuple(key[: self.page])

    def common(self, a: list[int], b: list[int]) -> int:
        same = 0
        while same < min(len(a), len(b)) and a[same] == b[same]:
            same += 1
        return same // self.page * self.page

    def floor(self, key: list[int]) -> list[int]:
        return key[: len(key) // self.page * self.page]

    def split(self, child: Node, at: int) -> Node:
        assert child.parent is not None
        new = Node(child.parent, child.key[:at], child.created)
        new.last = self.tick()
        for name in ("value", "host_value", "pending", "lock_ref", "hits", "priority"):
            setattr(new, name, getattr(child, name))
        child.parent.children[self.first(child.key)] = new
        child.key = child.key[at:]
        child.parent = new
        new.children = {self.first(child.key): child}
        child.last = self.tick()
        self.track(new)
        return new

    def match(self, root: Node, tokens: list[int]) -> Node:
        key, node = self.floor(tokens), root
        while key and self.first(key) in node.children:
            child = node.children[self.first(key)]
            assert child.value or child.host_value
            k = self.common(child.key, key)
            if k < len(child.key):
                node = self.split(child, k)
                break
            node, key = child, key[k:]
        now, up = self.tick(), node
        while up.parent is not None:
            up.last = now
            up = up.parent
        return node

    def insert(self, root: Node, tokens: list[int], priority: int, counted: int) -> Node:
        key, node, depth = self.floor(tokens), root, 0
        while key and self.first(key) in node.children:
            child = node.children[self.first(key)]
            child.last = self.tick()
            k = self.common(child.key, key)
            if k < len(child.key):
                child = self.split(child, k)
            child.priority = max(child.priority, priority)
            if not child.value:
                child.value = True
                self.free -= len(child.key)
                self.track(child)
            depth += k
            if depth > counted:
                self.count(child)
            node, key = child, key[k:]
        if key:
            leaf = Node(node, key, self.tick())
            leaf.value, leaf.priority = True, priority
            self.free -= len(key)
            node.children[self.first(key)] = leaf
            if depth + len(key) > counted:
                self.count(leaf)
            node = leaf
        return node

    def count(self, node: Node) -> None:
        if self.writes == "write_back":
            return
        node.hits += 1
        if not node.host_value and node.hits >= self.backup_at:
            chain = [node]
            above = node.parent
            while above is not None and above.parent is not None and not above.host_value:
                chain.append(above)
                above = above.parent
            for one in reversed(chain):
                if not self.back_up(one):
                    break

    def back_up(self, node: Node) -> bool:
        need = len(node.key)
        if self.host_free < need and self.evict_host(need - self.host_free) < need - (
            self.host_free - self.just_freed
        ):
            return False
        self.host_free -= need
        node.host_value = True
        return True

    def track(self, node: Node) -> None:
        if node.value and node.host_value and not node.pending:
            self.duplicates.setdefault(node)
        else:
            self.duplicates.pop(node, None)

    def device_leaf(self, node: Node) -> bool:
        return node.value and not node.lock_ref and not any(c.value for c in node.children.values())

    def host_leaf(self, node: Node) -> bool:
        return not node.value and node.host_value and not node.lock_ref and not node.children

    def remove(self, node: Node) -> None:
        assert node.parent is not None
        assert not node.children
        self.duplicates.pop(node, None)
        del node.parent.children[self.first(node.key)]

    def evict_host(self, tokens: int) -> int:
        freed = 0
        if self.writes == "write_back":
            swept = []
            for spare in (True, False):
                for node in self.duplicates:
                    if freed >= tokens:
                        break
                    if not (node.value and node.host_value):
                        swept.append(node)
                    elif not (spare and self.device_leaf(node)) and not node.pending:
                        node.host_value = False
                        freed += len(node.key)
                        swept.append(node)
            for node in swept:
                self.duplicates.pop(node, None)
        while freed < tokens:
            leaves = [node for node in self.all() if self.host_leaf(node)]
            if not leaves:
                break
            node = min(leaves, key=self.key)
            freed += len(node.key)
            node.host_value = False
            self.remove(node)
        self.just_freed = freed
        self.host_free += freed
        return freed

    def evict(self, tokens: int) -> None:
        freed, declined = 0, set()
        while freed < tokens:
            leaves = [node for node in self.all() if self.device_leaf(node) and node not in declined]
            if not leaves:
                break
            node = min(leaves, key=self.key)
            if not node.host_value and self.writes == "write_back" and not self.back_up(node):
                below, stack = [], list(node.children.values())
                while stack:
                    one = stack.pop()
                    below.append(one)
                    stack += one.children.values()
                if any(one.lock_ref or one.pending for one in below):
                    declined.add(node)
                    continue
                for one in reversed(below):
                    self.host_free += len(one.key)
                    self.remove(one)
            node.value = False
            freed += len(node.key)
            self.free += len(node.key)
            if not node.host_value:
                self.remove(node)

    def lock(self, node: Node, by: int) -> None:
        up: Node | None = node
        while up is not None:
            up.lock_ref += by
            up = up.parent

    def length(self, node: Node) -> int:
        return len(node.key) + (0 if node.parent is None else self.length(node.parent))

    def serve(self, call: Call) -> tuple[int, int]:
        """Tokens served and, of those, loaded from the host."""
        page, prompt, kept = self.page, call.prompt, [*call.prompt, *call.output[:-1]]
        root = self.roots.setdefault(call.namespace, Node(None, [], 0))
        best = self.match(root, prompt[:-1])
        device = best
        while not device.value and device.parent is not None:
            device = device.parent
        todo = self.length(best) - self.length(device)
        loaded = 0
        node = device
        if todo and todo >= max(1, self.threshold):
            self.lock(best, 1)
            if self.free < todo:
                self.evict(todo - self.free)
            if self.free >= todo:
                up, loaded, node = best, todo, best
                self.free -= todo
                while up is not device:
                    up.value = up.pending = True
                    assert up.parent is not None
                    up = up.parent
            self.lock(best, -1)
        hit = self.length(node)
        self.lock(node, 1)
        need = len(prompt) - hit + (page if page > 1 else 0)
        if self.free < need:
            self.evict(need - self.free)
        counted, end = 0, node
        if len(call.output) > 1:
            before = self.free
            end = self.insert(root, prompt, call.priority, 0)
            counted = len(self.floor(prompt))
            assert before >= self.free
            self.lock(end, 1)
            self.lock(node, -1)
            node = end
        up = node
        while up.parent is not None:
            if up.pending:
                up.pending = False
                self.track(up)
            up = up.parent
        # Decoding: pages that the request holds outside the tree are not free.
        own = -(-len(prompt) // page) * page - self.length(node)
        for done in range(len(prompt), len(kept)):
            demand = 1 if page == 1 else page
            if self.free - own < demand:
                self.evict(demand - (self.free - own))
            if done % page == 0:
                own += page
        if len(self.floor(prompt)) and len(self.floor(kept)) > len(self.floor(prompt)):
            end = self.insert(root, prompt, call.priority + 1, counted)
            counted = max(counted, len(self.floor(prompt)))
            self.lock(end, 1)
            self.lock(node, -1)
            node = end
        self.insert(root, kept, call.priority, counted)
        self.lock(node, -1)
        return hit, loaded


def replayed(work: Workload, capacity: int | None, page: int, tiers: tuple[Tier, ...], **more: str) -> Replay:
    policy = more.pop("policy", "lru")
    return Hicache(work, Setup(capacity, page, policy, tiers, more)).replay()


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(given_calls, Path(folder))
    return replace(work, priority=np.array([call.priority for call in given_calls], dtype=np.int64))


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=30, deadline=None)
@given(
    calls(), st.integers(20, 60), st.integers(0, 120), st.sampled_from([1, 1, 2, 4]), st.sampled_from([1, 10])
)
def test_equal_to_a_literal_simulator(
    writes: str, policy: str, given_calls: list[Call], capacity: int, host: int, page: int, threshold: int
) -> None:
    work = built(given_calls)
    replay = replayed(
        work,
        capacity,
        page,
        (Tier("host", host),),
        policy=policy,
        write_policy=writes,
        load_back_threshold=str(threshold),
    )
    literal = Literal(page, capacity, host, policy, writes, threshold)
    rejected = replay.rejected
    assert rejected is not None
    told = [(0, 0) if rejected[number] else literal.serve(call) for number, call in enumerate(given_calls)]
    assert replay.hit.tolist() == [hit for hit, _ in told]
    assert replay.tiers["host"].tolist() == [loaded for _, loaded in told]


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=20, deadline=None)
@given(calls(timed=True), st.integers(20, 120), st.sampled_from([1, 4]))
def test_an_empty_host_is_plain_sglang(
    policy: str, given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    plain = Sglang(work, Setup(capacity, page, policy)).replay()
    for writes in WRITES if policy == "lru" else WRITES[:2]:
        replay = replayed(work, capacity, page, (Tier("host", 0),), policy=policy, write_policy=writes)
        assert replay.hit.tolist() == plain.hit.tolist()
        assert replay.tiers["host"].sum() == 0
        assert replay.evicted_tokens == plain.evicted_tokens


@pytest.mark.parametrize("writes", ["write_through", "write_back"])
@settings(max_examples=40, deadline=None)
@given(calls(timed=True), st.integers(40, 120), st.sampled_from([1, 4]))
def test_a_host_that_holds_everything_loses_nothing(
    writes: str, given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    more = {"write_policy": writes, "load_back_threshold": "1"}
    replay = replayed(work, capacity, page, (Tier("host", 10**6),), **more)
    assert replay.rejected is not None
    if not replay.rejected.any() and not replay.waited:
        most = np.minimum(work.reusable(page), (work.prompt_tokens - 1) // page * page)
        sequential = replace(work, start_us=None, end_us=None)
        assert (
            replayed(sequential, capacity, page, (Tier("host", 10**6),), **more).hit.tolist() == most.tolist()
        )


@pytest.mark.parametrize("writes", WRITES)
@settings(max_examples=40, deadline=None)
@given(calls(timed=True), st.integers(20, 80), st.integers(0, 160), st.sampled_from([1, 4]))
def test_tiers_hold_no_more_than_they_can_and_sum_up(
    writes: str, given_calls: list[Call], capacity: int, host: int, page: int
) -> None:
    work = built(given_calls)
    engine = Hicache(
        work, Setup(capacity, page, tiers=(Tier("ram", host),), options={"write_policy": writes})
    )
    replay = engine.replay()
    tree = engine.tree
    assert tree.pages * page <= capacity
    assert tree.host_pages * page <= host  # type: ignore[attr-defined]
    nodes = set(tree._first.values())
    assert tree.pages == sum(n.size for n in nodes if n.on_device)  # type: ignore[attr-defined]
    assert tree.host_pages == sum(n.size for n in nodes if n.on_host)  # type: ignore[attr-defined]
    assert list(replay.tiers) == ["ram"]
    loaded = replay.tiers["ram"]
    assert ((loaded == 0) | (loaded >= 10)).all()
    assert (loaded <= replay.hit).all()
    assert (replay.hit <= work.reusable(page)).all()


def test_the_default_host_is_twice_the_device(tmp_path: Path) -> None:
    prompts = [[number] * 30 for number in range(8)]
    work = work_of([Call(p) for p in [*prompts, *prompts]], tmp_path)
    # 40 tokens of device, 81 of host: two of eight prompts fit the host.
    default = Hicache(work, Setup(40)).replay()
    assert default.hit.tolist() == replayed(work, 40, 1, (Tier("host", 81),)).hit.tolist()
    assert default.hit.tolist() == replayed(work, 40, 1, (), ratio="2").hit.tolist()
    assert replayed(work, 40, 1, (), ratio="6").hit.tolist() == [0] * 8 + [29] * 8


def test_what_it_cannot_have(tmp_path: Path) -> None:
    work = work_of([Call([1, 2, 3])], tmp_path)
    for options in ({"tree": "classic"}, {"protocol": "simple"}, {"ratio": "-1"}, {"ratio": "nan"}):
        with pytest.raises(UsageError):
            Hicache(work, Setup(100, options=options))
    with pytest.raises(UsageError, match="tiers"):
        Hicache(work, Setup(100, tiers=(Tier("host", 10), Tier("disk", 10))))


def test_write_back_gives_up_copies_of_what_the_device_has_but_of_its_leaves_last() -> None:
    tree = HostTree(1, Lru(PolicyOptions()), 30, WritePolicy.BACK)
    one, other, third = ((10, 0),), ((20, 100),), ((10, 200),)
    tree.insert(one, 10)
    tree.insert(other, 10)
    tree.insert(other, 20)
    tree.evict(30)
    assert (tree.pages, tree.host_pages) == (0, 30)

    node = tree.insert(third, 10)

    def loaded(path: tuple[tuple[int, int], ...], pages: int) -> HostNode:
        node = tree.match(path, pages)
        tree.load(node)
        tree.settle(node)
        assert isinstance(node, HostNode)
        return node

    leaf = loaded(one, 10)
    above = loaded(other, 10)
    below = loaded(other, 20)
    assert tree.pages == 40
    # `third` was used longest ago and needs 10 pages of the host: of three copies the second is of no leaf.
    tree.evict(10)
    assert isinstance(node, HostNode)
    assert not node.on_device
    assert [each.on_host for each in (leaf, above, below, node)] == [True, False, True, True]
