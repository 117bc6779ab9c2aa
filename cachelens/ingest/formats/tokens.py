"""Traces of token ids, one request a line. Out: a TokenRequest for each.

Tokens are cut into blocks of 256, counted from the start, so equal beginnings become equal blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
import numpy as np

from cachelens.ingest.exchange import Block, TokenRequest
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.source import Source

#: Tokens in a block.
BLOCK_TOKENS = 256
_BLOCK_BYTES = BLOCK_TOKENS * 4

_Token = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class _Line(msgspec.Struct):
    tokens: list[_Token]
    output_tokens: list[_Token] | int | None = None
    request_id: str | int | None = None
    timestamp: Time = None
    duration_s: float | None = None
    namespace: str | None = None
    priority: int = 0
    session_id: str | None = None
    model: str | None = None


_DECODER = msgspec.json.Decoder(_Line)


class Tokens:
    """Token trace JSONL: `{"request_id", "tokens": [...], "output_tokens": [...], "timestamp"}`."""

    name = "tokens"
    note = ""

    def claim(self, source: Source) -> float:
        """Sure when `tokens` is a list of numbers."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[TokenRequest]:
        """A TokenRequest for each line with tokens. `output_tokens` may be ids or a count."""
        for number, line, _ in records(source, context, _DECODER):
            try:
                yield _request(number, line)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    tokens = keys.get("tokens", b"")
    return 0.95 if tokens[:1] == b"[" and tokens[1:].lstrip()[:1] in b"0123456789]" else 0.0


def _request(number: int, line: _Line) -> TokenRequest:
    if not line.tokens:
        raise RecordError("empty-prompt", "a prompt without tokens")
    output = line.output_tokens
    if isinstance(output, int) and output < 0:
        raise RecordError("bad-shape", "a negative count of output tokens")
    started = start_us(line.timestamp)
    duration = line.duration_s
    return TokenRequest(
        record=number,
        prompt=_blocks(line.tokens),
        output=_blocks(output) if isinstance(output, list) else [],
        output_tokens=len(output) if isinstance(output, list) else output,
        request_id=None if line.request_id is None else str(line.request_id),
        session_key=line.session_id or None,
        namespace=line.namespace or "",
        priority=line.priority,
        started_us=started,
        ended_us=end_us(started, None if duration is None else duration * 1000),
        model=line.model or None,
    )


def _blocks(tokens: list[int]) -> list[Block]:
    data = np.array(tokens, dtype="<u4").tobytes()
    pieces = (data[at : at + _BLOCK_BYTES] for at in range(0, len(data), _BLOCK_BYTES))
    return [Block(piece, len(piece) // 4, piece) for piece in pieces]
