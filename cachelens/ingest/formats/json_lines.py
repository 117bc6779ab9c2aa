"""The loop that all JSONL formats share. In: a source and a decoder. Out: numbered records.

A line that cannot be read is counted with its number and reason, and the next one is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from cachelens.ingest.formats.base import ReadContext
from cachelens.ingest.formats.bodies import mend_surrogates
from cachelens.ingest.source import MAX_RECORD_BYTES, STREAM_ERRORS, Source, lines

T = TypeVar("T")


def records(
    source: Source, context: ReadContext, decoder: msgspec.json.Decoder[T]
) -> Iterator[tuple[int, T, object | None]]:
    """Line number, decoded record and what `context.shorten` left out of it, for each readable line."""
    number = 0
    try:
        with source.open() as stream:
            for number, line in lines(stream):
                if line is None:
                    detail = f"a line of more than {MAX_RECORD_BYTES >> 20} MiB"
                    context.skip(number, "record-too-large", detail)
                    continue
                try:
                    record, elided = _decoded(line, context, decoder)
                except UnicodeDecodeError:
                    context.skip(number, "bad-utf8", "no valid UTF-8")
                except RecursionError:
                    context.skip(number, "too-deep", "nested too deeply")
                except msgspec.ValidationError as error:
                    context.skip(number, "bad-shape", str(error))
                except msgspec.DecodeError as error:
                    context.skip(number, "bad-json", str(error))
                else:
                    yield number, record, elided
    except STREAM_ERRORS as error:
        context.skip_rest(number + 1, error)


def _decoded(line: bytes, context: ReadContext, decoder: msgspec.json.Decoder[T]) -> tuple[T, object | None]:
    record, elided = context.shorten(line)
    if not record.isascii():
        record.decode()
    try:
        return decoder.decode(record), elided
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = mend_surrogates(line)
        if mended is line:
            raise
        # What was left out of the line no longer fits the mended one: this record is read whole.
        mended.decode()
        return decoder.decode(mended), None
