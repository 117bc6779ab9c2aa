"""Thinking that a harness sends back and a server may leave out. In: `Part`s of messages. Out: those that stay.

Part by part and pure: which messages lose their thinking is decided by whoever puts the prompt together.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.ingest.dialects.base import Part


def is_thinking(part: Part) -> bool:
    """Whether the part is an assistant's thinking: text, or sealed."""
    return part.kind == "thinking" and part.role == "assistant"


def without_thinking(parts: Sequence[Part], renders_empty: bool) -> list[Part]:
    """`parts` of one message, or of several, without their thinking.

    The part that is then first in its message carries its frame; a cache marker goes to the part before. Of a
    message that was nothing but thinking nothing stays, or its frame alone if the API renders empty messages.
    """
    kept: list[Part] = []
    starts, marker = False, 0
    for part in parts:
        if is_thinking(part):
            starts = starts or part.starts
            if kept and not starts:
                last = kept[-1]
                kept[-1] = last._replace(breakpoint_s=max(last.breakpoint_s, part.breakpoint_s))
            else:
                marker = max(marker, part.breakpoint_s)
            continue
        if part.starts and starts:  # a message before this one is gone, and so is its marker
            marker = 0
        kept.append(part._replace(starts=part.starts or starts, breakpoint_s=max(part.breakpoint_s, marker)))
        starts, marker = False, 0
    if renders_empty and parts and not kept:
        kept.append(Part("assistant", "assistant", "", parts[0].field, starts=True, breakpoint_s=marker))
    return kept


def is_user_turn(parts: Sequence[Part]) -> bool:
    """Whether a message is a turn of the user: one of its parts is neither a tool's result nor inside one.

    Pictures and files inside a result carry its id, or its name where the API gives it no id.
    """
    results = {part.name for part in parts if part.kind == "tool_result" and part.name is not None}
    return any(
        part.role == "user"
        and part.kind != "tool_result"
        and part.call_id is None
        and part.name not in results
        for part in parts
    )
