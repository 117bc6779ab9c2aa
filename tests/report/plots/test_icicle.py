from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.model.pictures import Stretch
from cachelens.model.result import Result
from cachelens.report.plots import reuse
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.icicle import Icicle
from cachelens.report.plots.levels import Box, boxes
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.theme import LIGHT, PAGE
from tests.report import builders
from tests.report.plots import results
from tests.report.plots.drawn import drawn
from tests.report.plots.results import few, many

PLOT = Icicle()
HOSTILE = "$x^{2$ 漢字 \x1b[2J\u202e עברית " + "long " * 80


def stretch(
    parent: int, tokens: int, requests: int, hit: int = 0, folded: int = 0, kind: str = "user"
) -> Stretch:
    return Stretch(
        parent=parent,
        kind=kind,
        name=None,
        depth=0,
        segments=1,
        tokens=tokens,
        requests=requests,
        sent_tokens=tokens * requests,
        hit_tokens=min(hit, tokens * requests),
        repeated_tokens=0,
        folded=folded,
    )


def of(*stretches: Stretch) -> Result:
    """A Result with this tree, not otherwise consistent."""
    made = few()
    assert made.pictures is not None
    return msgspec.structs.replace(made, pictures=msgspec.structs.replace(made.pictures, tree=stretches))


@st.composite
def trees(draw: st.DrawFn) -> list[Stretch]:
    """Trees of every shape, chains more often than not."""
    found: list[Stretch] = []
    for at in range(draw(st.integers(1, 60))):
        parent = at - 1 if draw(st.integers(0, 3)) else draw(st.integers(-1, at - 1))
        if parent >= 0 and found[parent].folded:
            parent = -1
        found.append(
            stretch(
                parent,
                draw(st.integers(0, 500)),
                draw(st.integers(1, 30)),
                draw(st.integers(0, 3000)),
                draw(st.sampled_from([0, 0, 0, 0, 7])),
            )
        )
    return found


def hanging(found: list[Box]) -> None:
    """Boxes of a level lie side by side, each below a box that is as wide as its own tokens and all it carries."""
    for box in found:
        assert 0 <= box.sent_tokens <= box.width
        below = [
            other
            for other in found
            if other.level == box.level + 1
            and box.start <= other.start < box.start + box.width
            and other.width
        ]
        assert box.width == box.sent_tokens + sum(other.width for other in below)
        assert all(other.start + other.width <= box.start + box.width for other in below)
    for level in {box.level for box in found}:
        row = sorted((box.start, box.start + box.width) for box in found if box.level == level and box.width)
        assert all(first[1] <= second[0] for first, second in pairwise(row))


@settings(deadline=None)
@given(trees(), st.integers(1, 9))
def test_no_token_is_left_out(tree: list[Stretch], levels: int) -> None:
    found = boxes(tree, levels)
    assert sum(box.sent_tokens for box in found) == sum(item.sent_tokens for item in tree)
    assert sum(box.hit_tokens for box in found) == sum(item.hit_tokens for item in tree)
    assert sum(box.tokens for box in found) == sum(item.tokens for item in tree)
    assert sum(box.segments for box in found) == sum(item.segments for item in tree)
    assert all(0 <= box.level < levels for box in found)
    assert sum(box.width for box in found if box.level == 0) == sum(item.sent_tokens for item in tree)
    hanging(found)


def test_a_chain_becomes_few_boxes_that_grow_narrower() -> None:
    chain = [stretch(at - 1, 100, 300 - at) for at in range(300)]
    found = sorted(boxes(chain, 14), key=lambda box: box.level)
    assert [box.level for box in found] == list(range(len(found)))
    assert 5 < len(found) <= 14
    assert sum(box.segments for box in found) == 300
    assert found[0].requests[0] == 300
    assert found[-1].requests[1] == 1
    hanging(found)


def test_small_branches_along_a_chain_are_gathered() -> None:
    tree = [stretch(-1, 1000, 300)]
    trunk = 0
    for at in range(1, 300):
        tree.append(stretch(trunk, 5, 1))
        tree.append(stretch(trunk, 100, 300 - at))
        trunk = len(tree) - 1
    found = boxes(tree, 14)
    gathered = [box for box in found if box.branches]
    assert len(found) <= 2 * 14
    assert 270 < sum(box.branches for box in gathered) <= 300
    assert sum(box.sent_tokens for box in gathered) >= 290 * 5
    hanging(found)


def test_a_very_deep_tree_is_drawn() -> None:
    deep = [stretch(at - 1, 3, 2) for at in range(20_000)]
    assert len(boxes(deep, 14)) <= 14
    assert drawn(PLOT, of(*deep)).shapes["box"]


def test_what_weighs_much_alone_has_a_box_of_its_own() -> None:
    tree = [
        stretch(-1, 10, 10, kind="tools"),
        stretch(0, 5000, 10, kind="system"),
        stretch(1, 10, 10),
        stretch(2, 10, 9),
    ]
    assert [box.kinds for box in boxes(tree, 14)][:2] == [(("tools", None),), (("system", None),)]
    assert len(boxes(tree, 14)) == 3


