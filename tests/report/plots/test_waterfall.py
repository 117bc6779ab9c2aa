from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from cachelens.errors import UsageError
from cachelens.model.kinds import OUTCOMES
from cachelens.model.result import Result
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.blocks import blocks
from cachelens.report.plots.stacking import stacking
from cachelens.report.plots.theme import LIGHT, PAGE
from cachelens.report.plots.waterfall import Waterfall
from tests.report import builders
from tests.report.plots import results
from tests.report.plots.drawn import drawn
from tests.report.plots.results import few, many

PLOT = Waterfall()
HOSTILE = (
    "$x^2_{$ \\frac",
    "\x1b[31mred\x00\n\tbell\x07",
    "מספר 12",
    "会话 一二三",
    "😀" * 40,
    "a" * 5000,
    "",
    "\u202eevil",
)


@cache
def several() -> Result:
    return results.agent(60, lineages=5, sessions=3, broken_every=7)


def lossy(worst_first: bool = False) -> Result:
    """Every outcome there is, in prompts that break in many places, the worst at the end or at the beginning."""
    rows = []
    for number in range(1, 31):
        runs = tuple((name, 100 + 37 * at + 11 * number) for at, name in enumerate(OUTCOMES))
        broken = builders.broken(
            900 * (31 - number if worst_first else number),
            component=("tools", "system", "user", "assistant", "tool_result", "image")[number % 6],
            name="a_tool_with_a_rather_long_name" if number % 2 else None,
            token_offset=90 * number,
            char_offset=None if number % 3 else 123_456,
        )
        rows.append(builders.row(number, dict(runs), runs=runs, break_=broken))
    return builders.result(rows)


@pytest.mark.parametrize("make", [few, several, lossy])
def test_bars_are_as_wide_as_the_runs(make: Any) -> None:
    result = make()
    found = drawn(PLOT, result)
    whole = max(row.prompt_tokens for row in result.requests)
    ordered = [row for _, row in stacking(blocks(result.requests)).requests]
    everything = [box for name in OUTCOMES for box in found.shapes.get(name, [])]
    left = min(box.x for box in everything)
    scale = (max(box.right for box in everything) - left) / whole
    rows = sorted({box.y for box in everything})
    assert len(rows) == len(ordered)
    for y, row in zip(rows, ordered, strict=True):
        at = 0
        drawn_here = sorted(
            (box.x, box.width, name) for name in OUTCOMES for box in found.shapes.get(name, []) if box.y == y
        )
        assert [name for _, _, name in drawn_here] == [name for name, _ in row.runs]
        for (x, width, _), (_, tokens) in zip(drawn_here, row.runs, strict=True):
            assert x == pytest.approx(left + at * scale, abs=0.02)
            assert width == pytest.approx(tokens * scale, abs=0.02)
            at += tokens
    for name in OUTCOMES:
        assert set(found.colors.get(name, [])) <= {OUTCOME_LOOKS[name].color}


def test_bars_do_not_touch_and_lineages_stand_apart() -> None:
    found = drawn(PLOT, several())
    spans = sorted({(box.y, box.bottom) for name in OUTCOMES for box in found.shapes.get(name, [])})
    gaps = [after[0] - before[1] for before, after in pairwise(spans)]
    assert min(gaps) > 0
    wide = [gap for gap in gaps if gap > 3 * min(gaps)]
    lineages = {(row.session_id, row.lineage_id) for row in several().requests}
    assert len(wide) == len(lineages) - 1
    assert {f"s{number} · l{first}" for number, first in ((1, 1), (2, 3), (3, 5))} <= set(found.words())


def test_every_departure_is_marked_at_its_token() -> None:
    result = few()
    found = drawn(PLOT, result)
    bars = [box for name in OUTCOMES for box in found.shapes.get(name, [])]
    left, right = min(box.x for box in bars), max(box.right for box in bars)
    rows = sorted({box.y for box in bars})
    whole = max(row.prompt_tokens for row in result.requests)
    (stroke,) = found.lines["breaks"]
    (at,) = (at for at, row in enumerate(result.requests) if row.break_ is not None)
    item = result.requests[at].break_
    assert item is not None
    assert stroke[0][0] == pytest.approx(left + (right - left) * item.token_offset / whole, abs=0.1)
    assert stroke[0][1] <= rows[at] < stroke[1][1]
    assert "request 4: system, char 214" in found.words()
    assert any(text.startswith("CL101 · ") and "again" in text for text in found.words())


def test_the_code_is_of_a_rule_about_prefixes_that_names_the_request() -> None:
    result = few()
    other = msgspec.structs.replace(result.findings[0], code="CL202")
    elsewhere = msgspec.structs.replace(result.findings[0], code="CL105", request_ids=("r2",), location=None)
    words = drawn(PLOT, msgspec.structs.replace(result, findings=(other, elsewhere))).words()
    assert not any("CL" in text for text in words)
    assert any("again" in text for text in words)


def test_departures_alike_share_a_note_and_only_the_worst_are_noted() -> None:
    words = drawn(PLOT, lossy()).words()
    notes = [text for text in words if text.startswith("request ") and ":" in text]
    assert len(notes) == 5
    words = drawn(PLOT, many()).words()
    notes = [text for text in words if text.startswith("request ") and ":" in text]
    assert len(notes) == 1
    departed = sum(row.break_ is not None and row.break_.lost_tokens > 0 for row in many().requests)
    assert any(f"in {departed} such" in text for text in words)


