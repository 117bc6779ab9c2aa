"""A forest changed without reading tokens again. In: a forest and nodes. Out: a forest with more nodes.

Node numbers of the old forest stay valid in the new one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.forest import Forest


def cut(forest: Forest, nodes: Int64, depths: Int64) -> tuple[Forest, Int64]:
    """Nodes that end exactly at `depths[i]` tokens on the paths to `nodes[i]`; edges are split for them.

    A depth must lie between 0 and the end of its node. Raises ValueError otherwise.
    """
    if bool(np.any(depths < 0)) or bool(np.any(depths > forest.end[nodes])):
        raise ValueError("a depth must lie on the path to its node")
    parent: list[int] = forest.parent.tolist()
    start: list[int] = forest.start.tolist()
    end: list[int] = forest.end.tolist()
    inside: dict[int, dict[int, list[int]]] = {}  # node -> depth inside its edge -> entries
    found = [0] * len(nodes)
    for at, (node, depth) in enumerate(zip(nodes.tolist(), depths.tolist(), strict=True)):
        while depth <= start[node] and parent[node] >= 0:
            node = parent[node]
        found[at] = node
        if depth != end[node]:
            inside.setdefault(node, {}).setdefault(depth, []).append(at)
    for node, wanted in inside.items():
        # From the bottom up each split makes a new upper part; the node itself keeps the lowest tokens.
        upper, top = parent[node], start[node]
        for depth in sorted(wanted):
            parent.append(upper)
            start.append(top)
            end.append(depth)
            upper, top = len(parent) - 1, depth
            for at in wanted[depth]:
                found[at] = upper
        parent[node], start[node] = upper, top
    grown = replace(
        forest,
        parent=np.array(parent, dtype=np.int64),
        start=np.array(start, dtype=np.int64),
        end=np.array(end, dtype=np.int64),
    )
    return grown, np.array(found, dtype=np.int64)


def hang(forest: Forest, nodes: Int64, lengths: Int64) -> tuple[Forest, Int64]:
    """A leaf of its own below each of `nodes`, of `lengths[i]` tokens that nothing else holds.

    Where a length is 0 the node itself is returned.
    """
    grows = lengths > 0
    hung = np.flatnonzero(grows)
    ends = nodes.copy()
    ends[hung] = len(forest) + np.arange(len(hung))
    below = forest.end[nodes[hung]]
    grown = replace(
        forest,
        parent=np.concatenate([forest.parent, nodes[hung]]),
        start=np.concatenate([forest.start, below]),
        end=np.concatenate([forest.end, below + lengths[hung]]),
    )
    return grown, ends
