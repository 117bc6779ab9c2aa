"""The contract of a format. In: a `Source`. Out: a score for it, then its exchanges, one at a time.

A format is chosen by scored claims on content: each looks at the head of a source and answers how sure
it is, from 0 (cannot be) to 1 (certain); the highest wins. Reading never raises on a bad record: it is
counted through `ReadContext.skip` and the next one is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cachelens.ingest.exchange import Exchange, TokenRequest
from cachelens.ingest.source import Source
from cachelens.model.skips import SkipTally

#: What `shorten` gives back: the record without what an earlier one already said, and a reference to that.
Shortened = tuple[bytes, object | None]


def keep_whole(record: bytes) -> Shortened:
    """A `shorten` that never leaves anything out."""
    return record, None


@dataclass(frozen=True)
class ReadContext:
    """What a format may use while reading one source.

    `shorten(record)` may cut out of a JSON record the long list of messages that an earlier record
    already held; pass what it returns on as `Exchange.elided`. Only for records in which the request
    body is embedded as JSON, not as a string.
    """

    source: str
    skips: SkipTally
    shorten: Callable[[bytes], Shortened] = keep_whole

    def skip(self, record: int, reason: str, detail: str = "", records: int = 1) -> None:
        """Count a record (1-based) that is left out. `detail` must not quote it."""
        self.skips.add(self.source, record, reason, detail, records)

    def skip_response(self, record: int, detail: str) -> None:
        """Count a response that cannot be read although its request can, and is kept."""
        self.skip(record, "response-unreadable", f"{detail}; the request was kept")

    def skip_rest(self, record: int, error: Exception) -> None:
        """Count the compressed stream that broke off with `error` (one of STREAM_ERRORS) before `record`."""
        if isinstance(error, EOFError):
            self.skip(record, "truncated-archive", "the compressed data ends too early; what follows is lost")
        else:
            self.skip(record, "broken-archive", "the compressed data is broken; what follows is lost")


class RecordError(Exception):
    """A record that has to be left out. `reason` is a slug for the skip tally; `detail` never quotes it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Format(Protocol):
    """One container. Stateless: everything about a source lives in `read`.

    `note` is a sentence about what such captures lack, shown in every report on one; "" for nothing.
    """

    name: str
    note: str

    def claim(self, source: Source) -> float:
        """How sure this format is that it can read `source`, judged on `source.head()`; 0 to 1."""
        ...

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange | TokenRequest]:
        """Its records in file order, in memory bounded by one record."""
        ...
