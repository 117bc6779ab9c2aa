"""The radix tree of prompts, as stretches. In: a case and its positions. Out: at most so many `Stretch`es."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush

from cachelens.advise.case import Case
from cachelens.model.kinds import KINDS
from cachelens.model.pictures import Stretch
from cachelens.pipeline.pictures.placed import Placed

#: Stretches told apart; what is smaller is folded.
_MOST = 1_500


@dataclass
class _Node:
    """A stretch while it is put together. `weight`: tokens sent of it and of all below it."""

    kind: str
    name: str | None
    depth: int
    tokens: int
    requests: int
    sent: int
    hit: int
    repeated: int
    segments: int = 1
    weight: int = 0
    children: list[int] = field(default_factory=list)


def stretches(case: Case, where: Placed, most: int = _MOST) -> tuple[Stretch, ...]:
    """The tree of all prompts, parents first, heaviest child first; the lightest beyond `most` are folded."""
    nodes, roots = _merged(case, where)
    kept = _heaviest(nodes, roots, most)
    rows: list[Stretch] = []
    stack: list[tuple[list[int], int]] = [(roots, -1)]
    while stack:
        children, parent = stack.pop()
        told = [at for at in children if at in kept]
        for at in sorted(told, key=lambda at: (-nodes[at].weight, at)):
            node = nodes[at]
            stack.append((node.children, len(rows)))
            rows.append(
                Stretch(
                    parent=parent,
                    kind=node.kind,
                    name=node.name,
                    depth=node.depth,
                    segments=node.segments,
                    tokens=node.tokens,
                    requests=node.requests,
                    sent_tokens=node.sent,
                    hit_tokens=node.hit,
                    repeated_tokens=node.repeated,
                )
            )
        folded = [at for at in children if at not in kept]
        if folded:
            rows.append(_folded(nodes, folded, parent))
    return tuple(rows)


def _merged(case: Case, where: Placed) -> tuple[list[_Node], list[int]]:
    """Stretches of rows that stand in the same prompts and are of one kind; and those that begin prompts.

    Rows of the same prefix that differ in their markers alone are one.
    """
    segments, tree = case.trace.segments, case.tree
    kinds, parent = segments.kind.tolist(), segments.parent.tolist()
    requests, sent, hit, repeated = (
        column.tolist() for column in (where.requests, where.sent, where.hit, where.repeated)
    )
    merged: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row, twin in enumerate(tree.twin):
        if requests[row]:
            for at, value in enumerate((requests[row], sent[row], hit[row], repeated[row])):
                merged[twin][at] += value
    below: dict[int, list[int]] = defaultdict(list)
    for row in merged:
        above = parent[row]
        below[tree.twin[above] if above >= 0 else -1].append(row)
    nodes: list[_Node] = []
    node_of: dict[int, int] = {}
    roots: list[int] = []
    for row in sorted(merged):
        above = tree.twin[parent[row]] if parent[row] >= 0 else -1
        own = merged[row]
        name = case.name(row)
        joins = node_of.get(above)
        if joins is not None and len(below[above]) == 1:
            node = nodes[joins]
            if (node.kind, node.name, node.requests) == (KINDS[kinds[row]], name, own[0]):
                node.segments += 1
                node.tokens += case.tokens(row)
                node.sent, node.hit, node.repeated = (
                    node.sent + own[1],
                    node.hit + own[2],
                    node.repeated + own[3],
                )
                node_of[row] = joins
                continue
        node_of[row] = len(nodes)
        (roots if joins is None else nodes[joins].children).append(len(nodes))
        held, whole, served, again = own
        nodes.append(
            _Node(KINDS[kinds[row]], name, tree.start[row], case.tokens(row), held, whole, served, again)
        )
    for at in range(len(nodes) - 1, -1, -1):  # children follow their parents
        node = nodes[at]
        node.weight = node.sent + sum(nodes[child].weight for child in node.children)
    return nodes, roots


def _heaviest(nodes: list[_Node], roots: list[int], most: int) -> set[int]:
    """The `most` heaviest stretches, each with all above it."""
    kept: set[int] = set()
    heap: list[tuple[int, int]] = []
    for at in roots:
        heappush(heap, (-nodes[at].weight, at))
    while heap and len(kept) < most:
        _, at = heappop(heap)
        kept.add(at)
        for child in nodes[at].children:
            heappush(heap, (-nodes[child].weight, child))
    return kept


def _folded(nodes: list[_Node], roots: list[int], parent: int) -> Stretch:
    """All of these and what is below them, as one."""
    tokens = segments = requests = sent = hit = repeated = count = 0
    depth = min(nodes[at].depth for at in roots)
    stack = list(roots)
    while stack:
        node = nodes[stack.pop()]
        stack += node.children
        count += 1
        tokens, segments = tokens + node.tokens, segments + node.segments
        requests = max(requests, node.requests)
        sent, hit, repeated = sent + node.sent, hit + node.hit, repeated + node.repeated
    return Stretch(
        parent=parent,
        kind="other",
        name=None,
        depth=depth,
        segments=segments,
        tokens=tokens,
        requests=requests,
        sent_tokens=sent,
        hit_tokens=hit,
        repeated_tokens=repeated,
        folded=count,
    )
