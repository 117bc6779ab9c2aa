"""Reads a capture the way the program does. In: bytes or a path. Out: what its format gives and skips."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cachelens.ingest.exchange import Exchange, TokenRequest
from cachelens.ingest.formats import FORMATS
from cachelens.ingest.formats.base import ReadContext
from cachelens.ingest.formats.detect import detect
from cachelens.ingest.source import Source
from cachelens.model.skips import SkipReport, SkipTally


@dataclass(frozen=True)
class Read:
    """What one source gave: its format, its records, and reports on those left out."""

    format: str
    records: list[Any]
    reports: tuple[SkipReport, ...]

    @property
    def skipped(self) -> dict[str, int]:
        """Records left out, by reason."""
        counts: Counter[str] = Counter()
        for report in self.reports:
            counts[report.reason] += report.records
        return dict(counts)

    @property
    def exchanges(self) -> list[Exchange]:
        """The records of a capture of API calls."""
        assert all(isinstance(record, Exchange) for record in self.records)
        return self.records

    @property
    def token_requests(self) -> list[TokenRequest]:
        """The records of a token or hash trace."""
        assert all(isinstance(record, TokenRequest) for record in self.records)
        return self.records


def read(data: bytes | Path, format_name: str | None = None) -> Read:
    """Read `data` (as standard input) or a path, in the format that claims it unless one is named."""
    source = Source("capture", data) if isinstance(data, Path) else Source("capture", stream=io.BytesIO(data))
    name = format_name or detect(source)[0]
    skips = SkipTally()
    records = list(FORMATS.load(name)().read(source, ReadContext("capture", skips)))
    return Read(name, records, skips.reports())
