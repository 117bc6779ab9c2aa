"""A trace with its prompts put together in another order. In: a Trace. Out: a Trace, contents untouched.

Render order belongs to the cache, not to the body: some servers put tool definitions before the system
prompt, others after it, and the same edit then costs everything in one and little in the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.render import Render
from cachelens.model.trace import Int64, Segments, Trace

Order = Literal["tools-first", "system-first"]

_TOOLS = KIND_CODE["tools"]
_SYSTEM = (ROLE_CODE["system"], ROLE_CODE["developer"])


def reorder(trace: Trace, order: Order) -> Trace:
    """`trace` with tool definitions before or behind the leading system prompt of every request.

    Lengths stay as they are. Costs O(segment rows). The same trace when nothing changes.
    """
    segments = trace.segments
    head = _head(segments)
    parent = segments.parent.tolist()
    tools = (segments.kind == _TOOLS).tolist()
    source: list[int] = []  # new row -> the old row it is a copy of
    above: list[int] = []  # new row -> new parent
    placed = [-1] * len(parent)  # old row after the head, or at its end -> new row
    known: dict[tuple[int, int, int], int] = {}
    content = segments.content.tolist()
    marks = segments.breakpoint_s.tolist()

    def place_head(row: int) -> int:
        """The new row that ends the head whose last old row is `row`."""
        rows: list[int] = []
        at = row
        while at >= 0:
            rows.append(at)
            at = parent[at]
        rows.reverse()
        first = [r for r in rows if tools[r] == (order == "tools-first")]
        last = [r for r in rows if tools[r] != (order == "tools-first")]
        below = -1
        for r in [*first, *last]:
            # Equal contents at the same place are one row, whichever old row they came from.
            key = (below, content[r], marks[r])
            if key not in known:
                known[key] = len(source)
                source.append(r)
                above.append(below)
            below = known[key]
        return below

    ends = {row for row in [*trace.last_segment.tolist(), *trace.last_output.tolist()] if row >= 0}
    for row, before in enumerate(parent):
        if head[row]:
            if row in ends:
                placed[row] = place_head(row)
            continue
        if before >= 0 and head[before] and placed[before] < 0:
            placed[before] = place_head(before)
        source.append(row)
        above.append(placed[before] if before >= 0 else -1)
        placed[row] = len(source) - 1
    if source == list(range(len(parent))) and above == parent:
        return trace
    taken = np.array(source, dtype=np.int64)
    where = np.array([*placed, -1], dtype=np.int64)
    return replace(
        trace,
        segments=segments.rearranged(taken, above),
        last_segment=_mapped(where, trace.last_segment),
        last_output=_mapped(where, trace.last_output),
        render=str(replace(Render.parse(trace.render), order=order)),
    )


def _head(segments: Segments) -> list[bool]:
    """Whether a row and all before it are tool definitions or the leading system prompt."""
    leading = (segments.kind == _TOOLS) | np.isin(segments.role, _SYSTEM)
    head: list[bool] = []
    for own, before in zip(leading.tolist(), segments.parent.tolist(), strict=True):
        head.append(own and (before < 0 or head[before]))
    return head


def _mapped(where: Int64, rows: Int64) -> Int64:
    return np.asarray(where[rows], dtype=np.int64)
