"""The lines of a transcript. In: a source and a decoder. Out: numbered lines, and where one of them is lost.

In a transcript a line that cannot be read takes a message from every prompt behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from cachelens.ingest.formats.base import ReadContext
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.source import Source

T = TypeVar("T")


@dataclass(frozen=True)
class _Noting(ReadContext):
    """A context that remembers what was skipped. It leaves nothing out of lines: they do not repeat messages."""

    lost: list[int] = field(default_factory=list)

    def skip(self, record: int, reason: str, detail: str = "", records: int = 1) -> None:
        self.lost.append(record)
        super().skip(record, reason, detail, records)


def transcript_lines(
    source: Source, context: ReadContext, decoder: msgspec.json.Decoder[T]
) -> Iterator[tuple[int, T, bool]]:
    """Line number, decoded line, and whether lines just before it were skipped, for each readable line."""
    noting = _Noting(context.source, context.skips)
    for number, line, _ in records(source, noting, decoder):
        yield number, line, bool(noting.lost)
        noting.lost.clear()
