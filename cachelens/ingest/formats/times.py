"""Times as captures spell them. In: ISO 8601 text or numbers. Out: integer microseconds since the epoch.

Starts are floored to whole milliseconds and durations rounded to tenths of one: the finest that every
container of a capture carries, so that all of them give the same tables.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from cachelens.ingest.formats.base import RecordError

#: What a time may be in JSON.
Time = int | float | str | None

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: The first instant of the year 10000.
_END_US = 253_402_300_800_000_000
#: Numbers from these on are milliseconds, microseconds, nanoseconds since the epoch; smaller ones seconds.
_SCALES = ((1e17, 1e-3), (1e14, 1.0), (1e11, 1e3))
#: Longer than any request; a duration above it is not one.
_LONGEST_MS = 366 * 86_400_000.0


def start_us(value: Time) -> int | None:
    """When something began, in microseconds floored to whole milliseconds; None for None.

    Text is ISO 8601 (UTC unless it names a zone) or a number. A number counts seconds, milliseconds,
    microseconds or nanoseconds since the epoch, told by its size. Raises RecordError for anything else.
    """
    if value is None:
        return None
    try:
        micros = _of_text(value.strip()) if isinstance(value, str) else _of_number(value)
    except (ValueError, OverflowError):
        raise RecordError("bad-timestamp", "neither ISO 8601 nor a number") from None
    if not 0 <= micros < _END_US:
        raise RecordError("bad-timestamp", "not between the years 1970 and 9999")
    return micros // 1000 * 1000


def end_us(started_us: int | None, duration_ms: float | None) -> int | None:
    """When something ended that took `duration_ms`, which is rounded to tenths of a millisecond.

    None when either is unknown; a negative duration (HAR: -1) means unknown.
    """
    if started_us is None or duration_ms is None or not 0 <= duration_ms <= _LONGEST_MS:
        return None
    return started_us + round(duration_ms * 10) * 100


def _of_text(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return _of_number(float(text))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _of_number(value: int | float) -> int:
    if not math.isfinite(value):
        raise ValueError
    for least, factor in _SCALES:
        if abs(value) >= least:
            return round(value * factor)
    return round(value * 1e6)
