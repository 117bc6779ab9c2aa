"""The prefix forest: all prompts of a trace as one compressed radix tree per cache namespace.

In: contents (unique payloads as token ids) and, per request, the segments it is made of. Out: a
`Forest` of integer nodes. A prompt is a root-to-node path, so it is named by its last node, and no
later question needs to look at a token again. How prompts were cut into contents leaves no trace:
equal tokens share a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cachelens.model.trace import Contents, Int64, Segments, UInt32

_CHUNK_MIN = 32
_CHUNK_MAX = 1 << 16
_TOKEN_BITS = 33  # 32 for a token id, one that tells atomic contents from tokens
_ATOMIC = 1 << 32


@dataclass(frozen=True, eq=False)
class Forest:
    """Compressed radix trees over tokens, one per namespace. All arrays are indexed by node.

    The edge into node v holds the tokens at depths `start[v]` (exclusive) to `end[v]` (inclusive), in
    tokens from the start of the prompt, and hangs below node `parent[v]` (-1 for a root, whose edge is
    empty). Every other edge holds at least one token, and siblings differ in their first token.
    Children may have smaller numbers than their parents. `roots[k]` is the root of `namespaces[k]`.
    """

    parent: Int64
    start: Int64
    end: Int64
    roots: Int64
    namespaces: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.parent)

    @cached_property
    def order(self) -> Int64:
        """All nodes, parents before children (by depth, then by number)."""
        return np.argsort(self.end, kind="stable").astype(np.int64)

    @cached_property
    def heads(self) -> Int64:
        """The topmost node of the heavy path each node lies on.

        From every node the heavy path goes on into the child with the largest subtree, so a path from
        a node to its root crosses at most log2(nodes) + 1 heavy paths.
        """
        parent = self.parent.tolist()
        order = self.order.tolist()
        size = [1] * len(parent)
        heavy = [-1] * len(parent)
        for node in reversed(order):
            above = parent[node]
            if above >= 0:
                size[above] += size[node]
                rival = heavy[above]
                if rival < 0 or size[node] > size[rival]:
                    heavy[above] = node
        heads = list(range(len(parent)))
        for node in order:
            above = parent[node]
            if above >= 0 and heavy[above] == node:
                heads[node] = heads[above]
        return np.array(heads, dtype=np.int64)

    @cached_property
    def _climb(self) -> tuple[list[int], list[int], list[int]]:
        """Heads, parents and ends as lists: plain integers are several times faster than numpy scalars."""
        return self.heads.tolist(), self.parent.tolist(), self.end.tolist()

    def common_depth(self, a: int, b: int) -> int:
        """Tokens that the prompts ending at nodes `a` and `b` have in common; 0 across namespaces.

        O(log nodes).
        """
        heads, parent, end = self._climb
        while heads[a] != heads[b]:
            # The head that ends deeper cannot be above the meeting point, so its path is left behind.
            if end[heads[a]] < end[heads[b]]:
                a, b = b, a
            a = parent[heads[a]]
            if a < 0:
                return 0
        return min(end[a], end[b])


class ForestBuilder:
    """Grows a forest one content at a time. Raises ValueError if `contents` contradicts itself.

    A position is a node number. It stays valid for good: when an edge is split, the part below the
    split keeps its number.
    """

    def __init__(self, contents: Contents) -> None:
        lengths = np.diff(contents.offsets)
        if bool(np.any((lengths != 0) & (lengths != contents.tokens))) or bool(np.any(contents.tokens < 0)):
            raise ValueError("a content must have as many token ids as tokens, or none")
        self._ids = contents.ids
        self._offsets: list[int] = contents.offsets.tolist()
        self._tokens: list[int] = contents.tokens.tolist()
        self._parent: list[int] = []
        self._start: list[int] = []
        self._end: list[int] = []
        self._source: list[
            int
        ] = []  # index into ids of the edge's first token; -1 for roots and atomic edges
        self._children: dict[int, int] = {}  # (node, first token or atomic content) -> child
        self._memo: dict[tuple[int, int], int] = {}
        self._roots: dict[str, int] = {}

    def root(self, namespace: str) -> int:
        """The position before the first token of `namespace`."""
        node = self._roots.get(namespace)
        if node is None:
            node = self._roots[namespace] = self._add(-1, 0, 0, -1)
        return node

    def extend(self, node: int, content_id: int) -> int:
        """The position after `content_id` read at position `node`.

        Repeated calls cost one lookup. Raises IndexError when either is unknown.
        """
        known = self._memo.get((node, content_id))
        if known is not None:
            return known
        if not 0 <= node < len(self._parent):
            raise IndexError(f"no position {node}")
        if not 0 <= content_id < len(self._tokens):
            raise IndexError(f"no content {content_id}")
        first, last = self._offsets[content_id], self._offsets[content_id + 1]
        if self._tokens[content_id] == 0:
            found = node
        elif first == last:
            found = self._read_atomic(node, content_id)
        else:
            found = self._read(node, first, last)
        self._memo[node, content_id] = found
        return found

    def fork(self, contents: Contents) -> ForestBuilder:
        """A builder with all that this one has read, which goes on with `contents`: those of this one, then more.

        Neither sees what the other reads from now on. Raises ValueError when `contents` are others.
        """
        known = len(self._tokens)
        if len(contents) < known or contents.offsets[: known + 1].tolist() != self._offsets:
            raise ValueError("a forest goes on with the contents it was built from, and others behind them")
        other = ForestBuilder(contents)
        for name in ("_parent", "_start", "_end", "_source", "_children", "_memo", "_roots"):
            setattr(other, name, getattr(self, name).copy())
        return other

    def build(self) -> Forest:
        """The forest as it is now; the builder may go on growing."""
        return Forest(
            parent=np.array(self._parent, dtype=np.int64),
            start=np.array(self._start, dtype=np.int64),
            end=np.array(self._end, dtype=np.int64),
            roots=np.array(list(self._roots.values()), dtype=np.int64),
            namespaces=tuple(self._roots),
        )

    def _add(self, parent: int, start: int, end: int, source: int) -> int:
        self._parent.append(parent)
        self._start.append(start)
        self._end.append(end)
        self._source.append(source)
        return len(self._parent) - 1

    def _read_atomic(self, node: int, content_id: int) -> int:
        key = node << _TOKEN_BITS | _ATOMIC | content_id
        child = self._children.get(key)
        if child is None:
            depth = self._end[node]
            child = self._children[key] = self._add(node, depth, depth + self._tokens[content_id], -1)
        return child

    def _read(self, node: int, at: int, last: int) -> int:
        """Walk `ids[at:last]` down from `node`; split where it leaves an edge, add what is new as a leaf."""
        ids = self._ids
        while at < last:
            key = node << _TOKEN_BITS | int(ids[at])
            child = self._children.get(key)
            if child is None:
                depth = self._end[node]
                child = self._children[key] = self._add(node, depth, depth + last - at, at)
                return child
            edge = self._end[child] - self._start[child]
            shared = _common_length(ids, self._source[child], at, min(edge, last - at))
            node = child if shared == edge else self._split(key, child, shared)
            at += shared
        return node

    def _split(self, key: int, lower: int, length: int) -> int:
        """A new node after the first `length` tokens of the edge into `lower`, which keeps the rest."""
        start, source = self._start[lower], self._source[lower]
        upper = self._add(self._parent[lower], start, start + length, source)
        self._children[key] = upper
        self._children[upper << _TOKEN_BITS | int(self._ids[source + length])] = lower
        self._parent[lower] = upper
        self._start[lower] = start + length
        self._source[lower] = source + length
        return upper


def place(
    segments: Segments,
    contents: Contents,
    last_rows: Sequence[Int64],
    namespaces: Sequence[str],
    builder: ForestBuilder | None = None,
) -> tuple[Forest, list[Int64]]:
    """One forest for all requests of a trace, and for each array of `last_rows` the node of each request.

    Each array of `last_rows` holds one segment row per request (-1: empty), the end of some path:
    pass prompt ends and output ends together and both lie in one forest. `namespaces[i]` is the cache
    namespace of request i. `builder`: to build on, with these contents; what it has read stays in the forest.
    Costs one lookup per segment row and namespace, and O(tokens) once for each.
    Raises ValueError when lengths differ or the segments are no trie, IndexError for an unknown row.
    """
    rows = np.asarray(segments.parent, dtype=np.int64)
    if bool(np.any(rows >= np.arange(len(rows)))) or bool(np.any(rows < -1)):
        raise ValueError("a segment row must follow an earlier row, or -1")
    if any(len(ends) != len(namespaces) for ends in last_rows):
        raise ValueError("each array of last rows must have one entry per request")
    builder = ForestBuilder(contents) if builder is None else builder
    parent: list[int] = rows.tolist()
    content: list[int] = segments.content.tolist()
    known: dict[str, dict[int, int]] = {}
    for namespace in namespaces:
        if namespace not in known:
            known[namespace] = {-1: builder.root(namespace)}
    placed: list[Int64] = []
    for ends in last_rows:
        nodes: list[int] = []
        for namespace, row in zip(namespaces, ends.tolist(), strict=True):
            nodes.append(_place_row(builder, parent, content, known[namespace], row))
        placed.append(np.array(nodes, dtype=np.int64))
    return builder.build(), placed


def _place_row(
    builder: ForestBuilder, parent: list[int], content: list[int], known: dict[int, int], row: int
) -> int:
    """The position after segment `row`; `known` maps the rows of its namespace placed so far, and -1."""
    if not -1 <= row < len(parent):
        raise IndexError(f"no segment row {row}")
    pending: list[int] = []
    while row not in known:
        pending.append(row)
        row = parent[row]
    node = known[row]
    for row in reversed(pending):
        node = known[row] = builder.extend(node, content[row])
    return node


def _common_length(ids: UInt32, a: int, b: int, limit: int) -> int:
    """How many of the `limit` ids from `a` and from `b` agree before the first difference."""
    if a == b:
        return limit
    done, chunk = 0, _CHUNK_MIN
    while done < limit:
        size = min(chunk, limit - done)
        differ = ids[a + done : a + done + size] != ids[b + done : b + done + size]
        first = int(differ.argmax())
        if differ[first]:
            return done + first
        done += size
        chunk = min(chunk * 4, _CHUNK_MAX)
    return limit
