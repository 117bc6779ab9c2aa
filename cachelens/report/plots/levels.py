"""A tree of prompts as boxes on few levels. In: stretches, levels. Out: boxes that stand below one another.

A tree of prompts is mostly chains: each turn of an agent adds to the one before. So stretches in a row with no branch
between them share a box until it is heavy enough, and branches too small to see are gathered in one box beside those
that can be seen. How heavy and how small depends on how many levels there may be: no token is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cachelens.model.pictures import Stretch

#: Branches of less than a part of all tokens sent are gathered, boxes of up to a part shared: the first that fits.
_SMALLEST = tuple(1 / parts for parts in (400, 200, 100, 50, 25, 12, 6, 3, 1))
_SHARED = tuple(1 / parts for parts in (60, 40, 28, 20, 14, 10, 7, 5, 3, 2, 1))


@dataclass(frozen=True)
class Box:
    """`level` counts from 0. `start` and `width` in tokens sent: its own, and those of all boxes below it.

    `sent_tokens` are its own, of which `hit_tokens` were served from cache, `tokens` with each counted once.
    `requests`: the most and the fewest that hold a stretch of it. `kinds`: what it is, kind and tool, most tokens sent
    first. `branches`: how many were gathered here, with all below them; 0 for stretches in a row.
    """

    level: int
    start: int
    width: int
    sent_tokens: int
    hit_tokens: int
    tokens: int
    segments: int
    requests: tuple[int, int]
    kinds: tuple[tuple[str, str | None], ...]
    branches: int = 0


@dataclass(frozen=True)
class _Tree:
    """Per stretch: its children, heaviest first, and what it and all below it weigh: tokens sent."""

    stretches: Sequence[Stretch]
    roots: list[int]
    children: list[list[int]]
    weight: list[int]

    def below(self, top: int) -> Iterator[Stretch]:
        """A stretch, and all below it."""
        stack = [top]
        while stack:
            at = stack.pop()
            yield self.stretches[at]
            stack.extend(self.children[at])


@dataclass
class _Piece:
    """A box to be: stretches in a row, or branches gathered."""

    level: int
    start: int
    members: list[Stretch] = field(default_factory=list)
    branches: int = 0
    width: int = 0


def boxes(stretches: Sequence[Stretch], levels: int) -> list[Box]:
    """Boxes on at most `levels` levels, of which there must be one at least; every token sent is in one of them."""
    tree = _tree(stretches)
    total = sum(tree.weight[root] for root in tree.roots)
    found: list[_Piece] = []
    for small in _SMALLEST:
        for shared in _SHARED:
            found = _pieces(tree, small * total, shared * total)
            if all(piece.level < levels for piece in found):
                return [_box(piece) for piece in found]
    return [_box(piece) for piece in _pieces(tree, total + 1, total)]


def _tree(stretches: Sequence[Stretch]) -> _Tree:
    children: list[list[int]] = [[] for _ in stretches]
    roots: list[int] = []
    weight = [stretch.sent_tokens for stretch in stretches]
    for at in range(len(stretches) - 1, -1, -1):
        if stretches[at].parent >= 0:
            weight[stretches[at].parent] += weight[at]
    for at, stretch in enumerate(stretches):
        (children[stretch.parent] if stretch.parent >= 0 else roots).append(at)
    for siblings in (roots, *children):
        siblings.sort(key=lambda at: (stretches[at].folded > 0, -weight[at], at))
    return _Tree(stretches, roots, children, weight)


def _pieces(tree: _Tree, small: float, shared: float) -> list[_Piece]:
    """Boxes when branches lighter than `small` are gathered, and boxes shared up to a weight of `shared`."""
    found: list[_Piece] = []
    stack = [(0, 0, *_parted(tree, tree.roots, small))]
    while stack:
        level, start, large, light = stack.pop()
        for at in large:
            row, further, gathered = _row(tree, at, small, shared)
            found.append(_Piece(level, start, [tree.stretches[one] for one in row], 0, tree.weight[at]))
            stack.append((level + 1, start, further, gathered))
            start += tree.weight[at]
        if light:
            members = [stretch for at in light for stretch in tree.below(at)]
            branches = sum(max(tree.stretches[at].folded, 1) for at in light)
            found.append(_Piece(level, start, members, branches, sum(tree.weight[at] for at in light)))
    return found


def _row(tree: _Tree, at: int, small: float, shared: float) -> tuple[list[int], list[int], list[int]]:
    """Stretches that share the box of the one `at`, the large branches after them, and all small ones beside them."""
    row, own, gathered = [at], tree.stretches[at].sent_tokens, list[int]()
    while True:
        below = tree.children[at]
        large, light = _parted(tree, below, small)
        if len(below) == 1 and light and not tree.stretches[light[0]].folded:
            at = light.pop()  # what is left of a chain: no box for so little
        elif len(large) == 1 and own + tree.stretches[large[0]].sent_tokens <= shared:
            at = large.pop()
        else:
            return row, large, gathered + light
        row.append(at)
        own += tree.stretches[at].sent_tokens
        gathered += light


def _parted(tree: _Tree, siblings: Sequence[int], small: float) -> tuple[list[int], list[int]]:
    """Branches that get boxes of their own, and those that are gathered."""
    large = [at for at in siblings if not tree.stretches[at].folded and tree.weight[at] >= small]
    return large, [at for at in siblings if tree.stretches[at].folded or tree.weight[at] < small]


def _box(piece: _Piece) -> Box:
    sent: dict[tuple[str, str | None], int] = {}
    for stretch in piece.members:
        key = (stretch.kind, stretch.name)
        sent[key] = sent.get(key, 0) + stretch.sent_tokens
    holders = [stretch.requests for stretch in piece.members]
    return Box(
        level=piece.level,
        start=piece.start,
        width=piece.width,
        sent_tokens=sum(stretch.sent_tokens for stretch in piece.members),
        hit_tokens=sum(stretch.hit_tokens for stretch in piece.members),
        tokens=sum(stretch.tokens for stretch in piece.members),
        segments=sum(stretch.segments for stretch in piece.members),
        requests=(max(holders), min(holders)),
        kinds=tuple(sorted(sent, key=lambda key: (-sent[key], key[0], key[1] or ""))),
        branches=piece.branches,
    )
