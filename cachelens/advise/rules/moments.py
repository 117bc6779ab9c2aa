"""Dates and times as prompts spell them. In: a line of text. Out: where they stand, and the `Moment`s they name.

ISO 8601 with and without zone and fraction, RFC 2822, the C and JavaScript spellings, `March 3, 2026`,
`3/1/2026`, `10:31 AM`, a weekday, a month of a year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_DAY_S = 86_400.0
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_YEAR = r"(?P<year>(?:19|20)[0-9]{2})"
_MONTH = (
    r"(?P<name>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY = r"(?P<day>3[01]|[12][0-9]|0?[1-9])"
_WEEKDAY = (
    r"(?P<weekday>Mon(?:day)?|Tue(?:s(?:day)?)?|Wed(?:nesday)?|Thu(?:rs(?:day)?)?|Fri(?:day)?|Sat(?:urday)?"
    r"|Sun(?:day)?)"
)
_TWO_DIGIT_MONTH, _TWO_DIGIT_DAY = r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12][0-9]|3[01])"
#: Spellings of a date. With `first` and `second`, which of them is the month is not said.
_DATES = (
    rf"{_YEAR}-{_TWO_DIGIT_MONTH}-{_TWO_DIGIT_DAY}",
    rf"{_YEAR}/(?P<month>1[0-2]|0?[1-9])/{_DAY}",
    rf"(?P<first>3[01]|[12][0-9]|0?[1-9])[/.](?P<second>3[01]|[12][0-9]|0?[1-9])[/.]{_YEAR}",
    rf"{_MONTH}\.?\s+{_DAY}(?:st|nd|rd|th)?(?:,?\s+{_YEAR})?",
    rf"{_DAY}(?:st|nd|rd|th|\.)?\s+{_MONTH}\.?(?:,?\s+{_YEAR})?",
    rf"{_MONTH}\.?,?\s+{_YEAR}",
    rf"{_YEAR}{_TWO_DIGIT_MONTH}{_TWO_DIGIT_DAY}",
)
_ZONE = (
    r"(?P<zone>\s?(?:Z|UTC|GMT)(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?|\s?[+-][0-9]{2}:?[0-9]{2}"
    r"|\s\(?[A-Z]{2,4}T\)?(?![A-Za-z]))"
)
_TIME = (
    r"(?P<hour>2[0-3]|[01]?[0-9]):(?P<minute>[0-5][0-9])(?::(?P<second_of>[0-5][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    rf"(?:\s?(?P<half>[AaPp]\.?[Mm]\b))?{_ZONE}?"
)
_HOUR = rf"(?P<hour>1[0-2]|0?[1-9])\s?(?P<half>[AaPp]\.?[Mm]\b){_ZONE}?"
_COMPACT_TIME = r"(?P<hour>2[0-3]|[01][0-9])(?P<minute>[0-5][0-9])(?P<second_of>[0-5][0-9])(?P<zone>Z)?"


def _unnamed(pattern: str) -> str:
    return re.sub(r"\?P<\w+>", "?:", pattern)


_ANY_DATE = f"(?:{'|'.join(_unnamed(date) for date in _DATES)})"
_ANY_TIME = f"(?:{_unnamed(_TIME)}|{_unnamed(_HOUR)})"
_ANY_WEEKDAY = _unnamed(_WEEKDAY)
_COMPACT = _unnamed(rf"{_YEAR}{_TWO_DIGIT_MONTH}{_TWO_DIGIT_DAY}T?{_COMPACT_TIME}")

#: A whole expression: date, time or both, a weekday; nothing of a word, path or number goes on behind it.
STAMP = (
    rf"(?:(?:{_ANY_WEEKDAY},?\s+)?(?:{_COMPACT}"
    rf"|{_ANY_DATE}(?:(?:,?\s+(?:at\s+)?|T|\s?[-–]\s?){_ANY_TIME}(?:\s+(?:19|20)[0-9]{{2}})?)?"
    rf"|{_ANY_TIME}(?:,?\s+(?:on\s+)?(?:{_ANY_WEEKDAY},?\s+)?{_ANY_DATE})?)|{_ANY_WEEKDAY})"
    r"(?![\w/\\-]|[.:]\w)"
)

_DATE_FORMS = tuple(re.compile(rf"(?<![\w.:]){date}(?![0-9/-])") for date in _DATES[:-1])
_TIME_FORMS = tuple(re.compile(rf"(?<![0-9.:]){form}") for form in (_TIME, _HOUR))
_COMPACT_FORM = re.compile(rf"{_DATES[-1]}(?:T?{_COMPACT_TIME})?$")
_WEEKDAY_FORM = re.compile(rf"\b{_WEEKDAY}\b")
_TRAILING_YEAR = re.compile(rf"\s{_YEAR}$")
_OFFSET = re.compile(r"([+-])([0-9]{1,2}):?([0-9]{2})?$")


@dataclass(frozen=True)
class Moment:
    """What a spelling says of a moment; None where it says nothing.

    `weekday` counts from Monday, 0. `seconds` since midnight, with `fraction_digits` digits behind the point.
    `offset_s` of its zone from UTC; `zone` is how that was written. `swapped`: the same numbers with day and
    month the other way round, where both are possible. `finest`: the finest unit that is written.
    """

    year: int | None
    month: int | None
    day: int | None
    weekday: int | None
    seconds: float | None
    offset_s: int | None
    zone: str
    finest: str
    swapped: bool = False

    @property
    def has_time(self) -> bool:
        """Whether a time of day is said."""
        return self.seconds is not None


def read(text: str) -> Moment | None:
    """The moment that a whole expression names; None when it names none that exists."""
    fields: dict[str, str] = {}
    compact = _COMPACT_FORM.search(text)
    found = (
        [compact]
        if compact
        else [_first(_DATE_FORMS, text), _first(_TIME_FORMS, text), _WEEKDAY_FORM.search(text)]
    )
    for match in found:
        if match:
            fields |= {key: value for key, value in match.groupdict().items() if value is not None}
    trailing = _TRAILING_YEAR.search(text)
    if trailing and "year" not in fields:
        fields["year"] = trailing["year"]
    return _moment(fields) if fields else None


def _first(forms: tuple[re.Pattern[str], ...], text: str) -> re.Match[str] | None:
    return next((match for form in forms if (match := form.search(text))), None)


def _moment(fields: dict[str, str]) -> Moment | None:
    month, day, swapped = fields.get("month"), fields.get("day"), False
    if "name" in fields:
        month = str(1 + _MONTHS.index(fields["name"][:3].lower()))
    if "first" in fields:
        month, day = fields["first"], fields["second"]
        if int(month) > 12:
            month, day = day, month
        else:
            swapped = int(day) <= 12 and month != day
        if int(month) > 12:
            return None
    weekday = fields.get("weekday")
    zone = fields.get("zone", "").strip()
    return Moment(
        year=_number(fields.get("year")),
        month=_number(month),
        day=_number(day),
        weekday=_WEEKDAYS.index(weekday[:3].lower()) if weekday else None,
        seconds=_seconds(fields),
        offset_s=_offset(zone),
        zone=zone,
        finest=_finest(fields, day or weekday),
        swapped=swapped,
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _seconds(fields: dict[str, str]) -> float | None:
    if "hour" not in fields:
        return None
    hour = int(fields["hour"])
    half = fields.get("half", "")[:1].lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    whole = hour * 3600 + int(fields.get("minute", 0)) * 60 + int(fields.get("second_of", 0))
    return whole + float("0." + fields.get("fraction", "0"))


def _offset(zone: str) -> int | None:
    if zone in ("Z", "UTC", "GMT"):
        return 0
    match = _OFFSET.search(zone)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return -seconds if match[1] == "-" else seconds


def _finest(fields: dict[str, str], day: str | None) -> str:
    if "fraction" in fields:
        digits = len(fields["fraction"])
        return "millisecond" if digits <= 3 else "microsecond" if digits <= 6 else "nanosecond"
    for field, unit in (("second_of", "second"), ("minute", "minute"), ("hour", "hour")):
        if field in fields:
            return unit
    return "day" if day else "month"


def seconds_between(one: Moment, other: Moment) -> float | None:
    """How far two moments are apart; None when what is said does not tell."""
    if (one.zone != other.zone) and (one.offset_s is None or other.offset_s is None):
        return None
    apart = _apart(one, other, swap=False)
    if (one.swapped or other.swapped) and apart != _apart(one, other, swap=True):
        return None
    return apart


def _apart(one: Moment, other: Moment, swap: bool) -> float | None:
    if one.month is None and other.month is None:
        if one.seconds is not None and other.seconds is not None and one.weekday == other.weekday:
            later = other.seconds - one.seconds
            return round(later, 6) if later >= 0 else None  # past midnight, nobody knows how often
        if one.weekday is not None and other.weekday is not None and one.seconds == other.seconds:
            return (other.weekday - one.weekday) % 7 * _DAY_S
        return None
    if (one.year is None) != (other.year is None) or one.has_time != other.has_time:
        return None
    moments = _datetime(one, swap), _datetime(other, swap)
    if moments[0] is None or moments[1] is None:
        return None
    apart = (moments[1] - moments[0]).total_seconds()
    return None if one.year is None and apart < 0 else round(abs(apart), 6)


def _datetime(moment: Moment, swap: bool) -> datetime | None:
    month, day = moment.month, moment.day or 1
    if month is None:
        return None
    if swap and moment.swapped:
        month, day = day, month
    zone = UTC if moment.offset_s is None else timezone(timedelta(seconds=moment.offset_s))
    try:
        start = datetime(moment.year or 2000, month, day, tzinfo=zone)
    except ValueError:
        return None
    return start + timedelta(seconds=moment.seconds or 0.0)
