"""The screens: golden outputs, their limits, and that no figure is claimed that the Result does not hold."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from cachelens.model.curve import Curve
from cachelens.model.findings import Bucket
from cachelens.model.grid import Grid
from cachelens.model.kinds import OUTCOMES
from cachelens.model.result import LayoutRow, Result, check
from cachelens.model.skips import SkipReport
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.terminal import Terminal
from cachelens.report.terminal.screen import ColorDepth, Page
from cachelens.report.untrusted import width
from tests.report import builders
from tests.report.golden import compare

_SGR = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (80, 100, 160)


def show(document: Result | Curve | Grid, page: Page | None = None, verbose: bool = False) -> str:
    return Terminal().render(document, RenderOptions(page or Page(), verbose)).decode()


def append_only() -> Result:
    rows = [
        builders.row(n, {"hit": 1000 * (n - 1), "fresh": 1000} if n > 1 else {"fresh": 1000})
        for n in range(1, 6)
    ]
    return builders.result(
        rows, engine={"name": "ideal", "capacity_tokens": None}, trace={"encoding": "exact"}
    )


def hostile() -> Result:
    """Everything at once, everything long, everything trying to escape."""
    bad = "\x1b[2J\u202e\u200b[red]漢字\r\n\ud800" * 300
    rows = []
    for number in range(1, 3001):
        outcomes = dict.fromkeys(OUTCOMES, 10**9 + number)
        found = builders.broken(
            10**9 + number, kind=bad, component=bad, path=bad, name=bad, token_offset=10**9, char_offset=10**9
        )
        rows.append(
            builders.row(
                number,
                outcomes,
                lineage_id=f"{bad}{number}",
                reported_cached_tokens=5,
                break_=found if number > 1 else None,
            )
        )
    skipped = tuple(
        SkipReport(bad + str(n), bad, 10**6, tuple(range(10**6, 10**6 + 5)), bad) for n in range(50)
    )
    trace = {
        "sources": (bad,) * 40,
        "encoding": bad,
        "lineages": 3000,
        "skipped": skipped,
        "skipped_records": 50 * 10**6,
        "notes": (bad,) * 30,
    }
    result = builders.result(rows, trace=trace, engine={"name": bad, "policy": bad})
    wasteful = builders.wasteful()
    found = [
        msgspec.structs.replace(finding, title=bad, name=bad, code="CL101")
        for finding in wasteful.findings * 5
    ]
    return msgspec.structs.replace(result, findings=tuple(found), remedies=wasteful.remedies)


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("name", ["session", "wasteful", "append-only", "curve", "sizes", "grid"])
def test_golden(name: str, columns: int) -> None:
    documents = {
        "session": builders.session,
        "wasteful": builders.wasteful,
        "append-only": append_only,
        "curve": lambda: builders.curve(marked=200_000),
        "sizes": sizes,
        "grid": builders.grid,
    }
    compare(f"{name}.{columns}.txt", show(documents[name](), Page(columns)).encode())


def sizes() -> Curve:
    curve = builders.curve()
    return msgspec.structs.replace(curve, capacities=tuple(p.capacity_tokens for p in curve.points[5:30:6]))


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(
    "make",
    [builders.session, builders.wasteful, append_only, hostile, builders.curve, sizes, builders.grid],
)
def test_every_screen_fits(make, columns: int, ascii_only: bool) -> None:  # type: ignore[no-untyped-def]
    text = show(make(), Page(columns, ascii_only))
    lines = text.splitlines()
    assert len(lines) <= 60
    assert max(map(width, lines)) <= columns
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\u200b", "\r", "\ud800"}
    assert text.isascii() or not ascii_only


def test_builders_are_consistent() -> None:
    for result in (builders.session(), builders.wasteful(), append_only(), hostile()):
        assert check(result) is None, "check raises where a token is not accounted for"


@pytest.mark.parametrize("depth", ["16", "256", "truecolor"])
def test_color_changes_nothing_but_color(depth: ColorDepth) -> None:
    for document in (builders.session(), builders.curve(200_000)):
        plain = show(document)
        colored = show(document, replace(Page(), color=depth))
        assert colored != plain
        assert [line.rstrip() for line in _SGR.sub("", colored).splitlines()] == plain.splitlines()
        assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in colored.splitlines())


def test_append_only_says_so() -> None:
    text = show(append_only())
    assert "append-only: every prompt extends the one before it in its lineage" in text
    assert "exact token ids" in text
    assert "approximate" not in text
    assert "perfect eviction" not in text  # an unlimited cache has no eviction


def test_unrelated_requests_are_not_called_append_only() -> None:
    rows = [builders.row(n, {"fresh": 10}, previous_request_id=None, lineage_id=f"l{n}") for n in (1, 2)]
    text = show(builders.result(rows))
    assert "no request continues another" in text
    assert "append-only" not in text


def test_breaks_are_counted_in_full_and_shown_in_part() -> None:
    result = builders.session()
    assert "7 of 83 prompts do not extend the one before" in show(result)
    assert (
        len(re.findall(r"^ +r\d+ .* (changed|inserted|removed|reordered|truncated) ", show(result), re.M))
        == 3
    )
    found = re.findall(
        r"^ +(r\d+) .* (?:changed|inserted|removed|reordered|truncated) ", show(result, verbose=True), re.M
    )
    assert found == ["r84", "r72", "r60", "r48", "r36", "r24", "r12"]


def test_headline_figures_are_those_of_the_totals() -> None:
    rows = [
        builders.row(1, {"fresh": 1000}),
        builders.row(2, {"hit": 1000, "fresh": 500}),
        builders.row(
            3, {"hit": 100, "divergence": 1300, "fresh": 100, "capacity": 400}, break_=builders.broken(1300)
        ),
    ]
    text = show(builders.result(rows, optimal_hit_tokens=1450))
    assert re.search(r"prompt tokens +4.40 k +sent again 2.80 k +of which computed again 1.70 k", text)
    assert re.search(r"computed +3.30 k +75.0 % +fresh 1.60 k +prefill amplification 2.06x", text)
    assert re.search(r"best possible +1.50 k +34.1 % hit with an infinite cache", text)
    assert "33.0 % with this size and perfect eviction" in text
    assert "hit 25.0 %   " in text
    assert "diverged 29.5 %" in text
    assert "evicted 9.1 %" in text


def test_reported_tokens_are_compared_on_the_requests_that_report() -> None:
    rows = [
        builders.row(1, {"fresh": 1000}),
        builders.row(2, {"hit": 800, "fresh": 200}, reported_cached_tokens=700),
    ]
    text = show(builders.result(rows))
    assert re.search(
        r"reported by server +70.0 % +700 of 1.00 k tokens by its own count +10.0 pp from the simulation",
        text,
    )
    assert "on 1 of 2 requests" in text
    alone = show(builders.result(rows[:1]))
    assert re.search(r"reported by server +- +no cached tokens: hits are simulated alone", alone)


def test_requests_larger_than_the_cache_are_told_beside_the_bar() -> None:
    rows = [builders.row(n, {"capacity": 700, "fresh": 300}) for n in (1, 2, 3)]
    text = show(builders.result(rows, engine={"rejected_requests": 2}))
    assert re.search(r"larger than cache +2 +of 3 requests; their misses count as evicted", text)
    assert "larger than" not in show(builders.result(rows))


def test_a_remedy_that_costs_is_shown_with_a_minus() -> None:
    saving = builders.saving(-2_000, 100_000, cost_usd=-0.5)
    found = builders.finding(saving=saving)
    result = msgspec.structs.replace(builders.wasteful(), findings=(found,))
    assert re.search(r"CL101 .* -2.00 k +-2.0 % +-0.5000$", show(result, Page(160)), re.M)
    least = msgspec.structs.replace(found, saving=builders.saving(1, 10**6))
    result = msgspec.structs.replace(result, findings=(least,))
    assert re.search(r"CL101 .* 1 +<0.1 %$", show(result, Page(160)), re.M)


def test_titles_go_on_below_and_paths_keep_their_end() -> None:
    path = "/home/somebody/" + "deep/" * 20 + "module.py"
    title = f"3 files are read again, most of all ({path}), 3 times in one prompt; 80,495 tokens"
    result = msgspec.structs.replace(builders.wasteful(), findings=(builders.finding(title=title),))
    lines = show(result, Page(80)).splitlines()
    at = next(at for at, line in enumerate(lines) if "CL101" in line)
    assert re.match(r" {10}\S.*deep/module.py\), 3 times in one prompt", lines[at + 1])
    assert "somebody" not in "".join(lines)
    assert lines[at + 2].strip() == "r12, system[0].text, char 214"


def test_a_screen_that_would_be_too_long_keeps_titles_on_one_line() -> None:
    long = "a title of many words " * 12
    findings = [builders.finding(f"CL10{n}", title=long) for n in range(5)]
    result = msgspec.structs.replace(builders.wasteful(), findings=tuple(findings))
    lines = show(result, Page(80)).splitlines()
    assert sum("a title of many" in line for line in lines) == 10
    noted = tuple(f"note {n} " * 20 for n in range(4))
    result = msgspec.structs.replace(
        result,
        trace=msgspec.structs.replace(result.trace, notes=noted),
        engines=tuple(
            LayoutRow(
                engine=f"e{n}", order="o", prompt_tokens=9, hit_tokens=3, prefilled_tokens=6, hit_rate=1 / 3
            )
            for n in range(14)
        ),
    )
    lines = show(result, Page(80)).splitlines()
    assert sum("a title of many" in line for line in lines) == 5


def test_empty_and_single_point_curves_are_shown() -> None:
    text = show(builders.curve(points=(), ideal_hit_tokens=0))
    assert "infinite cache hits 0 %" in text
    assert "no capacity to show" in text


def test_marked_capacity_is_always_in_the_table() -> None:
    text = show(builders.curve(marked=123_456))
    assert re.search(r"^ +123 k .* marked$", text, re.M)


def test_asked_capacities_are_the_table_in_their_order() -> None:
    curve = builders.curve()
    asked = (curve.points[9].capacity_tokens, curve.points[3].capacity_tokens)
    text = show(msgspec.structs.replace(curve, capacities=asked))
    table = text[text.index("cache size") :].splitlines()[1:]
    assert len(table) == 2
    assert float(table[0].split()[0]) > float(table[1].split()[0])
    assert "█" not in text


def test_waste_is_shown_by_bucket_and_findings_by_what_they_save() -> None:
    text = show(builders.wasteful())
    assert re.search(r"retransmission +380 k +380 k ", text)
    assert re.search(r"tool-output reparsing +710 k +110 k ", text)
    assert re.search(r"stale history +930 k +80.0 k ", text)
    codes = re.findall(r"^   (CL\d+) ", text, re.M)
    assert codes == ["CL101", "CL202", "CL109", "CL103", "CL104", "CL901"]
    assert "4 more: -v" in text
    assert re.search(r"CL202 +src/app.py is read 6 times +7 +<= 90.0 k ", text)
    assert "<= changes what the model sees: an upper bound" in text
    assert re.search(r"CL109 +history replaced by a summary \(legitimate\) +7 +- ", text)
    assert "r12, system[0].text, char 214" in text
    assert re.search(r"all together +430 k ", text)
    assert re.search(r"those that leave the input as it is +395 k ", text)
    assert re.search(r"what if: CL101, CL103 +391 k ", text)
    assert "CL108" in show(builders.wasteful(), verbose=True)


def test_no_waste_is_said_to_be_none() -> None:
    none = msgspec.structs.replace(
        append_only(), buckets={"retransmission": Bucket(carried_tokens=0, computed_tokens=0, held_tokens=0)}
    )
    assert "WASTE   none" in show(none)
    assert "OPPORTUNITIES" not in show(none)


def test_the_table_of_breaks_gives_way_to_findings() -> None:
    """Both on one screen would tell the same twice."""
    assert "at token" in show(builders.session())
    assert "at token" not in show(builders.wasteful())
    assert "7 of 83 prompts do not extend the one before" in show(builders.wasteful())
    assert "at token" in show(builders.wasteful(), verbose=True)
