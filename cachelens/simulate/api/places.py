"""Where the blocks of prompts end. In: a workload. Out: `Places`, one per distinct end of a segment.

A place is a segment row under one cache namespace. Its position names the tokens before it: equal tokens of
one namespace have the same position, however they were cut into segments. Costs O(rows), not O(requests
x rows): prompts that share a beginning share its places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.trace import Segments
from cachelens.simulate.workload import Workload

#: Levels of a prompt in the order in which a change of one invalidates those after it.
TOOLS, SYSTEM, MESSAGES = range(3)

_TOP = re.compile(r"[^\[]*(?:\[\d+\])?[^\[]*(?:\[\d+\])?")
_DEPTH_BITS = 40


@dataclass(frozen=True, eq=False)
class Places:
    """Lists with one entry per place; `last[i]` is the place that ends the prompt of request i (-1: none).

    `parent`: the place before, -1 at the start. `position`: number of the tokens up to here; `depth`: how many
    they are. `block`: content blocks up to here, this one included; the parts of one block share a number.
    `level`: TOOLS, SYSTEM or MESSAGES. `mark_s`: lifetime of the marker here, 0 for none; `marked`: the
    nearest place with a marker, itself included, or -1. `markable`: an automatic marker may stand here.
    """

    parent: list[int]
    position: list[int]
    depth: list[int]
    block: list[int]
    level: list[int]
    mark_s: list[int]
    marked: list[int]
    markable: list[bool]
    last: list[int]


def places(work: Workload) -> Places:
    """The places of all prompts of `work.order`."""
    trace, forest = work.trace, work.forest
    segments = trace.segments
    above: list[int] = segments.parent.tolist()
    tokens: list[int] = trace.contents.tokens[segments.content].tolist()
    facts = _Rows(segments, tokens)
    row_depth: list[int] = []
    for row, before in enumerate(above):
        row_depth.append(tokens[row] + (row_depth[before] if before >= 0 else 0))
    start: list[int] = forest.start.tolist()
    up: list[int] = forest.parent.tolist()
    ends: list[int] = work.prompt.tolist()
    namespaces: list[str] = trace.requests["namespace"].to_list()
    rows: list[int] = trace.last_segment.tolist()

    found = Places([], [], [], [], [], [], [], [], [-1] * len(rows))
    known: dict[str, dict[int, int]] = {}
    positions: dict[int, int] = {}
    for request in work.order.tolist():
        mine = known.setdefault(namespaces[request], {-1: -1})
        row, node = rows[request], ends[request]
        pending: list[tuple[int, int]] = []
        while row not in mine:
            depth = row_depth[row]
            # The edge that holds the last token of the row; only the part of the path that is new is climbed.
            while start[node] >= depth and up[node] >= 0:
                node = up[node]
            position = positions.setdefault(node << _DEPTH_BITS | depth, len(positions))
            pending.append((row, position))
            row = above[row]
        at = mine[row]
        for row, position in reversed(pending):
            at = mine[row] = facts.add(found, at, row, row_depth[row], position)
        found.last[request] = at
    return found


class _Rows:
    """What of a segment row matters to a place, looked up once."""

    def __init__(self, segments: Segments, tokens: list[int]) -> None:
        self._mark: list[int] = segments.breakpoint_s.tolist()
        self._kind: list[int] = segments.kind.tolist()
        self._role: list[int] = segments.role.tolist()
        self._tokens = tokens
        self._above: list[int] = segments.parent.tolist()
        # Of `messages[7].content[2].content[0].text` only `messages[7].content[2]` is a block of its own.
        self._top: list[str] = [_top(segments.location(row)) for row in range(len(segments))]

    def add(self, places: Places, before: int, row: int, depth: int, position: int) -> int:
        """A new place for `row` after the place `before`."""
        number = len(places.parent)
        mark = self._mark[row]
        places.parent.append(before)
        places.position.append(position)
        places.depth.append(depth)
        places.block.append(self._blocks(places, before, row))
        places.level.append(max(self._level(row), places.level[before] if before >= 0 else TOOLS))
        places.mark_s.append(mark)
        places.marked.append(number if mark else places.marked[before] if before >= 0 else -1)
        places.markable.append(self._kind[row] != KIND_CODE["thinking"] and self._tokens[row] > 0)
        return number

    def _blocks(self, places: Places, before: int, row: int) -> int:
        so_far = places.block[before] if before >= 0 else 0
        if self._tokens[row] == 0 and self._kind[row] == KIND_CODE["tools"]:
            return so_far  # a tool whose loading is deferred is not in the prompt
        prior = self._above[row]
        same = prior >= 0 and self._top[row] != "" and self._top[row] == self._top[prior]
        return so_far if same else so_far + 1

    def _level(self, row: int) -> int:
        if self._kind[row] == KIND_CODE["tools"]:
            return TOOLS
        return SYSTEM if self._role[row] in (ROLE_CODE["system"], ROLE_CODE["developer"]) else MESSAGES


def _top(field: str) -> str:
    """The part of a path that names a content block; empty where each path is a block of its own."""
    found = _TOP.match(field)
    top = found.group() if found else ""
    return top if top.endswith("]") else ""
