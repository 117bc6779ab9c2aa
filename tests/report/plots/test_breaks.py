from __future__ import annotations

from cachelens.model.findings import Location
from cachelens.model.rows import RequestRow
from cachelens.report.plots.breaks import codes, notes, where
from tests.report import builders


def request(
    number: int, lost: int, component: str = "system", name: str | None = None
) -> tuple[int, RequestRow]:
    item = builders.broken(lost, component=component, name=name)
    return number, builders.row(number, {"hit": 5000}, break_=item)


def test_rules_by_request_those_whose_worst_place_it_is_first() -> None:
    found = codes(
        [
            builders.finding("CL105", request_ids=("r1", "r2"), location=None),
            builders.finding("CL101", request_ids=("r2",), location=Location(request_id="r1")),
            builders.finding("CL202", request_ids=("r1",)),
        ]
    )
    assert found == {"r1": ("CL101", "CL105"), "r2": ("CL105", "CL101")}


def test_worst_groups_first_and_alike_together() -> None:
    requests = [
        request(1, 100),
        request(2, 700, "tools", "grep"),
        request(3, 900),
        request(4, 0, "user"),
        request(5, 50, "user"),
    ]
    found = notes(requests, {"r1": ("CL101",), "r3": ("CL101",), "r2": ("CL104",)}, 2)
    assert [(note.at, note.place, note.effect) for note in found] == [
        (2, "request 3: system, char 214", "CL101 · 900 again, 1.00 k in 2 such"),
        (1, "request 2: tools grep, char 214", "CL104 · 700 again"),
    ]
    assert len(notes(requests, {}, 9)) == 3


def test_departures_past_those_a_finding_names_count_with_them() -> None:
    requests = [request(1, 100), request(2, 90), request(3, 80)]
    (note,) = notes(requests, {"r1": ("CL101",)}, 5)
    assert note.effect == "CL101 · 100 again, 270 in 3 such"
    assert len(notes(requests, {"r1": ("CL101",), "r2": ("CL105",)}, 5)) == 3


def test_places_in_words() -> None:
    assert where(builders.broken(1, component="system", char_offset=1214)) == "system, char 1,214"
    item = builders.broken(1, component="tools", name="grep", char_offset=None, token_offset=1)
    assert where(item) == "tools grep, after 1 token"
