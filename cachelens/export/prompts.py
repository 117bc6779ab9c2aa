"""Prompts as token ids. In: a trace. Out: the ids of one request's prompt or reply, pictures and hashes included."""

from __future__ import annotations

import numpy as np

from cachelens.model.trace import Trace, UInt32

#: Ids of contents without ids count down from here: below those of framing, above every vocabulary.
_ATOMIC = 0xFFFE0000


def prompt_ids(trace: Trace, request: int) -> UInt32:
    """Token ids of a prompt. Contents without ids are as many tokens of an id of their own."""
    contents, content = trace.contents, trace.segments.content
    pieces = []
    for row in trace.segments.path(int(trace.last_segment[request])).tolist():
        number = int(content[row])
        own = contents.token_ids(number)
        tokens = int(contents.tokens[number])
        pieces.append(own if len(own) else np.full(tokens, _ATOMIC - number, dtype=np.uint32))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint32)


def output_ids(trace: Trace, request: int) -> list[int]:
    """Token ids of a reply, empty when it was not captured."""
    last, row = int(trace.last_segment[request]), int(trace.last_output[request])
    pieces: list[list[int]] = []
    while row != last:
        pieces.append(trace.contents.token_ids(int(trace.segments.content[row])).tolist())
        row = int(trace.segments.parent[row])
    return [token for piece in reversed(pieces) for token in piece]