@pytest.mark.parametrize("make", [few, several, lossy, many])
def test_texts_stay_apart_and_inside(make: Any) -> None:
    drawn(PLOT, make()).apart()
    drawn(PLOT, make(), PlotOptions(session="s1")).apart()


def test_notes_beside_neighbors_stay_apart() -> None:
    drawn(PLOT, lossy(worst_first=True)).apart()


def test_one_request_and_one_of_many_lineages_each() -> None:
    drawn(PLOT, results.agent(1)).apart()
    drawn(PLOT, results.agent(130, lineages=130, sessions=130)).apart()
    drawn(PLOT, results.agent(600, lineages=300, sessions=20)).apart()
    crowd = drawn(PLOT, results.agent(900, lineages=300, sessions=150))
    crowd.apart()
    assert "300 lineages are too many to stand apart" in " ".join(crowd.words())


def test_a_prompt_without_tokens_keeps_its_line() -> None:
    pieces = [results.Piece("user", 40, "hello")]
    result = results.of([("s", "l", pieces), ("s", "l", []), ("s", "l", pieces)])
    found = drawn(PLOT, result)
    ys = sorted({box.y for name in OUTCOMES for box in found.shapes.get(name, [])})
    assert len(ys) == 2
    assert "2" in found.words()
    found.apart()


def test_what_cannot_be_drawn_says_why() -> None:
    bare = builders.session()
    assert "no data for pictures" in str(PLOT.missing(bare))
    assert "no prompt tokens" in str(PLOT.missing(builders.result([])))
    nothing = results.of([("s", "l", [])])
    assert "no prompt tokens" in str(PLOT.missing(nothing))
    for result in (bare, builders.result([]), nothing):
        assert drawn(PLOT, result).words() == [PLOT.missing(result)]
    assert PLOT.missing(few()) is None
    assert "0 requests" in PLOT.describe(builders.result([]))


def test_one_session_alone() -> None:
    found = drawn(PLOT, several(), PlotOptions(session="s2"))
    rows = [row for row in several().requests if row.session_id == "s2"]
    assert len({box.y for name in OUTCOMES for box in found.shapes.get(name, [])}) == len(rows)
    assert any(f"in {len(rows)} requests" in text for text in found.words())
    with pytest.raises(UsageError, match="unknown session"):
        drawn(PLOT, several(), PlotOptions(session="nobody"))


def test_numbers_are_those_of_all_requests() -> None:
    found = drawn(PLOT, results.agent(6, lineages=2, sessions=2), PlotOptions(session="s2"))
    assert {"2", "4", "6"} <= set(found.words())


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_bytes_are_the_same_again(kind: str) -> None:
    for result in (few(), many()):
        assert drawn(PLOT, result, kind=kind).data == drawn(PLOT, result, kind=kind).data


@pytest.mark.parametrize("name", HOSTILE)
def test_names_can_be_anything(name: str) -> None:
    result = several()
    rows = [
        msgspec.structs.replace(
            row,
            session_id=name + row.session_id,
            lineage_id=name + row.lineage_id,
            break_=None
            if row.break_ is None
            else msgspec.structs.replace(row.break_, component=name, name=name + "x"),
        )
        for row in result.requests
    ]
    result = msgspec.structs.replace(result, requests=tuple(rows))
    for kind in ("png", "svg"):
        found = drawn(PLOT, result, kind=kind)
        found.apart()
        assert not any(char in "\x00\x1b\n\t\x07\u202e" for text in found.words() for char in text)
    assert any("$x^2" in text for text in found.words()) == name.startswith("$")


def test_a_name_of_nothing_is_said_to_be_unnamed() -> None:
    rows = [
        msgspec.structs.replace(row, session_id="", lineage_id="\x00" * int(row.lineage_id[1:]))
        for row in several().requests
    ]
    found = drawn(PLOT, msgspec.structs.replace(several(), requests=tuple(rows)))
    assert found.words().count("(unnamed)") == 5


def test_thousands_are_painted_and_small() -> None:
    found = drawn(PLOT, many(), kind="svg")
    assert len(found.data) < 300_000
    lines, columns, _ = found.images["cells"]
    assert lines < 600
    assert columns == 960
    assert not any(name in found.shapes for name in OUTCOMES)
    crowd = results.agent(10_000, lineages=400, sessions=400, broken_every=7, turns=30)
    assert len(drawn(PLOT, crowd, kind="svg").data) < 300_000
    everywhere = [
        msgspec.structs.replace(
            row, break_=builders.broken(1, token_offset=(number * 7919) % max(row.prompt_tokens, 1))
        )
        for number, row in enumerate(crowd.requests)
    ]
    worst = msgspec.structs.replace(crowd, requests=tuple(everywhere))
    assert len(drawn(PLOT, worst, kind="svg").data) < 300_000


def test_colors_of_text_are_those_of_the_theme() -> None:
    svg = drawn(PLOT, few(), PlotOptions(theme=PAGE), kind="svg").data.decode()
    for color in (PAGE.ink, PAGE.muted, PAGE.grid):
        assert color in svg
    for color in (LIGHT.ink, LIGHT.muted, LIGHT.grid, "#ffffff"):
        assert color not in svg


def test_it_is_told_in_words() -> None:
    text = PLOT.describe(many())
    assert text.startswith("Prefix waterfall of 2,000 requests with ")
    totals = many().totals
    for name, tokens in totals.outcomes.items():
        assert (OUTCOME_LOOKS[name].label in text) == bool(tokens)
    assert "The worst: request " in text
    assert len(text) < 400
