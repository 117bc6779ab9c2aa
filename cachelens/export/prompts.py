"""Prompts as token ids. In: a trace. Out: the ids of one request's prompt or reply, pictures and hashes included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cachelens.model.trace import Trace, UInt32

#: Ids of contents without ids count down from here: below those of framing, above every vocabulary.
_ATOMIC = 0xFFFE0000


def prompt_ids(trace: Trace, request: int) -> UInt32:
    """Token ids of a prompt."""
    return _joined(trace, trace.segments.path(int(trace.last_segment[request])).tolist())


def output_ids(trace: Trace, request: int) -> UInt32:
    """Token ids of a reply, empty when it was not captured."""
    last, row = int(trace.last_segment[request]), int(trace.last_output[request])
    rows: list[int] = []
    while row != last:
        rows.append(row)
        row = int(trace.segments.parent[row])
    return _joined(trace, rows[::-1])


def _joined(trace: Trace, rows: Sequence[int]) -> UInt32:
    """Ids of segments in order. Contents without ids (pictures, ciphers) are as many tokens of an id of their own."""
    contents, content = trace.contents, trace.segments.content
    pieces = []
    for row in rows:
        number = int(content[row])
        own = contents.token_ids(number)
        tokens = int(contents.tokens[number])
        pieces.append(own if len(own) else np.full(tokens, _ATOMIC - number, dtype=np.uint32))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint32)
