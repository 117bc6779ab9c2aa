from __future__ import annotations

import msgspec
import pytest

from cachelens.model.pictures import Group
from cachelens.model.result import Result
from cachelens.report.plots import reuse
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.theme import LIGHT, PAGE
from cachelens.report.plots.treemap import Treemap
from cachelens.report.units import count, share
from tests.report import builders
from tests.report.plots import results
from tests.report.plots.drawn import drawn
from tests.report.plots.results import few, many

PLOT = Treemap()
#: Half the gap between areas, in points.
GAP = 0.5


def group(
    kind: str, sent: int, hit: int = 0, name: str | None = None, item: str | None = None, folded: int = 0
) -> Group:
    return Group(
        kind=kind,
        name=name,
        item=item,
        contents=3,
        tokens=sent // 2,
        sends=7,
        sent_tokens=sent,
        hit_tokens=hit,
        repeated_tokens=hit,
        folded=folded,
    )


def of(*groups: Group) -> Result:
    """A Result with these groups, not otherwise consistent."""
    made = few()
    assert made.pictures is not None
    return msgspec.structs.replace(made, pictures=msgspec.structs.replace(made.pictures, groups=groups))


@pytest.mark.parametrize("make", [few, many])
def test_areas_are_the_tokens_sent(make: object) -> None:
    result = few() if make is few else many()
    assert result.pictures is not None
    found = drawn(PLOT, result)
    areas = [
        ((box.width + 2 * GAP) * (box.height + 2 * GAP), color)
        for box, color in zip(found.shapes["area"], found.colors["area"], strict=True)
        if min(box.width, box.height) > 3 * GAP
    ]
    groups = [item for item in result.pictures.groups if item.sent_tokens]
    assert len(found.shapes["area"]) == len(groups)
    whole = sum(area for area, _ in areas)
    told = sorted(
        ((item.sent_tokens, reuse.color(item.hit_tokens, item.sent_tokens)) for item in groups), reverse=True
    )[: len(areas)]
    per_token = whole / sum(sent for sent, _ in told)
    for (area, _), (sent, _) in zip(sorted(areas, reverse=True), told, strict=True):
        assert area == pytest.approx(sent * per_token, rel=0.02, abs=0.5)
    for color in {color for _, color in told}:
        drawn_area = sum(area for area, other in areas if other == color)
        assert drawn_area == pytest.approx(
            sum(sent for sent, other in told if other == color) * per_token, rel=0.02, abs=1
        )


def test_areas_of_a_kind_lie_under_its_heading() -> None:
    result = of(
        group("system", 600, 100),
        group("tools", 300, 300, "grep"),
        group("tools", 100, 0, "edit"),
        group("user", 50),
    )
    found = drawn(PLOT, result)
    headings = {text: box for text, box in found.texts if text in ("system", "tools", "user")}
    areas = dict(zip(found.colors["area"], found.shapes["area"], strict=True))
    blue = areas[reuse.color(1, 1)]
    assert blue.x <= headings["tools"].x + 1
    assert headings["tools"].bottom <= blue.y + 1
    assert any(count(600) in text and share(600, 1050) in text for text, _ in found.texts)


def test_labels_stay_apart_and_in_their_areas() -> None:
    for result in (few(), many(), results.agent(1), results.agent(60, lineages=5, broken_every=7)):
        found = drawn(PLOT, result)
        found.apart()
        top = min(box.y for box in found.shapes["area"])
        low = max(box.bottom for box in found.shapes["area"])
        headings = {"tool_result", "tool_call", "tools", "system", "user", "assistant"}
        loose = [
            (text, ink)
            for text, ink in found.texts
            if top < ink.y and ink.bottom < low and text not in headings
        ]
        outside = [
            text
            for text, ink in loose
            if not any(
                box.x <= ink.x
                and ink.right <= box.right
                and box.y - 1 <= ink.y
                and ink.bottom <= box.bottom + 1
                for box in found.shapes["area"]
            )
        ]
        assert all("%" in text for text in outside)  # figures beside the headings of kinds


