"""SGLang's radix tree with a second tier in host memory. In: paths as page ranges. Out: matches, loads, evictions.

A node has its KV on the device, on the host, or on both. What is above a node on the device is on the
device too, so a path is on the device down to some node and on the host from there on. Evicting from the
device leaves a node that the host has in the tree. Copies between the tiers take no time.
"""

from __future__ import annotations

from enum import Enum
from heapq import heappop, heappush
from typing import Any, ClassVar

from cachelens.prefix.paths import Ranges
from cachelens.simulate.losses import Losses
from cachelens.simulate.policies.base import Policy
from cachelens.simulate.radix import Node, RadixTree


class WritePolicy(Enum):
    """When a node is copied to the host; the value is its name in SGLang."""

    THROUGH = "write_through"  # when the first request publishes it
    SELECTIVE = "write_through_selective"  # when the second one does
    BACK = "write_back"  # when the device evicts it


class HostNode(Node):
    """`on_device` and `on_host`: where its KV is. `device_leaves`: children that are on the device.

    `loading`: just brought to the device; its copy on the host is kept until `settle`.
    """

    __slots__ = ("device_leaves", "loading", "on_device", "on_host")

    def __init__(self, parent: Node | None, ranges: Ranges, start: int, end: int, page: int) -> None:
        super().__init__(parent, ranges, start, end, page)
        self.on_device = self.on_host = self.loading = False
        self.device_leaves = 0

    @property
    def size(self) -> int:
        """Pages."""
        return self.end - self.start


def _host(node: Node | None) -> HostNode:
    """A node of this tree as what it is."""
    if not isinstance(node, HostNode):
        raise RuntimeError("a node that is not in the tree was reached")
    return node


