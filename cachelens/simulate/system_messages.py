"""System messages in mid-conversation, in front or where they were sent. In: a Trace. Out: a Trace.

Some servers move them to the front (hoist): a new one then changes the beginning of the prompt, and everything
behind it is computed again, although the bodies only grew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from cachelens.ingest.dialects import DIALECTS
from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.render import Render
from cachelens.model.trace import Int64, Trace

_TOOLS = KIND_CODE["tools"]
_SYSTEM = (ROLE_CODE["system"], ROLE_CODE["developer"])
#: Where the messages of a body stand, and which of them it is.
_MESSAGE = re.compile(r"^(?:messages|input|contents)\[(\d+)\]")


def late_system_rows(trace: Trace) -> Int64:
    """Rows of system messages that stand behind a message of another role."""
    segments = trace.segments
    system = np.isin(segments.role, _SYSTEM)
    behind = [False] * len(segments)  # whether something else precedes the row
    other = (~system & (segments.kind != _TOOLS)).tolist()
    for row, before in enumerate(segments.parent.tolist()):
        behind[row] = before >= 0 and (behind[before] or other[before])
    late = np.array(behind, dtype=np.bool_) & system & (segments.kind != _TOOLS)
    return np.flatnonzero(late).astype(np.int64)


def hoisted_rows(trace: Trace, path: Sequence[int]) -> list[int]:
    """Rows of one prompt that hold system messages which the body has behind one of another role.

    Bodies of the same text share rows, and a row tells where its message stood when it was sent first.
    """
    first = _first_of_others(trace, path)
    system = [row for row in path if int(trace.segments.role[row]) in _SYSTEM]
    return [row for row in system if (number := _message(trace, row)) is not None and number > first]


def system_hoisted(trace: Trace) -> Trace:
    """`trace` with all system messages behind the leading ones, in order. The same trace where nothing moves.

    The result is what reading the captures in the rendering `system-hoisted` gives.
    """
    late = set(late_system_rows(trace).tolist())
    if not late:
        return trace
    dialects = trace.requests["dialect"].to_list()

    def arrange(request: int, path: Sequence[int]) -> list[int]:
        moved = [row for row in path if row in late]
        if not moved:
            return list(path)
        at = _behind_leading(trace, path, dialects[request])
        return [*path[:at], *moved, *(row for row in path[at:] if row not in late)]

    return _rearranged(trace, arrange, "system-hoisted")


def system_in_place(trace: Trace) -> Trace:
    """A hoisted `trace` with system messages where the body has them. The same trace where none was hoisted."""
    if Render.parse(trace.render).system != "system-hoisted":
        return trace

    def arrange(request: int, path: Sequence[int]) -> list[int]:
        moved = set(hoisted_rows(trace, path))
        arranged: list[int] = [row for row in path if row not in moved]
        for row in path:
            if row in moved:
                number = _message(trace, row) or 0
                arranged.insert(_place(trace, arranged, number), row)
        return arranged

    return _rearranged(trace, arrange, "system-in-place")


def _place(trace: Trace, path: Sequence[int], number: int) -> int:
    """Where in a prompt message `number` belongs: before the first message behind it."""
    leading = True
    for at, row in enumerate(path):
        leading = leading and _in_head(trace, row)
        own = _message(trace, row)
        if not leading and own is not None and own > number:
            return at
    return len(path)


def _first_of_others(trace: Trace, path: Sequence[int]) -> float:
    """Number of the first message of a prompt that is no system message; infinite when there is none."""
    for row in path:
        if int(trace.segments.role[row]) not in _SYSTEM and (number := _message(trace, row)) is not None:
            return number
    return float("inf")


def _message(trace: Trace, row: int) -> int | None:
    """Which message of the body a row belongs to, None for what is no message."""
    found = _MESSAGE.match(trace.segments.location(row))
    return int(found.group(1)) if found else None


def _in_head(trace: Trace, row: int) -> bool:
    return int(trace.segments.kind[row]) == _TOOLS or int(trace.segments.role[row]) in _SYSTEM


def _behind_leading(trace: Trace, path: Sequence[int], dialect: str) -> int:
    """Where hoisted messages go: behind the leading system prompt, or where there would be one."""
    head = next((at for at, row in enumerate(path) if not _in_head(trace, row)), len(path))
    system = [at for at in range(head) if int(trace.segments.kind[path[at]]) != _TOOLS]
    if system:
        return system[-1] + 1
    return head if _order(trace, dialect) == "tools-first" else 0


def _order(trace: Trace, dialect: str) -> Literal["tools-first", "system-first"]:
    """What stands first in prompts of a dialect."""
    order = Render.parse(trace.render).order
    if order is not None:
        return order
    rendered: Literal["tools-first", "system-first"] = DIALECTS.load(dialect).render
    return rendered


def _rearranged(
    trace: Trace,
    arrange: Callable[[int, Sequence[int]], list[int]],
    system: Literal["system-in-place", "system-hoisted"],
) -> Trace:
    segments = trace.segments
    parents: list[int] = []
    source: list[int] = []
    known: dict[tuple[int, int], int] = {}

    def follow(at: int, rows: Sequence[int]) -> int:
        for row in rows:
            found = known.get((at, row))
            if found is None:
                found = known[at, row] = len(source)
                source.append(row)
                parents.append(at)
            at = found
        return at

    lasts: list[int] = []
    outputs: list[int] = []
    ends = zip(trace.last_segment.tolist(), trace.last_output.tolist(), strict=True)
    for request, (last, output) in enumerate(ends):
        path = segments.path(last).tolist()
        end = follow(-1, arrange(request, path))
        lasts.append(end)
        outputs.append(follow(end, segments.path(output).tolist()[len(path) :]))
    taken = np.array(source, dtype=np.int64)
    return replace(
        trace,
        segments=segments.rearranged(taken, parents),
        last_segment=np.array(lasts, dtype=np.int64),
        last_output=np.array(outputs, dtype=np.int64),
        render=str(replace(Render.parse(trace.render), system=system)),
    )
