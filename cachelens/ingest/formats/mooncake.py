"""Mooncake hash traces, one request a line. Out: a TokenRequest for each, of hashed blocks of 512 tokens.

A block's hash stands for all tokens up to its end; the last block of a prompt may be partial.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Block, TokenRequest
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.formats.times import start_us
from cachelens.ingest.source import Source

#: Tokens in a block.
BLOCK_TOKENS = 512
#: Keys of Qwen-Bailian traces, which look the same but have blocks of 16 tokens and times in seconds.
_BAILIAN = frozenset({"chat_id", "parent_chat_id", "turn"})


class _Line(msgspec.Struct):
    hash_ids: list[int | str]
    input_length: int
    output_length: int | None = None
    timestamp: int | float | None = None


_DECODER = msgspec.json.Decoder(_Line)


class Mooncake:
    """Mooncake trace: `{"timestamp" (ms), "input_length", "output_length", "hash_ids": [...]}`."""

    name = "mooncake"
    note = ""

    def claim(self, source: Source) -> float:
        """Sure when lengths and hash ids are there and no key of a similar trace is."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[TokenRequest]:
        """A TokenRequest for each line whose `input_length` fits its number of blocks."""
        for number, line, _ in records(source, context, _DECODER):
            try:
                yield _request(number, line)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    if _BAILIAN & keys.keys():
        return 0.0
    return 0.9 if "input_length" in keys and {"hash_ids", "output_length"} & keys.keys() else 0.0


def _request(number: int, line: _Line) -> TokenRequest:
    blocks = len(line.hash_ids)
    if line.input_length <= 0 or not blocks:
        raise RecordError("empty-prompt", "a prompt without tokens")
    if blocks != -(-line.input_length // BLOCK_TOKENS):
        raise RecordError(
            "block-count", f"input_length does not fit the number of {BLOCK_TOKENS}-token blocks"
        )
    if line.output_length is not None and line.output_length < 0:
        raise RecordError("bad-shape", "a negative output_length")
    lengths = [BLOCK_TOKENS] * (blocks - 1) + [line.input_length - BLOCK_TOKENS * (blocks - 1)]
    return TokenRequest(
        record=number,
        prompt=[Block(str(key).encode(), size) for key, size in zip(line.hash_ids, lengths, strict=True)],
        output_tokens=line.output_length,
        # Milliseconds from the start of the trace: never to be taken for seconds, however small.
        started_us=None if line.timestamp is None else start_us(line.timestamp / 1000),
    )
