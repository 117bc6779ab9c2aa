"""Requests on the lines of a picture, one below the other. In: blocks, room. Out: lines, each with its place.

Lineages stand apart by a gap; where there are too many of them sessions do, and where there are too many of those
nothing does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cachelens.model.rows import RequestRow
from cachelens.report.plots.blocks import Block, names

#: Lines at most, gaps not counted; stacks that stand apart.
_LINES, _APART = 400, 48
#: All gaps together take no more than one in so many lines.
_GAPS = 7


@dataclass(frozen=True)
class Line:
    """`place` counts lines from the top, gaps included; `first` requests above it."""

    place: int
    stack: int
    first: int
    requests: tuple[RequestRow, ...]

    @property
    def end(self) -> int:
        """Tokens of the longest prompt."""
        return max(row.prompt_tokens for row in self.requests)


@dataclass(frozen=True)
class Stack:
    """Lines without a gap, from `top` to before `low`. `name` as captured, empty when there is only one."""

    name: str
    requests: int
    top: int
    low: int


@dataclass(frozen=True)
class Stacking:
    """`each`: requests on one line at most. `by`: what the stacks are, `lineage`, `session` or `all`. `requests`
    with their numbers, from top to bottom."""

    lines: tuple[Line, ...]
    stacks: tuple[Stack, ...]
    each: int
    by: str
    requests: tuple[tuple[int, RequestRow], ...]

    @property
    def places(self) -> int:
        """Lines and gaps."""
        return self.lines[-1].place + 1

    def line(self, at: int) -> Line:
        """The line of the request with `at` requests above it."""
        low, high = 0, len(self.lines) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.lines[middle].first <= at else (low, middle - 1)
        return self.lines[low]


def stacking(blocks: Sequence[Block]) -> Stacking:
    """All requests of `blocks`, of which there must be one at least, one block after the other."""
    by, piles = _piles(blocks)
    total = sum(len(rows) for _, rows in piles)
    each = max(1, -(-total // _LINES))
    rows = sum(-(-len(rows) // each) for _, rows in piles)
    gap = max(1, rows // (_GAPS * 12)) if len(piles) > 1 else 0
    gap = max(1, min(gap, rows // (_GAPS * max(len(piles) - 1, 1)))) if gap else 0
    lines: list[Line] = []
    stacks: list[Stack] = []
    place = first = 0
    for number, (name, requests) in enumerate(piles):
        top = place
        for at in range(0, len(requests), each):
            lines.append(Line(place, number, first + at, requests[at : at + each]))
            place += 1
        stacks.append(Stack(name if len(piles) > 1 else "", len(requests), top, place))
        place += gap
        first += len(requests)
    ordered = tuple(pair for block in blocks for pair in zip(block.numbers, block.requests, strict=True))
    return Stacking(tuple(lines), tuple(stacks), each, by, ordered)


def _piles(blocks: Sequence[Block]) -> tuple[str, list[tuple[str, tuple[RequestRow, ...]]]]:
    """What stands apart, with its name."""
    if len(blocks) <= _APART:
        return "lineage", [(name, block.requests) for name, block in zip(names(blocks), blocks, strict=True)]
    sessions: dict[str, list[RequestRow]] = {}
    for block in blocks:
        sessions.setdefault(block.session_id, []).extend(block.requests)
    if len(sessions) <= _APART:
        return "session", [(name, tuple(rows)) for name, rows in sessions.items()]
    return "all", [("", tuple(row for rows in sessions.values() for row in rows))]
