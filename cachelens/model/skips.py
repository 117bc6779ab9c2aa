"""What could not be read: counted exactly, located by example, bounded in memory.

In: one `add` per record that was left out. Out: `SkipReport`s, one per (source, reason).
"""

from __future__ import annotations

import msgspec

#: Places kept per source and reason; the count is always exact.
PLACES_KEPT = 5


class SkipReport(msgspec.Struct, frozen=True):
    """Records of one source left out for one reason: how many, and where the first of them are."""

    source: str
    reason: str
    records: int
    places: tuple[int, ...]
    detail: str


class SkipTally:
    """Collects skipped records while reading. Reasons are short slugs such as `bad-json`."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, list[int], str]] = {}

    def add(self, source: str, record: int, reason: str, detail: str = "", records: int = 1) -> None:
        """Count `records` records of `source` from `record` (1-based line or entry); the first detail is kept.

        `detail` must not quote the record: it may hold secrets.
        """
        count, places, first = self._seen.get((source, reason), (0, [], detail))
        if len(places) < PLACES_KEPT:
            places.append(record)
        self._seen[source, reason] = (count + records, places, first)

    @property
    def total(self) -> int:
        """Records skipped so far."""
        return sum(count for count, _, _ in self._seen.values())

    def reports(self) -> tuple[SkipReport, ...]:
        """One report per source and reason, sorted by source, then by reason."""
        return tuple(
            SkipReport(source, reason, count, tuple(places), detail)
            for (source, reason), (count, places, detail) in sorted(self._seen.items())
        )
