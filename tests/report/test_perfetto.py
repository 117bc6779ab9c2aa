"""The timeline: every request once, slices of a thread nest, counters end at the totals."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.model.result import Result
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.perfetto import Perfetto
from tests.report import builders
from tests.report.golden import compare

Event = dict[str, Any]


def made(result: Result) -> dict[str, Any]:
    return json.loads(Perfetto().render(result, RenderOptions()))  # type: ignore[no-any-return]


def timed() -> Result:
    """Two sessions; two requests of a lineage at once, and one without a time."""
    return builders.result(
        [
            builders.row(1, {"fresh": 100}, started_s=0.0, first_token_s=0.5, ended_s=2.0),
            builders.row(2, {"hit": 90, "fresh": 20}, started_s=1.0, ended_s=3.0, break_=builders.broken(7)),
            builders.row(3, {"hit": 10, "expiry": 5}, session_id="s2", started_s=1.5, first_token_s=1.6),
            builders.row(4, {"fresh": 9}, session_id="s2", echo=builders.broken(3)),
            builders.row(5, {"hit": 30}, started_s=3.0, ended_s=2.5),
        ]
    )


def of(file: dict[str, Any], phase: str, category: str | None = None) -> list[Event]:
    return [
        event
        for event in file["traceEvents"]
        if event["ph"] == phase and (category is None or event["cat"] == category)
    ]


def requests(file: dict[str, Any]) -> list[Event]:
    return [event for event in of(file, "X") if event["name"] != "until the first token"]


def test_places_and_lengths() -> None:
    file = made(timed())
    shown = {event["args"]["request_id"]: event for event in requests(file)}
    assert {name: (event["ts"], event["dur"]) for name, event in shown.items()} == {
        "r1": (0, 2_000_000),
        "r2": (1_000_000, 2_000_000),
        "r3": (1_500_000, 100_000),  # ends with the first token, for want of an end
        "r4": (1_500_000, 0),  # behind the request before it
        "r5": (3_000_000, 0),  # ends before it starts
    }
    assert shown["r1"]["tid"] != shown["r2"]["tid"]
    assert shown["r5"]["tid"] == shown["r1"]["tid"]
    names = {event["tid"]: event["args"]["name"] for event in of(file, "M") if event["name"] == "thread_name"}
    assert names[shown["r1"]["tid"]] == "lineage main"
    assert names[shown["r2"]["tid"]] == "lineage main (2)"
    assert shown["r4"]["args"]["start"] == shown["r4"]["args"]["end"] == "not in the capture"
    assert "start" not in shown["r1"]["args"]
    assert file["otherData"]["requests without times"] == 1
    assert file["otherData"]["clock"] == "microseconds since the first request started"
    first = [event for event in of(file, "X") if event["name"] == "until the first token"]
    assert [(event["ts"], event["dur"], event["tid"]) for event in first] == [
        (0, 500_000, shown["r1"]["tid"]),
        (1_500_000, 100_000, shown["r3"]["tid"]),
    ]


def test_marks_where_prompts_and_replies_depart() -> None:
    marks = of(made(timed()), "i", "break")
    assert [(mark["name"], mark["ts"], mark["args"]["lost_tokens"]) for mark in marks] == [
        ("prompt changed", 1_000_000, 7),
        ("reply changed", 1_500_000, 3),
    ]
    assert all(mark["s"] == "t" for mark in marks)


def test_counters_end_at_the_totals() -> None:
    result = timed()
    file = made(result)
    last: dict[int, Event] = {event["pid"]: event for event in of(file, "C")}
    processes = {event["args"]["name"]: event["pid"] for event in of(file, "M") if event["tid"] == 0}
    assert last[processes["all sessions"]]["args"] == {
        "from cache": result.totals.hit_tokens,
        "computed": result.totals.prefilled_tokens,
    }
    assert last[processes["session s2"]]["args"] == {"from cache": 10, "computed": 14}


def test_one_session_has_one_process() -> None:
    file = made(builders.session())
    assert {event["pid"] for event in file["traceEvents"]} == {1}


def test_without_any_time_requests_stand_in_order_and_the_file_says_so() -> None:
    result = builders.session()
    file = made(result)
    assert [(event["ts"], event["dur"]) for event in requests(file)] == [
        (at * 1_000_000, 1_000_000) for at in range(84)
    ]
    assert file["otherData"]["clock"].startswith("not in the capture")
    assert len(of(file, "i", "break")) == 7
    assert made(builders.result([]))["traceEvents"] == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.none() | st.integers(0, 20),
            st.none() | st.integers(0, 20),
            st.none() | st.integers(0, 20),
        ),
        max_size=20,
    )
)
def test_slices_of_a_thread_nest(times: list[tuple[str, int | None, int | None, int | None]]) -> None:
    rows = [
        builders.row(
            number,
            {"hit": number, "fresh": 2},
            lineage_id=lineage,
            started_s=start,
            first_token_s=first,
            ended_s=end,
        )
        for number, (lineage, start, first, end) in enumerate(times, 1)
    ]
    file = made(builders.result(rows))
    shown = requests(file)
    assert {event["args"]["request_id"] for event in shown} == {row.request_id for row in rows}
    assert len(shown) == len(rows)
    threads: dict[int, list[Event]] = defaultdict(list)
    for event in of(file, "X"):
        assert event["dur"] >= 0
        threads[event["tid"]].append(event)
    for events in threads.values():
        for one in events:
            for other in events:
                lo, hi = one["ts"], one["ts"] + one["dur"]
                start, end = other["ts"], other["ts"] + other["dur"]
                apart = end <= lo or hi <= start
                inside = (lo <= start and end <= hi) or (start <= lo and hi <= end)
                assert apart or inside
    totals = {"hit": sum(range(1, len(rows) + 1)), "computed": 2 * len(rows)}
    counters = of(file, "C")
    if counters:
        assert counters[-1]["args"] == {"from cache": totals["hit"], "computed": totals["computed"]}
    stamps = [event["ts"] for event in counters]
    assert stamps == sorted(stamps)


def test_names_are_made_safe_and_other_documents_refused() -> None:
    bad = "\x1b[2J\u202e\ud800evil" * 300
    row = builders.row(
        1, {"fresh": 1}, request_id=bad, session_id=bad, lineage_id=bad, model=bad, source_file=bad
    )
    text = Perfetto().render(builders.result([row]), RenderOptions()).decode()
    assert not set(text) & {"\x1b", "\u202e", "\ud800"}
    assert len(text) < 4000
    with pytest.raises(TypeError):
        Perfetto().render(builders.curve(), RenderOptions())


def test_golden() -> None:
    compare("timed.trace.json", msgspec.json.format(Perfetto().render(timed(), RenderOptions()), indent=1))
