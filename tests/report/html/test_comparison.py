"""The page of a comparison: every figure of it, both sides of each picture, and nothing of a trace that runs."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from cachelens.model.comparison import Comparison, plain
from cachelens.model.findings import Location
from cachelens.report import changes
from cachelens.report.html.comparison import comparison_page
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.units import exact
from tests.report.html.documents import Parsed, assert_stands_alone, compared, spoiled
from tests.report.html.test_hostility import HOSTILE, assert_harmless


def test_it_stands_alone_and_is_the_same_each_time() -> None:
    data = comparison_page(compared())
    assert_stands_alone(data)
    assert comparison_page(compared()) == data
    assert RENDERERS.load("html")().render(compared(), RenderOptions()) == data


def test_all_figures_are_those_of_the_comparison() -> None:
    found = compared()
    text = Parsed(comparison_page(found)).text
    for one in found.figures:
        if one.before is None and one.after is None:
            continue
        sides = f"{changes.value(one, one.before)} {changes.value(one, one.after)}"
        assert f"{one.title} {sides} {changes.change(one)} {changes.relative(one)}" in text
    for part in found.outcomes:
        if part.tokens.before or part.tokens.after:
            sides = f"{changes.value(part.tokens, part.tokens.before)} {changes.value(part.tokens, part.tokens.after)}"
            assert f"{OUTCOME_LOOKS[part.name].label} {sides} {changes.change(part.tokens)}" in text
    assert found.causes
    for cause in found.causes:
        assert f"{cause.code} {cause.name}" in text
        assert cause.title in text
        for side in (cause.before, cause.after):
            assert side is None or exact(side.tokens) in text
    for layout in found.layouts:
        assert (
            f"{layout.engine} {layout.order} {changes.value(layout.hit_rate, layout.hit_rate.before)}" in text
        )
    assert changes.basis(found)[1:] in text


def test_the_judgment_is_named_and_marked() -> None:
    found = compared()
    assert found.judgment == "better"
    assert '<span class="effect better">better</span>' in comparison_page(found).decode()
    worse = replace(plain(found), judgment="worse")
    assert '<p class="judgment"><span class="effect worse">worse</span>' in comparison_page(worse).decode()
    equal = replace(plain(found), judgment="same")
    assert '<p class="judgment"><span class="effect ">equal</span>' in comparison_page(equal).decode()


def test_both_bars_and_both_pictures_stand_side_by_side() -> None:
    data = comparison_page(compared()).decode()
    bars = re.findall(r'<svg class="accounting".*?</svg>', data, re.DOTALL)
    assert len(bars) == 2
    assert "o-divergence" in bars[0]
    assert "o-divergence" not in bars[1]
    ids = Parsed(data.encode()).ids
    assert {"plot-before-waterfall", "plot-after-waterfall", "plot-before-curve", "plot-after-curve"} <= set(
        ids
    )


def test_without_results_it_says_that_there_are_no_pictures() -> None:
    data = comparison_page(plain(compared()))
    assert_stands_alone(data)
    assert "hold nothing that pictures can be drawn from" in Parsed(data).text
    assert b"<figure" not in data


def test_texts_of_prompts_are_never_shown() -> None:
    place = Location(request_id="r1", before="SECRET before", now="SECRET now")
    causes = tuple(
        one if one.before is None else replace(one, before=replace(one.before, location=place))
        for one in compared().causes
    )
    assert any(one.before is not None for one in causes)
    data = comparison_page(replace(plain(compared()), causes=causes))
    assert b"SECRET" not in data
    assert "no prompt text" in Parsed(data).text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_strings_in_every_field(text: str) -> None:
    found = plain(compared())
    kept = ("state", "matched_by", "paired_by", "judgment", "judged_by", "figures", "effect", "better")
    values = {
        name: getattr(found, name) if name in kept else spoiled(getattr(found, name), text, name)
        for name in Comparison.__struct_fields__
    }
    words = {"outcomes": found.outcomes, "labels": found.labels, "buckets": found.buckets}
    causes = tuple(
        replace(one, state=own.state, matched_by=own.matched_by)
        for one, own in zip(values["causes"], found.causes, strict=True)
    )
    hostile = Comparison(**(values | words | {"causes": causes}))
    data = comparison_page(hostile)
    assert len(data) < 1_000_000
    assert b"x" * 2_000 not in data
    assert_harmless(data)
