"""A radix tree that caches whole nodes, as SGLang's does. In: paths as page ranges. Out: matches, evictions.

The tree changes as the real one does: it splits where paths part, and drops whole leaves. Its nodes are
stretches of paths of the static forest, so that a step costs two integer comparisons whatever its length.
Sizes are in pages. The clock ticks once per match, per insertion and per new node, as the real clock
moves on between them.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, ClassVar

from cachelens.prefix.paths import Ranges, common_pages
from cachelens.simulate.losses import Losses
from cachelens.simulate.policies.base import Policy


class Node:
    """A stretch of pages [start, end) of the path `ranges`. `locks` counts the requests that end here.

    An ancestor of a locked node is no leaf, so locking the end of a path keeps all of it.
    """

    __slots__ = (
        "created",
        "depth",
        "end",
        "first",
        "high_water",
        "hits",
        "last",
        "last_page",
        "leaves",
        "locks",
        "parent",
        "priority",
        "ranges",
        "start",
    )

    def __init__(self, parent: Node | None, ranges: Ranges, start: int, end: int, page: int) -> None:
        self.parent = parent
        self.ranges = ranges
        self.start = start
        self.end = end
        self.depth = start * page
        self.first = _page_at(ranges, start) if end > start else -1
        self.last_page = _page_at(ranges, end - 1) if end > start else -1
        self.leaves = 0  # children
        self.locks = 0
        self.last = self.created = 0
        self.hits = 0
        self.priority = 0
        self.high_water = 0


def _page_at(ranges: Ranges, page: int) -> int:
    """The number of page `page` of a path."""
    for hi, shift in ranges:
        if page < hi:
            return shift + page
    raise IndexError(f"no page {page} on this path")


class RadixTree:
    """Cached pages. `pages` are held now, `evicted_pages` were dropped so far.

    `split_is_new`: the upper part of a split counts as created now (SGLang's classic tree), otherwise when
    its node was (the unified tree). `losses`, if given, is told what leaves. `evicts`: whether anything
    ever leaves; if not, nothing is kept of what eviction alone would ask.
    """

    node_type: ClassVar[type[Node]] = Node

    def __init__(
        self,
        page: int,
        policy: Policy,
        split_is_new: bool,
        losses: Losses | None = None,
        evicts: bool = True,
    ) -> None:
        self.page = page
        self._evicts = evicts
        self.losses = losses
        self.pages = 0
        self.evicted_pages = 0
        self.root = self.node_type(None, (), 0, 0, page)
        self._policy = policy
        self._split_is_new = split_is_new
        self._clock = 0
        self._first: dict[int, Node] = {}  # number of its first page -> node
        self._heap: list[tuple[Any, int, int, Node]] = []  # may hold what no longer is evictable or as it was
        self._serial = 0

    def match(self, ranges: Ranges, limit: int) -> Node:
        """The deepest node on a path whose pages are cached, at most `limit` pages deep; refreshes the way.

        As in the real tree a lookup splits the node inside which the path ends.
        """
        if limit <= 0:
            return self.root
        self._clock += 1
        clock, first = self._clock, self._first
        node, depth, at = self.root, 0, 0
        hi, shift = ranges[0]
        while depth < limit:
            while depth >= hi:
                at += 1
                hi, shift = ranges[at]
            child = first.get(shift + depth)
            if child is None:
                break
            child.last = clock
            depth = child.end
            if depth <= limit:
                while depth > hi and at + 1 < len(ranges):
                    at += 1
                    hi, shift = ranges[at]
                if child.last_page == shift + depth - 1:
                    node = child
                    continue
            node = self._split(child, min(common_pages(ranges, child.ranges), limit))
            break
        self.offer(node)
        return node

    def insert(
        self, ranges: Ranges, pages: int, priority: int = 0, counted: int = 0, known: Node | None = None
    ) -> Node:
        """Publish the first `pages` pages of a path; returns the node that ends it.

        Nodes that end within the first `counted` pages were counted for this request before. `known` is a
        node on this path that was found already: the way to it need not be looked up again.
        """
        if pages <= 0:
            return self.root
        self._clock += 1
        clock, first = self._clock, self._first
        high_water = pages * self.page
        node, at = self.root, 0
        if known is not None and known.end <= pages:
            node = known
            if self._evicts:
                self._pass(known, clock, priority, counted, high_water)
        depth = node.end
        hi, shift = ranges[0]
        while depth < pages:
            while depth >= hi:
                at += 1
                hi, shift = ranges[at]
            child = first.get(shift + depth)
            if child is None:
                break
            child.last = clock
            end = child.end
            whole = False
            if end <= pages:
                while end > hi and at + 1 < len(ranges):
                    at += 1
                    hi, shift = ranges[at]
                whole = child.last_page == shift + end - 1
            if not whole:
                child = self._split(child, min(common_pages(ranges, child.ranges), pages))
            node = child
            depth = node.end
            if node.priority < priority:
                node.priority = priority
            if depth > counted:
                node.hits += 1
            if node.high_water < high_water:
                node.high_water = high_water
            if not whole:
                break
        if depth < pages:
            leaf = self.node_type(node, ranges, depth, pages, self.page)
            self._clock += 1
            leaf.last = leaf.created = self._clock
            leaf.priority = priority
            leaf.hits = 1 if pages > counted else 0
            leaf.high_water = high_water
            node.leaves += 1
            self._first[leaf.first] = leaf
            self.pages += pages - depth
            node = leaf
        self.offer(node)
        return node

    def _pass(self, node: Node, clock: int, priority: int, counted: int, high_water: int) -> None:
        """Mark `node` and all above it as passed by an insertion."""
        above: Node | None = node
        while above is not None:
            above.last = clock
            if above.priority < priority:
                above.priority = priority
            if above.end > counted:
                above.hits += 1
            if above.high_water < high_water:
                above.high_water = high_water
            above = above.parent

    def lock(self, node: Node) -> None:
        """Keep `node` and the way to it."""
        node.locks += 1

    def unlock(self, node: Node) -> None:
        """Undo one `lock`."""
        node.locks -= 1
        self.offer(node)

    def offer(self, node: Node) -> None:
        """Tell that `node` may have become evictable, or changed its place among those that are."""
        if self._evicts and not node.leaves and not node.locks and node.parent is not None:
            self._serial += 1
            heappush(self._heap, (self._policy.key(node), node.last, self._serial, node))

    def evict(self, pages: int) -> list[Node]:
        """Drop leaves until at least `pages` pages are free, or none is left; returns what was dropped."""
        if not self._evicts:
            raise RuntimeError("a tree that never evicts was asked to")
        dropped: list[Node] = []
        heap, key = self._heap, self._policy.key
        freed = 0
        while freed < pages and heap:
            wanted, last, _, node = heappop(heap)
            parent = node.parent
            if node.leaves or node.locks or parent is None or node.last != last or key(node) != wanted:
                continue  # an entry from before it changed; a later one says how it is now
            freed += node.end - node.start
            del self._first[node.first]
            node.parent = None
            parent.leaves -= 1
            self.offer(parent)
            dropped.append(node)
        self.pages -= freed
        self.evicted_pages += freed
        if self.losses is not None:
            for node in dropped:
                self.losses.lose(node.ranges, node.start, node.end)
        return dropped

    def pages_in_use(self, ends: list[Node]) -> int:
        """Pages on the ways to `ends`, each counted once."""
        seen: set[int] = set()
        total = 0
        for end in ends:
            node: Node | None = end
            while node is not None and id(node) not in seen:
                seen.add(id(node))
                total += node.end - node.start
                node = node.parent
        return total

    def _split(self, lower: Node, at: int) -> Node:
        """A new node for the pages of `lower` before page `at`; `lower` keeps the rest, and its locks."""
        parent = lower.parent
        if parent is None:
            raise RuntimeError("a node that is not in the tree was reached")
        upper = self.node_type(parent, lower.ranges, lower.start, at, self.page)
        self._clock += 1
        upper.last = self._clock
        upper.created = self._clock if self._split_is_new else lower.created
        upper.hits = lower.hits
        upper.priority = lower.priority
        upper.high_water = lower.high_water
        upper.leaves = 1
        self._first[upper.first] = upper
        lower.parent = upper
        lower.start = at
        lower.depth = at * self.page
        lower.first = _page_at(lower.ranges, at)
        self._first[lower.first] = lower
        self.offer(lower)
        return upper
