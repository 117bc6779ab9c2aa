"""The page: figures without a script, well-formed, in need of nothing else, the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from fractions import Fraction

import msgspec
import pytest

from cachelens.advise.rules import RULES
from cachelens.model.result import Result, decode, encode
from cachelens.report.html.page import page
from cachelens.report.html.pictures import pictures
from cachelens.report.html.places import STATIC_REQUESTS
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.units import exact, percent, share
from tests.report import builders
from tests.report.html.documents import Parsed, analyzed, assert_stands_alone, many

SAMPLES = ("pruned-history.jsonl.zst", "sub-agents.mitm", "tokens.jsonl", "broken.jsonl", "clock.jsonl")
MADE = {
    "wasteful": builders.wasteful,
    "empty": lambda: builders.result([]),
    "one": lambda: builders.result([builders.row(1, {"fresh": 10})]),
    "no tokens": lambda: builders.result([builders.row(1, {})]),
    "many": lambda: many(STATIC_REQUESTS + 1),
}


def results() -> list[object]:
    found = [pytest.param(lambda make=make: make(), id=name) for name, make in MADE.items()]
    return found + [pytest.param(lambda name=name: analyzed(name), id=name) for name in SAMPLES]


@pytest.mark.parametrize("make", results())
def test_page_is_well_formed_and_needs_nothing_else(make) -> None:
    data = page(make())
    assert_stands_alone(data)


@pytest.mark.parametrize("make", results())
def test_same_result_same_page_and_so_after_a_round_trip(make) -> None:
    result = make()
    first = page(result)
    assert page(result) == first
    assert page(decode(encode(result))) == first


def test_policy_admits_the_style_and_the_script_of_the_page_alone() -> None:
    data = page(builders.wasteful()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', data)
    assert policy
    told = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in told
    assert "unsafe" not in told
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", data, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in told


@pytest.mark.parametrize("make", results())
def test_main_figures_stand_in_the_page_without_a_script(make) -> None:
    result: Result = make()
    text = Parsed(page(result)).text
    totals = result.totals
    computed = totals.prefilled_tokens
    told = [
        f"{exact(totals.prompt_tokens)} sent",
        f"{exact(computed)}, {share(computed, totals.prompt_tokens)}",
        f"fresh {exact(totals.fresh_tokens)}",
        f"again {exact(computed - totals.fresh_tokens)}",
        percent(totals.hit_rate),
        f"{exact(totals.hit_tokens)} served",
        percent(totals.ideal_hit_rate),
        percent(totals.mean_hit_ratio),
    ]
    if result.engine.capacity_tokens is not None:
        told.append(f"{percent(totals.optimal_hit_rate)} at this size")
    for name, tokens in totals.outcomes.items():
        if tokens:
            told.append(f"{exact(tokens)} {share(tokens, totals.prompt_tokens)}")
        assert name
    for bucket in result.buckets.values():
        told.append(f"{exact(bucket.carried_tokens)} {exact(bucket.computed_tokens)}")
    for row in result.engines:
        told.append(f"{exact(row.hit_tokens)} {exact(row.prefilled_tokens)}")
    if totals.reported_cached_tokens is not None and totals.reported_prompt_tokens:
        told.append(f"{exact(totals.reported_cached_tokens)} of {exact(totals.reported_prompt_tokens)}")
    for finding in result.findings:
        assert finding.title in text
        assert finding.fix in text
        if finding.saving is not None:
            told.append(f"{exact(finding.saving.computed_tokens)} ({percent(finding.saving.share)})")
    assert [figure for figure in told if figure not in text] == []


def test_accounting_bar_is_as_long_as_its_tokens() -> None:
    result = builders.wasteful()
    data = page(result).decode()
    bar = re.search(r'<svg class="accounting".*?</svg>', data, re.DOTALL)
    assert bar
    found = re.findall(r'<rect class="o-(\w+)" x="([\d.]+)%" width="([\d.]+)%"', bar[0])
    assert sum(Fraction(width) for _, _, width in found) == 100
    at = Fraction(0)
    for name, x, width in found:
        assert Fraction(x) == at
        at += Fraction(width)
        tokens = result.totals.outcomes[name]
        assert abs(Fraction(width) - Fraction(100 * tokens, result.totals.prompt_tokens)) < 1
    assert {name for name, _, _ in found} == {name for name, n in result.totals.outcomes.items() if n}


def test_every_request_of_a_short_trace_has_a_row_with_its_figures() -> None:
    result = builders.wasteful()
    data = page(result).decode()
    for number, row in enumerate(result.requests, 1):
        line = re.search(rf'<tr id="request-{number}">.*?</tr>', data, re.DOTALL)
        assert line
        cells = re.findall(r'<td class="num">([^<]*)</td>', line[0])
        again = row.prompt_tokens - row.outcomes.get("hit", 0) - row.outcomes.get("fresh", 0)
        assert cells[1:5] == [
            exact(row.prompt_tokens),
            share(row.outcomes.get("hit", 0), row.prompt_tokens),
            exact(again),
            exact(row.reported_cached_tokens or 0),
        ]
        assert (row.break_ is None) == ('<td class="where"></td>' in line[0])


def test_a_long_trace_stands_in_the_page_as_data_and_sums_up_for_everyone() -> None:
    result = many(1_000)
    parsed = Parsed(page(result))
    (embedded,) = [json.loads(text) for attributes, text in parsed.scripts if "type" in attributes]
    rows = [row for session in embedded["sessions"] for lineage in session[5] for row in lineage[1]]
    assert sorted(row[0] for row in rows) == list(range(1, 1_001))
    assert sum(row[4] for row in rows) == result.totals.prompt_tokens
    assert sum(row[5] for row in rows) == result.totals.hit_tokens
    assert sum(row[6] for row in rows) == result.totals.outcomes["divergence"]
    for row in rows:
        assert sum(map(int, re.findall(r"\d+", row[9]))) <= embedded["steps"]
    assert "request-1" not in parsed.ids
    assert len([tag for tag, values in parsed.tags if values.get("class") == "session"]) == 37
    assert "Requests of a session are listed when it is opened" in parsed.text


def test_of_a_very_long_trace_the_data_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cachelens.report.html.sessions._EMBEDDED", 500)
    result = many(1_000, sessions=250)
    parsed = Parsed(page(result))
    (embedded,) = [json.loads(text) for attributes, text in parsed.scripts if "type" in attributes]
    sessions = embedded["sessions"]
    kept = [row for session in sessions for lineage in session[5] for row in lineage[1]]
    assert len(kept) == 500
    assert len(sessions) == 125
    assert embedded["beyond"] == 125
    few = many(1_000, sessions=3)
    (embedded,) = [json.loads(text) for attributes, text in Parsed(page(few)).scripts if "type" in attributes]
    assert [session[6] for session in embedded["sessions"]] == [0, 167, 333]
    assert sum(session[2] for session in embedded["sessions"]) == few.totals.prompt_tokens


def test_sessions_beyond_those_shown_are_summed() -> None:
    result = many(1_000, sessions=250)
    parsed = Parsed(page(result))
    shown = [values for tag, values in parsed.tags if values.get("class") == "session"]
    assert len(shown) == 100
    assert "150 more sessions with" in parsed.text
    short = Parsed(page(many(300, sessions=250)))
    assert len([1 for _, values in short.tags if values.get("class") == "session"]) == 250


def test_ten_thousand_requests_are_a_small_page() -> None:
    assert len(page(many(10_000))) < 5_000_000


def test_findings_link_to_their_rule_inside_the_page() -> None:
    result = builders.wasteful()
    parsed = Parsed(page(result))
    links = {
        values["href"] for tag, values in parsed.tags if tag == "a" and "#rule-" in values.get("href", "")
    }
    assert {f"#rule-{finding.code}" for finding in result.findings if finding.code in RULES} <= links
    assert {f"rule-{code}" for code in RULES} <= set(parsed.ids)
    strange = msgspec.structs.replace(result, findings=(builders.finding("XY1"), builders.finding("CL101")))
    again = Parsed(page(strange))
    assert "#rule-XY1" not in {values.get("href") for _, values in again.tags}


def test_bounds_and_reasons_are_named() -> None:
    result = builders.wasteful()
    text = Parsed(page(result)).text
    changing = sum(finding.changes_input for finding in result.findings)
    assert changing
    assert text.count("changes the model’s input: upper bound") == changing
    assert "saves up to 90.0 k" in text
    assert "legitimate: costs tokens, and has its reasons" in text
    assert "pays when 4 requests follow" in text
    assert "40,000 more tokens computed" in text


def test_the_page_says_which_level_of_privacy_it_holds() -> None:
    hidden = Parsed(page(analyzed("pruned-history.jsonl.zst"))).text
    shown = Parsed(page(analyzed("pruned-history.jsonl.zst", show_text=True))).text
    assert "no prompt text" in hidden
    assert "Holds excerpts of prompts" in shown
    assert "no prompt text" not in shown


def test_texts_are_there_only_when_shown() -> None:
    shown = analyzed("pruned-history.jsonl.zst", show_text=True)
    assert shown.pictures is not None
    texts = [
        segment.text
        for view in shown.pictures.views
        for segment in view.segments
        if segment.text and len(segment.text) > 40
    ]
    assert texts
    hidden = page(analyzed("pruned-history.jsonl.zst")).decode()
    words = {text[:40] for text in texts}
    assert not [word for word in words if word in hidden]
    # A result that says it holds no text has none shown, whatever it holds.
    denied = page(msgspec.structs.replace(shown, shows_text=False)).decode()
    assert not [word for word in words if word in denied]
    assert "<del>" in page(shown).decode()
    assert "<del>" not in denied


def test_without_pictures_the_page_says_how_to_have_them() -> None:
    bare = msgspec.structs.replace(analyzed("pruned-history.jsonl.zst"), pictures=None)
    parsed = Parsed(page(bare))
    assert "cachelens analyze TRACE -o report.html" in parsed.text
    assert not [found for found in parsed.ids if found.startswith(("view-", "plot-curve", "plot-bridge"))]
    for title, why in pictures(bare).missing:
        assert f"Picture {title} {why}" in parsed.text


def test_skipped_records_and_sources_of_the_engine_are_told() -> None:
    text = Parsed(page(analyzed("broken.jsonl"))).text
    result = analyzed("broken.jsonl")
    assert result.trace.skipped
    for report in result.trace.skipped:
        assert report.reason in text
    assert re.search(r"read on .*20\d\d-\d\d-\d\d", text)
    for sentence in result.engine.unknown:
        assert sentence in text
    unknown = builders.result([builders.row(1, {"fresh": 10})], engine={"name": "of-a-third-party"})
    assert "does not know the engine" in Parsed(page(unknown)).text


def test_renderer_is_the_page_and_refuses_what_it_does_not_show() -> None:
    renderer = RENDERERS.load("html")()
    result = builders.wasteful()
    assert renderer.render(result, RenderOptions()) == page(result)
    with pytest.raises(TypeError):
        renderer.render(builders.curve(), RenderOptions())
