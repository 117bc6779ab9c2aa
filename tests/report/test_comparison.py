"""The screen of a comparison: golden outputs, its limits, and that every figure on it is that of the comparison."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from cachelens.model.comparison import Comparison, Delta, Illustrated
from cachelens.model.kinds import OUTCOMES
from cachelens.model.result import LayoutRow, Result
from cachelens.model.skips import SkipReport
from cachelens.pipeline.comparison import compare, illustrated
from cachelens.pipeline.comparison.figures import delta
from cachelens.report import changes
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.json_ import Json
from cachelens.report.renderers.terminal import Terminal
from cachelens.report.terminal.screen import ColorDepth, Page
from cachelens.report.untrusted import width
from tests.report import builders
from tests.report.golden import compare as golden
from tests.report.make_schema import schema

_SGR = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (80, 100, 160)
#: What no screen may print: escapes, marks that reorder or hide text, lone surrogates.
UNSAFE = {"\x1b", "\x9b", "\u202e", "\u200b", "\r", "\ud800"}


def show(document: Comparison, page: Page | None = None, verbose: bool = False) -> str:
    return Terminal().render(document, RenderOptions(page or Page(), verbose)).decode()


def mended() -> Result:
    """The wasteful session after its clock is gone: nothing diverges, one cause is left, another is new."""
    base = builders.wasteful()
    rows = []
    for row in base.requests:
        outcomes = dict(row.outcomes)
        outcomes["hit"] = outcomes.get("hit", 0) + outcomes.pop("divergence", 0)
        rows.append(msgspec.structs.replace(row, outcomes=outcomes, break_=None, buckets={}, wasted_tokens=0))
    made = builders.result(rows, trace={"sessions": 1, "lineages": 2, "working_set_tokens": 900_000})
    computed = made.totals.prefilled_tokens
    return msgspec.structs.replace(
        made,
        engines=(layout("vllm", made.totals.prompt_tokens, made.totals.hit_tokens - 1000),),
        findings=(
            builders.finding(
                "CL202",
                title="src/app.py is read 4 times",
                fingerprint="other",
                tokens=250_000,
                saving=builders.saving(30_000, computed),
                changes_input=True,
            ),
            builders.finding("CL205", title="a test is run again", saving=builders.saving(900, computed)),
        ),
    )


def layout(engine: str, prompt: int, hit: int) -> LayoutRow:
    return LayoutRow(
        engine=engine,
        order="as captured",
        prompt_tokens=prompt,
        hit_tokens=hit,
        prefilled_tokens=prompt - hit,
        hit_rate=hit / prompt,
    )


def before() -> Result:
    base = builders.wasteful()
    rows = (layout("vllm", base.totals.prompt_tokens, base.totals.hit_tokens - 5000),)
    own = {"CL101": "clock", "CL202": "file"}
    findings = tuple(
        msgspec.structs.replace(one, fingerprint=own.get(one.code, f"{one.code}-only"))
        for one in base.findings
    )
    return msgspec.structs.replace(base, engines=rows, findings=findings)


def better() -> Comparison:
    return compare(before(), mended(), ("before.json", "after.json"))


def worse() -> Comparison:
    return compare(mended(), before(), ("main", "pull request"))


def other_work() -> Comparison:
    """Two programs: other requests, other engines on purpose, and no way to pair sessions."""
    one = builders.result(
        [builders.row(n, {"hit": 500, "fresh": 500}, session_id=f"s{1 + n % 2}") for n in range(1, 7)],
        trace={"sessions": 2, "models": ("example-1",)},
    )
    rows = [builders.row(n, {"hit": 800, "fresh": 100, "divergence": 300}) for n in range(1, 4)]
    rows += [
        builders.row(n, {"fresh": 900, "capacity": 200}, session_id=f"s{n}", lineage_id=f"l{n}")
        for n in (4, 5)
    ]
    other = builders.result(
        rows, trace={"sessions": 3, "models": ("example-2",)}, engine={"name": "vllm", "page_size": 16}
    )
    return compare(one, other, ("one", "other"), allow=("engine",))


def hostile() -> Comparison:
    """Everything at once, everything long, everything trying to escape."""
    bad = "\x1b[2J\u202e\u200b[red]漢字\r\n\ud800" * 300

    def side(number: int) -> Result:
        rows = [
            builders.row(
                at,
                dict.fromkeys(OUTCOMES, 10**12 + number * at),
                session_id=f"{bad}{at // 3}" if number else f"{bad}{at // 3}x",
                lineage_id=f"{bad}{at}",
                reported_cached_tokens=5 * number,
                break_=builders.broken(10**12, path=bad),
                wasted_tokens=number,
                request_id=f"r{at}",
            )
            for at in range(3000 + number)
        ]
        made = builders.result(
            rows,
            trace={
                "sources": (bad,),
                "sessions": 10**9,
                "lineages": 10**9,
                "models": (bad + str(number),) * 9,
                "encoding": bad,
                "skipped": (SkipReport(bad, bad, 10**6, (1,), bad),),
                "skipped_records": 10**9,
            },
            engine={
                "name": bad + str(number),
                "policy": bad,
                "title": bad,
                "options": {bad: bad + str(number)},
            },
        )
        finding = builders.wasteful().findings[1]
        found = [
            msgspec.structs.replace(
                finding,
                title=bad + str(at),
                code=bad if at % 2 else "CL101",
                tokens=10**12,
                fingerprint=f"{number}{at}",
            )
            for at in range(40)
        ]
        named = msgspec.structs.replace(made, findings=tuple(found), cachelens=f"0.{number}")
        rows_elsewhere = tuple(layout(f"{bad}{at}", 10**12, 10**11 * number) for at in range(9))
        return msgspec.structs.replace(named, engines=rows_elsewhere, buckets=builders.wasteful().buckets)

    return compare(side(0), side(1), (bad, bad), allow=("engine",), notes=(bad,) * 9)


DOCUMENTS = {"better": better, "worse": worse, "other-work": other_work}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden(name: str, columns: int) -> None:
    golden(f"comparison-{name}.{columns}.txt", show(DOCUMENTS[name](), Page(columns)).encode())


def test_golden_verbose() -> None:
    golden("comparison-better-verbose.100.txt", show(better(), verbose=True).encode())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("make", [better, worse, other_work, hostile])
def test_it_fits_any_page(make: Any, verbose: bool, ascii_only: bool, columns: int) -> None:
    text = show(make(), Page(columns, ascii_only), verbose)
    lines = text.splitlines()
    assert len(lines) <= (60 if not verbose else 220)
    assert max(map(width, lines)) <= columns
    assert not set(text) & UNSAFE
    assert text.isascii() or not ascii_only


@pytest.mark.parametrize("depth", ["16", "256", "truecolor"])
def test_color_changes_nothing_but_color(depth: ColorDepth) -> None:
    for document in (better(), other_work()):
        plain = show(document)
        colored = show(document, replace(Page(), color=depth))
        assert colored != plain
        assert [line.rstrip() for line in _SGR.sub("", colored).splitlines()] == plain.splitlines()


def test_points_and_relative_changes_are_kept_apart() -> None:
    text = show(better())
    rate, computed = (better().figure(name) for name in ("hit-rate", "computed-tokens"))
    row = next(line for line in text.splitlines() if line.startswith("   hit rate "))
    assert re.fullmatch(r" +hit rate +\S+ % +\S+ % +\+\S+ pp +\+\S+ % +better", row)
    assert changes.change(rate) in row
    assert changes.relative(rate) in row
    assert rate.change is None
    assert computed.change_pp is None
    row = next(line for line in text.splitlines() if line.startswith("   computed "))
    assert " pp" not in row


def test_the_first_lines_say_better_or_worse_by_how_much_and_why() -> None:
    good, bad = (show(make()).splitlines()[4:7] for make in (better, worse))
    assert good[0].startswith(" BETTER ")
    assert "fewer tokens" in good[0]
    assert bad[0].startswith(" WORSE ")
    assert "as many tokens" in bad[0]
    assert any("diverged -" in line and "CL101 vanished" in line for line in good)
    assert any("diverged +" in line and "CL101 appeared" in line for line in bad)


def test_other_work_is_judged_by_rates_and_amounts_are_called_neither() -> None:
    found = other_work()
    assert not found.same_work
    text = show(found)
    assert "judged by rates: not known to be the same work" in text
    assert "which is which is not known" in text or "only after" in text
    assert re.search(
        r"across +engine radix before, vllm after; page size 1 token before, 16 tokens after", text
    )
    assert {one.effect for one in found.figures if one.unit not in ("rate", "factor")} == {""}
    assert re.search(r"^   computed .*\d( %)?$", text, re.M)


def test_what_is_the_same_is_called_equal() -> None:
    same = compare(before(), before())
    text = show(same)
    assert " EQUAL " in text
    assert "computes as many tokens as before" in text
    assert "why" not in text
    assert not re.search(r"\b(better|worse)$", text, re.M)


def test_causes_found_again_by_rule_alone_are_marked() -> None:
    (one,) = [one for one in better().causes if one.matched_by == "rule"]
    assert (one.code, one.state) == ("CL202", "shrank")
    text = show(better())
    assert re.search(r"shrank +CL202 +~ src/app.py is read 4 times", text)
    assert "~ found again by its rule alone" in text
    assert changes.matched(one) == "same rule, before: src/app.py is read 6 times"


def test_the_bars_are_those_of_the_outcomes() -> None:
    lines = show(better(), Page(100)).splitlines()
    at = lines.index(" WHERE THE PROMPT TOKENS WENT")
    one, other = lines[at + 1 : at + 3]
    assert len(one) == len(other) == 98
    assert one.startswith("  before  ")
    assert "▚" in one
    assert "▚" not in other
    for part in better().outcomes:
        share = Fraction(part.tokens.after or 0, better().figure("prompt-tokens").after or 1)
        assert abs(
            other.count({"hit": "█", "fresh": "░"}.get(part.name, "?")) / 88 - share
        ) < 0.05 or part.name not in (
            "hit",
            "fresh",
        )


@pytest.mark.parametrize(
    ("unit", "values", "said"),
    [
        ("rate", (Fraction(1, 2), Fraction(5001, 10_000)), ("50.0 %", "50.0 %", "+<0.1 pp", "+<0.1 %")),
        ("rate", (Fraction(1), Fraction(0)), ("100 %", "0 %", "-100.0 pp", "-100 %")),
        ("rate", (None, Fraction(1, 4)), ("-", "25.0 %", "-", "-")),
        ("rate", (Fraction(1, 3), Fraction(1, 3)), ("33.3 %", "33.3 %", "0 pp", "0 %")),
        ("tokens", (0, 1500), ("0", "1.50 k", "+1.50 k", "-")),
        ("tokens", (1500, 999), ("1.50 k", "999", "-501", "-33.4 %")),
        ("tokens", (Fraction(3, 2), Fraction(7, 4)), ("2", "2", "+<1", "+16.7 %")),
        ("factor", (Fraction(1), Fraction(5633, 1000)), ("1x", "5.63x", "+4.63", "+463.3 %")),
        ("factor", (Fraction(2), Fraction(19_999, 10_000)), ("2.00x", "2.00x", "-<0.01", "-<0.1 %")),
        ("usd", (Fraction(1, 10), Fraction(4)), ("0.1000", "4.00", "+3.90", "+3,900.0 %")),
        ("count", (7, 12_345), ("7", "12,345", "+12,338", "+176,257.1 %")),
    ],
)
def test_figures_in_words(unit: Any, values: Any, said: tuple[str, ...]) -> None:
    found = delta("x", "x", unit, "less", *values)
    shown = (
        changes.value(found, found.before),
        changes.value(found, found.after),
        changes.change(found),
        changes.relative(found),
    )
    assert shown == said


def test_no_change_is_ever_said_to_be_none() -> None:
    """A change that rounds to nothing still shows that there is one, and which way."""
    tiny = Fraction(1, 10**9)
    for unit in ("rate", "factor", "usd"):
        found: Delta = delta("x", "x", unit, "", Fraction(1, 2), Fraction(1, 2) + tiny)  # type: ignore[arg-type]
        assert re.search(r"[1-9]", changes.change(found))
        assert changes.change(found).startswith("+")


def test_json_is_small_complete_and_validates() -> None:
    found = better()
    data = Json().render(found, RenderOptions())
    assert msgspec.json.decode(data, type=Comparison) == found
    both = illustrated(found, before(), mended())
    assert isinstance(both, Illustrated)
    assert both.results == (before(), mended())
    assert Json().render(both, RenderOptions()) == data
    assert show(both) == show(found)
    assert len(data) < 60_000
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(schema(Comparison)))
    given = json.loads(data)
    validator.validate(given)
    del given["before"]["name"]
    assert not validator.is_valid(given)
