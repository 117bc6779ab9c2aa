"""Verdicts for code hosts: valid by their schemas, and no text of a trace gets out of its place."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from cachelens.gate.baseline import baseline_of
from cachelens.gate.budgets import named_budget
from cachelens.gate.judge import GateOptions, judge
from cachelens.gate.levels import parse_rule
from cachelens.model.result import Result
from cachelens.model.verdict import Verdict
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import RenderOptions
from tests.report.builders import finding, session, wasteful
from tests.report.stored_schemas import validator

SARIF = "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"
EVIL = "a%0A::error::b\r\n::set-output name=x::y ]]> </failure><script>\x1b[31m\u202e&\"',:|\x00\ud800"


def rendered(name: str, verdict: Verdict) -> str:
    data: bytes = RENDERERS.load(name)().render(verdict, RenderOptions())
    return data.decode()


@cache
def verdict() -> Verdict:
    options = GateOptions(
        budgets=(named_budget("min-hit-rate", "99%"), named_budget("max-computed-tokens", "9G")),
        levels=dict([parse_rule("CL202=warn"), parse_rule("CL901=note")]),
    )
    return judge([wasteful()], options, baseline_of([session()]))


def evil() -> Verdict:
    """Every text of a trace is hostile."""

    def spoiled(result: Result) -> Result:
        found = tuple(
            msgspec.structs.replace(
                one,
                title=EVIL,
                fix=EVIL,
                location=None
                if one.location is None
                else msgspec.structs.replace(
                    one.location, request_id=result.requests[0].request_id, path=EVIL, name=EVIL
                ),
            )
            for one in (finding(), *result.findings)
        )
        rows = tuple(msgspec.structs.replace(row, source_file=EVIL) for row in result.requests)
        facts = msgspec.structs.replace(result.trace, sources=(EVIL,))
        return msgspec.structs.replace(result, findings=found, requests=rows, trace=facts)

    return judge(
        [spoiled(wasteful())],
        GateOptions(budgets=(named_budget("min-hit-rate", "99%"),)),
        baseline_of([session()]),
    )


def test_sarif_is_valid() -> None:
    for one in (verdict(), evil()):
        log = json.loads(rendered("sarif", one))
        assert list(validator(SARIF).iter_errors(log)) == []
    broken: dict[str, Any] = json.loads(rendered("sarif", verdict()))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    assert list(validator(SARIF).iter_errors(broken))


def test_sarif_says_what_failed_and_where() -> None:
    run = json.loads(rendered("sarif", verdict()))["runs"][0]
    bad = [check for check in verdict().checks if check.status in ("failed", "warned")]
    assert [result["level"] for result in run["results"]] == [
        {"failed": "error", "warned": "warning"}[check.status] for check in bad
    ]
    assert {result["ruleId"] for result in run["results"]} == {
        rule["id"] for rule in run["tool"]["driver"]["rules"]
    }
    assert "budget/hit-rate" in {result["ruleId"] for result in run["results"]}
    prints = [result["partialFingerprints"]["cachelens/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_annotations_are_one_line_each_and_nothing_else() -> None:
    for one in (verdict(), evil()):
        lines = rendered("github", one).splitlines()
        assert len(lines) == len([check for check in one.checks if check.status in ("failed", "warned")])
        for line in lines:
            found = re.fullmatch(r"::(error|warning) file=([^,:]*),line=(\d+),title=([^,:]*)::(.*)", line)
            assert found is not None
            assert int(found[3]) >= 1
            assert "::" not in found[4]
    assert "a%250A" in rendered("github", evil())


def test_many_annotations_are_summed() -> None:
    found = tuple(finding(f"CL{100 + n}", fingerprint=f"{n:016x}") for n in range(1, 15))
    many = judge(
        [msgspec.structs.replace(wasteful(), findings=found)], GateOptions(), baseline_of([session()])
    )
    lines = rendered("github", many).splitlines()
    assert len(lines) == 10
    assert lines[-1].endswith("::5 more checks failed")


def test_a_passed_gate_is_a_notice() -> None:
    passed = judge([session()], GateOptions(budgets=(named_budget("min-hit-rate", "0%"),)))
    assert rendered("github", passed) == "::notice title=cachelens::the gate is passed: 1 checks\n"
    assert json.loads(rendered("gitlab", passed)) == []
    assert json.loads(rendered("sarif", passed))["runs"][0]["results"] == []


def test_junit_has_a_case_for_each_check() -> None:
    for one in (verdict(), evil()):
        root = ElementTree.fromstring(rendered("junit", one))
        cases = root.findall("./testsuite/testcase")
        failed = [check for check in one.checks if check.status == "failed"]
        assert len(cases) == len(one.checks) == int(root.attrib["tests"])
        assert len(root.findall(".//failure")) == len(failed) == int(root.attrib["failures"])
        names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
        assert len(set(names)) == len(names) or one is not verdict()
        assert root.find(".//script") is None


def test_gitlab_has_what_it_needs() -> None:
    for one in (verdict(), evil()):
        entries = json.loads(rendered("gitlab", one))
        assert len(entries) == len([check for check in one.checks if check.status != "passed"])
        for entry in entries:
            assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
            assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
            assert entry["location"]["path"]
            assert entry["location"]["lines"]["begin"] >= 1
        prints = [entry["fingerprint"] for entry in entries]
        assert len(set(prints)) == len(prints) or one is not verdict()


def test_markdown_tells_what_to_mend() -> None:
    text = rendered("markdown", verdict())
    assert text.startswith("<!-- cachelens -->\n### cachelens: failed")
    assert text.count("❌ failed") == sum(check.status == "failed" for check in verdict().checks)
    assert "#### What to mend" in text
    hostile = rendered("markdown", evil())
    assert "<script>" not in re.sub(r"(`+).+?\1", "", hostile)
    assert len(hostile) < 65_536


@pytest.mark.parametrize("name", ["github", "sarif", "junit", "gitlab", "markdown"])
def test_nothing_unprintable_gets_out(name: str) -> None:
    text = rendered(name, evil())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert rendered(name, evil()) == text
    if name == "markdown":
        return  # which shows other documents too
    with pytest.raises(TypeError):
        RENDERERS.load(name)().render(session(), RenderOptions())
