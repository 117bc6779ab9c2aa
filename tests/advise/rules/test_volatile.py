"""What changes by itself, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.advise.rules.volatile import pieces_of, shape_of

SHAPES = [
    ("It is 2026-03-01 10:31:07.123456.", "It is 2026-03-01 10:31:09.223456.", "time", "microsecond", 2.1),
    ("2026-03-01T10:31:07.123Z", "2026-03-01T10:31:08.123Z", "time", "millisecond", 1.0),
    ("t=2026-03-01T10:31:07+01:00", "t=2026-03-01T10:31:07+02:00", "time", "second", 3600.0),
    ("Sun, 01 Mar 2026 10:31:07 +0000", "Sun, 01 Mar 2026 10:32:07 +0000", "time", "second", 60.0),
    ("Sun Mar  1 10:31:07 2026", "Mon Mar  2 10:31:07 2026", "time", "second", 86400.0),
    ("Sun Mar 01 2026 10:31:07 GMT+0100 (CET)", "Sun Mar 01 2026 10:31:09 GMT+0100 (CET)", "time", "second", 2.0),
    ("now 10:31 AM", "now 1:31 PM", "time", "minute", 10800.0),
    ("at 10 AM", "at 11 AM", "time", "hour", 3600.0),
    ("20260301T103107Z", "20260301T103108Z", "time", "second", 1.0),
    ("2026-12-31 23:59", "2027-01-01 00:01", "time", "minute", 120.0),
    ("23:59", "00:01", "time", "minute", None),
    ("Today is March 3, 2026.", "Today is March 10, 2026.", "date", "day", 604800.0),
    ("3 March 2026", "4 March 2026", "date", "day", 86400.0),
    ("2026-03-01", "2026-03-02", "date", "day", 86400.0),
    ("Tuesday", "Wednesday", "date", "day", 86400.0),
    ("Tue Mar  3", "Tue Mar 10", "date", "day", 604800.0),
    ("March 2026", "April 2026", "date", "month", 2678400.0),
    ("3/1/2026", "4/1/2026", "date", "day", None),
    ("13/1/2026", "14/1/2026", "date", "day", 86400.0),
    ("3/1/2026, 9:05 AM", "3/1/2026, 10:05 AM", "time", "minute", 3600.0),
    ("ts: 1800000000", "ts: 1800000007", "epoch", "second", 7.0),
    ("1800000000123", "1800000001123", "epoch", "millisecond", 1.0),
    ("1800000000123456", "1800000001123456", "epoch", "microsecond", 1.0),
    ("run-1800000000.5", "run-1800000001.25", "epoch", "millisecond", 0.75),
    ("0190b6e0-7c3a-7abc-8def-0123456789ab", "0190b6e0-8022-7bbc-8def-0123456789ac", "uuid", "millisecond", 1.0),
    ("a 1b4e28ba-2fa1-41d2-883f-0016d3cca427", "a 6fa459ea-ee8a-4ca4-894e-db77e160355e", "uuid", "", None),
    ("req_9aa8d5d2381a8fbe", "req_1b49b51f0e946240", "hex", "", None),
    ("session V1StGXR8_Z5jdHi6", "session aB3dE9fG_1hJ2kL4", "random", "", None),
    ("turn 3 of 50", "turn 4 of 50", "counter", "", None),
    ("[3/50]", "[4/50]", "counter", "", None),
    ("Tokens used: 12,345", "Tokens used: 13,345", "counter", "", None),
    ("37 steps left", "36 steps left", "counter", "", None),
    ("step:12", "step:13", "counter", "", None),
    ("Context: 37% full", "Context: 41% full", "percentage", "", None),
    ("http://localhost:51234/x", "http://localhost:40234/x", "port", "", None),
    ("listen on port 51234", "listen on port 40234", "port", "", None),
    ("/tmp/xyz123/work", "/tmp/abc987/work", "temp-path", "", None),
    ("/var/folders/zz/zyx_n00/T/tmpabwcd", "/var/folders/zz/zyx_n00/T/tmpqwzxc", "temp-path", "", None),
    ("/tmp/run-4711/out", "/tmp/run-12/out", "temp-path", "", None),
    ("C:\\Users\\x\\AppData\\Local\\Temp\\ab12c", "C:\\Users\\x\\AppData\\Local\\Temp\\zz98y", "temp-path", "", None),
]  # fmt: skip

STEADY = [
    ("version 2", "version 3"),
    ("Python 3.11", "Python 3.12"),
    ("in 5 files", "in 6 files"),
    ("rule 3.", "rule 4."),
    ("see line 12", "see line 13"),
    ("a changed word", "a changing word"),
    ("file1.py", "file2.py"),
    ("report-2026-03-01.txt", "report-2026-03-02.txt"),
    ("src/a1/b", "src/a2/b"),
    ("/tmp/project-a", "/tmp/project-b"),
    ("main.py:10:31", "main.py:10:32"),
    ("model-sonnet-4-20250514", "model-sonnet-4-20250805"),
    ("v1.2.2024", "v1.3.2024"),
    ("deadbeef", "cafebabe"),
    ("summaryOfTests1", "overviewOfCode2"),
    ("1234567890", "9234567890"),
    ("2026-03-01 red", "2026-03-02 blue"),
    ("10 apples at 10:31", "11 apples at 10:32"),
    ("March 3, 2026", "3 March 2026"),
    ("10:31 AM", "10:31:07 AM"),
    ("[3/50]", "[4/60]"),
    ("one line", "one line\nand 2026-03-01"),
    ("3 pm", "today"),
    ("the same", "the same"),
    ("", ""),
]


@pytest.mark.parametrize(("before", "now", "kind", "granularity", "step_s"), SHAPES)
def test_volatile(before: str, now: str, kind: str, granularity: str, step_s: float | None) -> None:
    shape = shape_of(before, now)
    assert shape is not None
    assert (shape.kind, shape.granularity, shape.step_s) == (kind, granularity, step_s)
    # In the middle of other text, on a line of its own, and the other way round.
    around = shape_of(f"rules\nfor ({before}) here\nmore", f"rules\nfor ({now}) here\nmore")
    assert around is not None
    assert around == shape
    back = shape_of(now, before)
    assert back is not None
    assert back.kind == kind


@pytest.mark.parametrize(("before", "now"), STEADY)
def test_not_volatile(before: str, now: str) -> None:
    assert shape_of(before, now) is None
    assert shape_of(now, before) is None


def test_all_that_differs_must_be_volatile() -> None:
    before = "turn 3\nsteady\nIt is 10:31:07"
    assert [piece.shape.kind for piece in pieces_of(before, "turn 4\nsteady\nIt is 10:31:09")] == [
        "counter",
        "time",
    ]
    assert pieces_of(before, "turn 4\nsteadier\nIt is 10:31:09") == []


def test_a_list_of_times_that_changed_is_no_clock() -> None:
    lines = [f"file {at} 10:{at:02d}" for at in range(40)]
    assert (
        len(pieces_of("\n".join(lines[:16]), "\n".join(line.replace("10:", "11:") for line in lines[:16])))
        == 16
    )
    assert pieces_of("\n".join(lines), "\n".join(line.replace("10:", "11:") for line in lines)) == []


FORMATS = (
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M",
    "%B %d, %Y",
    "%A, %B %d, %Y at %I:%M %p",
    "%d %b %Y %H:%M:%S +0000",
    "%a %b %d %H:%M:%S %Y",
    "%Y%m%dT%H%M%SZ",
)
UNITS = {"%f": 1e-6, "%S": 1.0, "%M": 60.0}


@given(
    st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2060, 1, 1)),
    st.integers(1, 10**12),
    st.sampled_from(FORMATS),
)
def test_the_step_is_the_difference_as_far_as_it_is_written(start: datetime, step_us: int, form: str) -> None:
    start = start.replace(tzinfo=UTC)
    later = start + timedelta(microseconds=step_us)
    unit = next((seconds for code, seconds in UNITS.items() if code in form), 86400.0)
    texts = [f"now: {moment.strftime(form)}." for moment in (start, later)]
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    counts = [(moment - epoch) // timedelta(seconds=unit) for moment in (start, later)]
    shape = shape_of(*texts)
    if counts[0] == counts[1]:
        assert shape is None
    else:
        assert shape is not None
        assert shape.step_s == pytest.approx((counts[1] - counts[0]) * unit, abs=1e-5)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_are_read_without_error(before: str, now: str) -> None:
    assert shape_of(before, before) is None
    for piece in pieces_of(before, now):
        assert piece.before != piece.now


def test_long_and_hostile_lines_end() -> None:
    for unit in ("1" * 15_000, "a-" * 15_000, "10:31:" * 6_000, "Mon Mon " * 3_000, "<" * 15_000):
        shape_of(unit + "1", unit + "2")
    assert shape_of("x " * 300_000 + "10:31", "x " * 300_000 + "10:32") is None