def test_a_label_says_what_it_is_and_how_much() -> None:
    words = drawn(PLOT, of(group("tool_result", 10_000, 7_500, "read_file", "src/a.py"))).words()
    assert {
        "read_file",
        "src/a.py",
        "10.0 k, 75.0 % served",
        "3 texts of 5.00 k tokens, sent 7 times",
    } <= set(words)
    assert "not of one file" in drawn(PLOT, of(group("tool_result", 10, 5))).words()
    assert "not of one file" not in drawn(PLOT, of(group("system", 10, 5))).words()


def test_of_a_long_path_the_end_is_shown() -> None:
    path = "/home/somebody/" + "deep/" * 12 + "balance_of_the_year.py"
    found = drawn(PLOT, of(*(group("tool_result", 100, 1, "read", path) for _ in range(20))))
    shown = [text for text in found.words() if text.startswith(("…/", "balance"))]
    assert shown
    assert all(text.startswith("balance") or text.endswith("/balance_of_the_year.py") for text in shown)
    assert not any(text.startswith("/home") for text in found.words())


def test_what_is_folded_is_striped_and_said_to_be() -> None:
    found = drawn(
        PLOT, of(group("tool_result", 500, 1, "read", "a"), group("tool_result", 400, 1, "read", folded=17))
    )
    assert len(found.shapes["folded"]) == 1
    assert "17 smaller" in found.words()
    assert any("Striped" in text for text in found.words())
    assert not any("Striped" in text for text in drawn(PLOT, few()).words())


def test_what_was_never_sent_takes_no_room_and_unknown_kinds_are_others() -> None:
    found = drawn(
        PLOT, of(group("system", 0), group("tools", 10, 0, "a"), *(group(f"k{at}", 9) for at in range(20)))
    )
    assert "system" not in found.words()
    assert "other" in found.words()
    assert len(found.shapes["area"]) == 21


def test_what_cannot_be_drawn_says_why() -> None:
    bare = builders.session()
    assert "no data for pictures" in str(PLOT.missing(bare))
    nothing = results.of([("s", "l", [])])
    assert "no prompt tokens" in str(PLOT.missing(nothing))
    for result in (bare, nothing, results.of([])):
        assert drawn(PLOT, result).words() == [PLOT.missing(result)]
        assert PLOT.describe(result)
    assert PLOT.missing(few()) is None


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_bytes_are_the_same_again(kind: str) -> None:
    assert drawn(PLOT, many(), kind=kind).data == drawn(PLOT, many(), kind=kind).data


@pytest.mark.parametrize(
    "name",
    [
        "$x^{2$ \\frac",
        "漢字/漢字.py",
        "\x1b[2J\u202e/\x00/",
        "עברית/קובץ.py",
        "long/" * 500,
        "😀" * 30,
        "",
        "/",
        "a" * 900,
    ],
)
def test_names_can_be_anything(name: str) -> None:
    groups = [group("tool_result", 1000 - at, 1, name, name + str(at), folded=at % 2) for at in range(40)]
    for kind in ("png", "svg"):
        found = drawn(PLOT, of(*groups, group("tools", 500, 3, name)), kind=kind)
        found.apart()
        assert not any(char in "\x00\x1b\u202e" for text in found.words() for char in text)
    assert PLOT.describe(of(*groups))


def test_svg_is_small_and_takes_colors_from_the_page() -> None:
    crowd = of(
        *(group("tool_result", 900 - at, at, f"tool {at % 9}", f"src/part_{at}.py") for at in range(300))
    )
    data = drawn(PLOT, crowd, PlotOptions(theme=PAGE), kind="svg").data
    assert len(data) < 300_000
    assert PAGE.ink in data.decode()
    assert LIGHT.muted not in data.decode()


def test_it_is_told_in_words() -> None:
    text = PLOT.describe(of(group("system", 750, 250), group("tools", 250, 250, "grep")))
    assert text == (
        "Treemap of 1.00 k prompt tokens, 50.0 % of them served from cache, by what they are: system 75.0 %,"
        " tools 25.0 %. The largest area is system: 750 sent in 7 segments."
    )