class HostTree(RadixTree):
    """`pages` are those on the device, `host_pages` those on the host, at most `capacity` (None: unlimited).

    `evicted_pages` have left both tiers. The unified tree's rules; `writes` says when a node is backed up.
    """

    node_type: ClassVar[type[Node]] = HostNode

    def __init__(
        self,
        page: int,
        policy: Policy,
        capacity: int | None,
        writes: WritePolicy,
        losses: Losses | None = None,
    ) -> None:
        super().__init__(page, policy, split_is_new=False, losses=losses)
        self.host_pages = 0
        self._capacity = capacity
        self._writes = writes
        self._threshold = 1 if writes is WritePolicy.THROUGH else 2
        self._host_heap: list[tuple[Any, int, int, HostNode]] = []  # may hold what is no leaf any more
        # On both tiers, in the order in which they came to be; entries may be out of date.
        self._twice: dict[HostNode, None] = {}
        _host(self.root).on_device = True

    def match(self, ranges: Ranges, limit: int) -> Node:
        """As in `RadixTree`, whatever the tier."""
        found = super().match(ranges, limit)
        self.offer(self.on_device(found))  # has no child on the device perhaps, and was used now
        return found

    def on_device(self, found: Node) -> Node:
        """The deepest node on the way to `found` whose KV is on the device."""
        node = _host(found)
        while not node.on_device:
            node = _host(node.parent)
        return node

    def insert(
        self, ranges: Ranges, pages: int, priority: int = 0, counted: int = 0, known: Node | None = None
    ) -> Node:
        """As in `RadixTree`; the whole path is on the device then, and what the write policy wants on the host.

        Under write_back nothing is counted, as in SGLang.
        """
        back = self._writes is WritePolicy.BACK
        end = super().insert(ranges, pages, priority, pages if back else counted, known)
        path: list[HostNode] = []
        node = _host(end)
        while node.parent is not None:
            path.append(node)
            node = _host(node.parent)
        path.reverse()
        for node in path:
            if not node.on_device:
                if node.on_host:
                    self.pages += node.size  # a new leaf has been counted
                    self._note(node)
                node.on_device = True
                _host(node.parent).device_leaves += 1
        if not back:
            for node in path:
                if node.end > counted and not node.on_host and node.hits >= self._threshold:
                    self._back_up(node)
        self.offer(end)
        return end

    def load(self, found: Node) -> None:
        """Bring what is on the host only of the way to `found` to the device; there must be room for it."""
        node = _host(found)
        while not node.on_device:
            node.on_device = node.loading = True
            self.pages += node.size
            node = _host(node.parent)
            node.device_leaves += 1
        self.offer(found)

    def settle(self, found: Node) -> None:
        """What was loaded of the way to `found` is there: its copies on the host are free to go."""
        node = _host(found)
        while node.parent is not None:
            if node.loading:
                node.loading = False
                self._note(node)
            node = _host(node.parent)

    def offer(self, node: Node) -> None:
        """Tell that `node` may have become evictable, or changed its place among those that are."""
        one = _host(node)
        if one.parent is None or one.locks:
            return
        if one.on_device:
            if not one.device_leaves:
                self._serial += 1
                heappush(self._heap, (self._policy.key(one), one.last, self._serial, one))
        elif one.on_host and not one.leaves:
            self._serial += 1
            heappush(self._host_heap, (self._policy.key(one), one.last, self._serial, one))

    def evict(self, pages: int) -> list[Node]:
        """Free `pages` pages of the device, or what can be freed; returns the nodes that left the device."""
        left: list[Node] = []
        declined: list[HostNode] = []
        freed = 0
        while freed < pages and self._heap:
            entry = heappop(self._heap)
            node = _host(entry[3])
            if not self._device_leaf(node) or not self._current(entry, node):
                continue
            if not (node.on_host or self._last_minute(node)):
                declined.append(node)
                continue
            freed += node.size
            left.append(node)
            self._leave_device(node)
        for node in declined:
            self.offer(node)
        return left

    def _last_minute(self, node: HostNode) -> bool:
        """Before a node leaves the device without a copy: write_back makes one, or gives up what is below."""
        return self._writes is not WritePolicy.BACK or self._copy(node) or self._drop_below(node)

    def _leave_device(self, node: HostNode) -> None:
        """Evict a leaf of the device; without a copy on the host it leaves the tree."""
        parent = _host(node.parent)
        node.on_device = node.loading = False
        parent.device_leaves -= 1
        self.pages -= node.size
        if node.on_host:
            # It may come back, but if it does not this is when it was lost.
            if self.losses is not None:
                self.losses.lose(node.ranges, node.start, node.end)
            self.offer(node)
        else:
            self._remove(node)
        self.offer(parent)

    def _drop_below(self, node: HostNode) -> bool:
        """Drop what only the host has below `node`; False, and nothing happened, if some of it is in use."""
        below: list[HostNode] = []
        stack = [node]
        while stack:
            above = stack.pop()
            children = self._children(above)
            if any(child.locks or child.loading for child in children):
                return False
            below += children
            stack += children
        for child in reversed(below):
            child.on_host = False
            self.host_pages -= child.size
            self._remove(child)
        return True

    def _children(self, node: HostNode) -> list[HostNode]:
        """Needed only when the host is full of what nothing can push out: a search through all nodes."""
        if not node.leaves:
            return []
        return [_host(other) for other in self._first.values() if other.parent is node]

    def _remove(self, node: HostNode) -> None:
        if node.leaves:
            raise RuntimeError("a node was dropped before what lies below it")
        parent = _host(node.parent)
        del self._first[node.first]
        self._twice.pop(node, None)
        node.parent = None
        parent.leaves -= 1
        self.evicted_pages += node.size
        if self.losses is not None:
            self.losses.lose(node.ranges, node.start, node.end)

    def _back_up(self, node: HostNode) -> None:
        """Copy to the host what it lacks on the way to `node`, from the top, until it finds no room."""
        chain = [node]
        above = _host(node.parent)
        while above.parent is not None and not above.on_host:
            chain.append(above)
            above = _host(above.parent)
        for one in reversed(chain):
            if not self._copy(one):
                return

    def _copy(self, node: HostNode) -> bool:
        """Copy one node to the host; False if there is no room. What was evicted for it is gone even then."""
        if self._capacity is not None:
            free = self._capacity - self.host_pages
            if free < node.size and self._evict_host(node.size - free) < node.size - free:
                return False
        node.on_host = True
        self.host_pages += node.size
        if self._writes is not WritePolicy.BACK:
            self._note(node)
        return True

    def _evict_host(self, pages: int) -> int:
        """Free pages of the host; under write_back copies of what the device has go first."""
        freed = self._drop_copies(pages) if self._writes is WritePolicy.BACK else 0
        while freed < pages and self._host_heap:
            entry = heappop(self._host_heap)
            node = entry[3]
            if not self._host_leaf(node) or not self._current(entry, node):
                continue
            freed += node.size
            self.host_pages -= node.size
            node.on_host = False
            parent = _host(node.parent)
            self._remove(node)
            self.offer(parent)
        return freed

    def _drop_copies(self, pages: int) -> int:
        """Free the host of what the device has as well, leaves of the device last: they are to leave it soon."""
        freed = 0
        stale: list[HostNode] = []
        for spare_leaves in (True, False):
            for node in self._twice:
                if freed >= pages:
                    break
                if not (node.on_device and node.on_host):
                    stale.append(node)
                elif not node.loading and not (spare_leaves and self._device_leaf(node)):
                    node.on_host = False
                    self.host_pages -= node.size
                    freed += node.size
                    stale.append(node)
        for node in stale:
            self._twice.pop(node, None)
        return freed

    def _note(self, node: HostNode) -> None:
        """It is on both tiers now. Only write_back asks for that."""
        if self._writes is WritePolicy.BACK:
            self._twice.setdefault(node)

    def _device_leaf(self, node: HostNode) -> bool:
        return node.on_device and not node.device_leaves and not node.locks and node.parent is not None

    def _host_leaf(self, node: HostNode) -> bool:
        return (
            node.on_host
            and not node.on_device
            and not node.leaves
            and not node.locks
            and node.parent is not None
        )

    def _current(self, entry: tuple[Any, int, int, Any], node: HostNode) -> bool:
        """Whether a heap entry tells how the node is now; otherwise a later entry does."""
        return node.last == entry[1] and bool(self._policy.key(node) == entry[0])

    def _split(self, lower: Node, at: int) -> Node:
        one = _host(lower)
        upper = _host(super()._split(lower, at))
        upper.on_device, upper.on_host, upper.loading = one.on_device, one.on_host, one.loading
        upper.device_leaves = int(one.on_device)
        if upper.on_device and upper.on_host and not upper.loading:
            self._note(upper)
        # An entry from before the split would have its size wrong.
        self.offer(lower)
        return upper