@pytest.mark.parametrize("make", [few, many])
def test_boxes_are_as_wide_as_the_tokens_sent(make: object) -> None:
    result = few() if make is few else many()
    assert result.pictures is not None
    found = drawn(PLOT, result)
    told = boxes(result.pictures.tree, 14)
    places = [
        (box, color)
        for label in ("box", "gathered")
        for box, color in zip(found.shapes.get(label, []), found.colors.get(label, []), strict=True)
    ]
    left = min(box.x for box, _ in places) - 0.6
    scale = (max(box.right for box, _ in places) + 0.6 - left) / result.totals.prompt_tokens
    tops = sorted({round(box.y, 1) for box, _ in places})
    assert len(tops) == max(box.level for box in told) + 1
    assert len(places) == len(told)
    for box in told:
        if box.width * scale < 3:
            continue
        (place, color) = min(
            (pair for pair in places if round(pair[0].y, 1) == tops[box.level]),
            key=lambda pair: abs(pair[0].x - 0.6 - left - box.start * scale),
        )
        assert place.x == pytest.approx(left + box.start * scale + 0.6, abs=0.05)
        assert place.width == pytest.approx(box.width * scale - 1.2, abs=0.05)
        assert color == reuse.color(box.hit_tokens, box.sent_tokens)


def test_labels_stay_in_their_boxes() -> None:
    for result in (few(), many(), results.agent(60, lineages=5, broken_every=7)):
        found = drawn(PLOT, result)
        found.apart()
        places = [*found.shapes.get("box", []), *found.shapes.get("gathered", [])]
        for text, ink in found.texts:
            holders = [box for box in places if box.y <= ink.y + ink.height / 2 <= box.bottom]
            if holders:
                assert any(box.x <= ink.x and ink.right <= box.right for box in holders), text


def test_what_is_folded_is_striped_and_said_to_be() -> None:
    found = drawn(PLOT, of(stretch(-1, 10, 10), stretch(0, 100, 8, 400), stretch(0, 90, 5, 100, folded=12)))
    assert len(found.shapes["gathered"]) == 1
    assert any("12 small branches" in text for text in found.words())
    assert any("Striped" in text for text in found.words())
    assert not any("Striped" in text for text in drawn(PLOT, of(stretch(-1, 10, 10))).words())


def test_figures_are_those_of_the_stretch() -> None:
    words = drawn(PLOT, of(stretch(-1, 1200, 10, 9000, kind="system"))).words()
    assert "system" in words
    assert "1.20 k tokens in 10 requests: 12.0 k sent, 75.0 % served" in words


def test_what_cannot_be_drawn_says_why() -> None:
    bare = builders.session()
    assert "no data for pictures" in str(PLOT.missing(bare))
    nothing = results.of([("s", "l", [])])
    assert "no prompt tokens" in str(PLOT.missing(nothing))
    assert "no prompt tokens" in str(PLOT.missing(results.of([])))
    for result in (bare, nothing, results.of([])):
        assert drawn(PLOT, result).words() == [PLOT.missing(result)]
        assert PLOT.describe(result)
    assert PLOT.missing(results.agent(1)) is None
    drawn(PLOT, results.agent(1)).apart()


def test_stretches_without_tokens_do_no_harm() -> None:
    found = drawn(PLOT, of(stretch(-1, 0, 4), stretch(0, 10, 3, 15), stretch(0, 0, 1)))
    found.apart()
    assert "10 tokens in 3 requests: 30 sent, 50.0 % served" in found.words()
    (seen,) = (
        (box, color)
        for box, color in zip(found.shapes["box"], found.colors["box"], strict=True)
        if color == reuse.color(15, 30)
    )
    assert seen[0].width == max(box.width for boxes_ in found.shapes.values() for box in boxes_)


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_bytes_are_the_same_again(kind: str) -> None:
    assert drawn(PLOT, many(), kind=kind).data == drawn(PLOT, many(), kind=kind).data


def test_names_can_be_anything() -> None:
    tree = [
        msgspec.structs.replace(stretch(at - 1, 1000, 10), name=HOSTILE, kind=HOSTILE if at > 2 else "tools")
        for at in range(5)
    ]
    found = drawn(PLOT, of(*tree))
    found.apart()
    assert any("$x^{2$" in text for text in found.words())


def test_svg_is_small_and_takes_colors_from_the_page() -> None:
    data = drawn(PLOT, many(), PlotOptions(theme=PAGE), kind="svg").data
    assert len(data) < 300_000
    assert PAGE.ink in data.decode()
    assert LIGHT.muted not in data.decode()


def test_it_is_told_in_words() -> None:
    result = few()
    assert result.pictures is not None
    text = PLOT.describe(result)
    assert text.startswith("Icicle of 5 prompts with ")
    common = sum(piece.tokens for piece in result.pictures.tree if piece.requests == 5)
    assert f"All begin with the same {common:,} tokens" in text
    apart = results.of([("s", name, [results.Piece("user", 9, name)]) for name in "abc"])
    assert "They begin in 3 ways" in PLOT.describe(apart)


def test_lightness_falls_all_the_way() -> None:
    """So the scale reads in gray, and with any color blindness."""
    lights = []
    for at in range(101):
        color = reuse.color(at, 100)
        lights.append(reuse._luminance(color))
    assert all(first > second for first, second in pairwise(lights))
    assert reuse.color(0, 0) == reuse.NONE_COLOR
    assert reuse.color(5, 4) == reuse.color(1, 1)


@given(st.integers(0, 100))
def test_ink_reads_on_every_color_of_the_scale(part: int) -> None:
    ground = reuse.color(part, 100)
    first, second = sorted((reuse._luminance(ground), reuse._luminance(reuse.ink_on(ground))))
    assert (second + 0.05) / (first + 0.05) >= 4.0


def test_a_box_is_a_rectangle() -> None:
    box = Rect(1, 2, 10, 4)
    assert (box.right, box.bottom, box.area) == (11, 6, 40)
    assert box.within(1) == Rect(2, 3, 8, 2)
    assert box.within(5) == Rect(3.5, 3, 5, 2)
