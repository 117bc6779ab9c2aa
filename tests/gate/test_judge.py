"""What passes the gate and what does not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import InputError, UsageError
from cachelens.gate.baseline import baseline_of, decode, encode
from cachelens.gate.budgets import named_budget, parse_budget, parse_regression
from cachelens.gate.judge import GateOptions, judge
from cachelens.gate.levels import parse_rule, parse_rules
from cachelens.gate.metrics import METRICS
from cachelens.model.result import Result
from cachelens.model.verdict import Check, Verdict
from tests.advise.sessions import Session, result_of, words
from tests.report.builders import finding, saving, session, wasteful


def statuses(verdict: Verdict) -> dict[str, str]:
    return {check.title: check.status for check in verdict.checks}


def budget(name: str, text: str, result: Result, **options: Any) -> Check:
    (check,) = judge([result], GateOptions(budgets=(named_budget(name, text, **options),))).checks
    return check


def having(*findings: Any) -> Result:
    return msgspec.structs.replace(wasteful(), findings=findings)


def agent(clock: bool = False, shift: int = 0, prefix: str = "s") -> Result:
    """A small agent session; `clock` puts a new number at the top of each request, `shift` words before it."""
    made = Session(prefix)
    made.messages.append({"role": "system", "content": words("system", 150 + shift)})
    made.user(words("task", 40))
    for step in range(6):
        if clock:
            made.messages[0]["content"] = (
                f"{words('system', 30 + shift)} It is 2026-05-04 12:0{step}:{17 + step}.\n{words('rest', 120)}"
            )
        made.steps(1, seed=f"step {step}")
    return result_of(made, engine="sglang")


@given(st.fractions(0, 1, max_denominator=10**6))
def test_a_budget_is_met_exactly(limit: Fraction) -> None:
    result = session()
    value = METRICS["hit-rate"].value(result)
    assert value is not None
    check = budget("min-hit-rate", f"{float(limit):.12f}", result)
    assert (check.status == "passed") == (value >= Fraction(f"{float(limit):.12f}"))


def test_one_token_short_of_all_is_not_all() -> None:
    base = session()
    rows = tuple(
        msgspec.structs.replace(row, outcomes={"hit": row.prompt_tokens}, break_=None)
        for row in base.requests
    )
    assert budget("min-hit-rate", "100%", msgspec.structs.replace(base, requests=rows)).status == "passed"
    last = rows[-1]
    short = msgspec.structs.replace(last, outcomes={"hit": last.prompt_tokens - 1, "fresh": 1})
    check = budget("min-hit-rate", "100%", msgspec.structs.replace(base, requests=(*rows[:-1], short)))
    assert check.status == "failed"
    assert check.expected == ">= 100 %"
    assert check.found != "100 %"


def test_budgets_in_both_directions() -> None:
    result = wasteful()
    assert budget("max-computed-tokens", str(result.totals.prefilled_tokens), result).status == "passed"
    assert budget("max-computed-tokens", str(result.totals.prefilled_tokens - 1), result).status == "failed"
    check = judge([result], GateOptions(budgets=(parse_budget("computed-tokens <= 1"),))).checks[0]
    assert check.culprit == result.findings[0].fingerprint


def test_the_worst_session_counts_per_session() -> None:
    base = session()
    rows = []
    for at, row in enumerate(base.requests):
        hit = row.prompt_tokens if at % 2 else 0
        outcomes = {"hit": hit} if hit else {"fresh": row.prompt_tokens}
        rows.append(msgspec.structs.replace(row, session_id=f"s{at % 2}", outcomes=outcomes, break_=None))
    result = msgspec.structs.replace(base, requests=tuple(rows))
    check = budget("min-hit-rate", "1%", result, per_session=True)
    assert (check.status, check.session) == ("failed", "s0")
    assert budget("min-hit-rate", "1%", result).status == "passed"
    with pytest.raises(UsageError, match="whole trace"):
        budget("max-cost", "3usd", result, per_session=True)


def test_the_median_of_runs_counts() -> None:
    def run(hit: int) -> Result:
        base = session()
        (row, *_) = base.requests
        outcomes = {"hit": hit, "fresh": 1000 - hit}
        row = msgspec.structs.replace(row, prompt_tokens=1000, outcomes=outcomes, break_=None)
        return msgspec.structs.replace(base, requests=(row,))

    asked = GateOptions(budgets=(named_budget("min-hit-rate", "80%"),))
    assert judge([run(100), run(810), run(900)], asked).passed
    assert not judge([run(100), run(790), run(900)], asked).passed
    assert judge([run(790), run(810)], asked).passed


def test_what_is_new_and_avoidable_fails() -> None:
    before = having()
    later = having(
        finding(fingerprint="a" * 16),
        finding("CL202", fingerprint="b" * 16, changes_input=True),
        finding("CL109", fingerprint="c" * 16, verdict="legitimate", saving=None),
        finding("CL901", fingerprint="d" * 16, verdict="diagnostic", saving=None),
    )
    verdict = judge([later], GateOptions(), baseline_of([before]))
    assert not verdict.passed
    assert {one.finding.code: (one.state, one.status) for one in verdict.findings} == {
        "CL101": ("new", "failed"),
        "CL202": ("new", "warned"),
        "CL109": ("new", "noted"),
        "CL901": ("new", "noted"),
    }
    assert judge([later], GateOptions(), baseline_of([later])).passed


@pytest.mark.parametrize(
    ("tokens", "state"), [(10_000, "known"), (11_000, "known"), (11_001, "grown"), (9, "known")]
)
def test_growth_beyond_the_usual(tokens: int, state: str) -> None:
    kept = baseline_of([having(finding(tokens=10_000))])
    verdict = judge([having(finding(tokens=tokens))], GateOptions(), kept)
    assert verdict.findings[0].state == state
    assert verdict.passed == (state == "known")


def test_growth_of_little_is_none() -> None:
    kept = baseline_of([having(finding(tokens=100))])
    assert judge([having(finding(tokens=356))], GateOptions(), kept).passed
    assert not judge([having(finding(tokens=357))], GateOptions(), kept).passed


def test_what_is_gone_is_told() -> None:
    kept = baseline_of([having(finding(), finding("CL204", fingerprint="b" * 16))])
    verdict = judge([having(finding())], GateOptions(), kept)
    assert [one.code for one in verdict.fixed] == ["CL204"]
    assert verdict.passed


def test_a_finding_of_a_minority_of_runs_is_noted() -> None:
    kept = baseline_of([having()])
    verdict = judge([having(finding()), having(), having()], GateOptions(), kept)
    assert verdict.passed
    assert (verdict.findings[0].status, verdict.findings[0].runs, verdict.findings[0].tokens) == (
        "noted",
        1,
        0,
    )
    assert not judge([having(finding()), having(finding()), having()], GateOptions(), kept).passed


def test_levels() -> None:
    found = having(finding(tokens=5000, requests=3))

    def status(text: str) -> str:
        return judge([found], GateOptions(levels=dict([parse_rule(text)]))).checks[0].status

    assert status("CL101=error") == "failed"
    assert status("volatile-prefix=warn") == "warned"
    assert status("CL101=error:max-tokens=5000") == "passed"
    assert status("CL101=error:max-tokens=4999") == "failed"
    assert status("CL101=error:max-tokens=5000,max-requests=2") == "failed"
    assert status("CL101=warn:max-saving=1") == "warned"
    off = judge([found], GateOptions(levels=dict([parse_rule("CL101=off"), parse_rule("CL102=error")])))
    assert off.passed
    assert not off.findings
    assert parse_rules({"CL301": ["warn", {"max-tokens": 50_000}], "cl205": "off"}) == dict(
        [parse_rule("CL301=warn:max-tokens=50k"), parse_rule("CL205=off")]
    )


def test_a_known_finding_passes_whatever_its_level() -> None:
    found = having(finding(tokens=5000))
    kept = baseline_of([found])
    assert judge([found], GateOptions(levels=dict([parse_rule("CL101=error")])), kept).passed


@pytest.mark.parametrize(
    "text",
    ["CL101", "CL101=", "CL101=fatal", "CL999=error", "CL101=warn:max-cats=3", "CL101=warn:max-tokens=x"],
)
def test_levels_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rule(text)


@pytest.mark.parametrize(
    "table", [{"CL101": 3}, {"CL101": ["warn"]}, {"CL101": ["warn", {"max-x": 1}]}, {"x": "off"}]
)
def test_tables_of_levels_that_are_none(table: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        parse_rules(table)


def test_regressions() -> None:
    good, bad = agent(), agent(clock=True)
    kept = baseline_of([good])

    def status(text: str, now: Result) -> str:
        verdict = judge([now], GateOptions(regressions=(parse_regression(text),)), kept)
        return next(check.status for check in verdict.checks if check.kind == "regression")

    for text in ("0pp", "computed-tokens=0%", "amplification=0", "breaks=0"):
        assert status(text, good) == "passed"
        assert status(text, bad) == "failed"
    assert status("100pp", bad) == "passed"
    assert status("breaks=99", bad) == "passed"
    with pytest.raises(UsageError, match="percentage points"):
        parse_regression("2%")
    with pytest.raises(UsageError, match="baseline"):
        judge([good], GateOptions(regressions=(parse_regression("2pp"),)))


def test_a_clock_turns_the_gate_red_wherever_it_stands() -> None:
    kept = baseline_of([agent()])
    assert judge([agent(prefix="other")], GateOptions(), kept).passed
    verdict = judge([agent(clock=True)], GateOptions(), kept)
    assert not verdict.passed
    failed = [one for one in verdict.findings if one.status == "failed"]
    assert [one.finding.code for one in failed] == ["CL101"]
    assert failed[0].source_file is not None
    assert verdict.next_command is not None
    assert failed[0].finding.fingerprint in verdict.next_command
    # Once accepted it stays accepted, though texts before it grow and ids are others.
    accepted = baseline_of([agent(clock=True)])
    again = judge([agent(clock=True, shift=20, prefix="other")], GateOptions(), accepted)
    assert [one.state for one in again.findings if one.finding.code == "CL101"] == ["known"]
    assert again.passed


def test_a_baseline_is_stable_and_holds_no_names() -> None:
    one, other = baseline_of([agent(clock=True)]), baseline_of([agent(clock=True, prefix="other")])
    assert encode(one) == encode(baseline_of([agent(clock=True)]))
    assert [kept.fingerprint for kept in one.findings] == [kept.fingerprint for kept in other.findings] != []
    assert decode(encode(one), "x") == one
    text = encode(baseline_of([wasteful()])).decode()
    for secret in ("src/app.py", "opencode", "2026"):
        assert secret not in text
    assert baseline_of([wasteful()]).findings == tuple(
        sorted(baseline_of([wasteful()]).findings, key=lambda one: (one.code, one.fingerprint))
    )


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "vllm"},
        {"policy": "fifo"},
        {"capacity_tokens": 7},
        {"page_size": 7},
        {"encoding": "cl100k_base"},
        {"render": "system-first"},
        {"options": {"x": "y"}},
    ],
)
def test_another_cache_or_count_is_refused(change: dict[str, Any]) -> None:
    kept = msgspec.structs.replace(baseline_of([session()]), **change)
    with pytest.raises(UsageError, match="cannot be compared"):
        judge([session()], GateOptions(), kept)


def test_runs_of_different_caches_are_refused() -> None:
    other = msgspec.structs.replace(session(), engine=msgspec.structs.replace(session().engine, page_size=99))
    with pytest.raises(UsageError, match="page size"):
        judge([session(), other], GateOptions(budgets=(named_budget("min-hit-rate", "1%"),)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "cachelens.baseline/0"}',
        b'{"schema": 3}',
        b"\xff",
        b'{"schema": "cachelens.baseline/1"}',
    ],
)
def test_files_that_are_no_baseline(data: bytes) -> None:
    with pytest.raises(InputError):
        decode(data, "base.json")


def test_nothing_to_check_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to check"):
        judge([session()], GateOptions())
    with pytest.raises(UsageError, match="no prices"):
        judge([session()], GateOptions(budgets=(named_budget("max-cost", "3usd"),)))


def test_the_saved_verdict_is_whole() -> None:
    verdict = judge([agent(clock=True)], GateOptions(), baseline_of([agent()]))
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
    assert saving(1, 2).share == 0.5
