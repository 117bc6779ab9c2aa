"""`cachelens check`: what fails, how it leaves, and what it writes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import msgspec
import pytest

from cachelens.cli import run
from cachelens.model.verdict import Baseline, Verdict

SAMPLES = Path(__file__).parents[2] / "sample_traces"
BEFORE, AFTER = str(SAMPLES / "no-clock.jsonl"), str(SAMPLES / "clock.jsonl")

PRICED = str(SAMPLES / "nonce-in-system.jsonl")


def check(*arguments: str) -> int:
    return run(["check", *arguments])


def verdict(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Verdict:
    assert check(*arguments, "--format", "json", "-q") == code
    return msgspec.json.decode(capfd.readouterr().out, type=Verdict)


def test_the_day_somebody_adds_a_clock(capfd: pytest.CaptureFixture[str]) -> None:
    assert check(BEFORE, "--update-baseline") == 0
    text = Path("cachelens-baseline.json").read_text()
    assert "jsonl" not in text
    assert "2026" not in text
    assert msgspec.json.decode(text, type=Baseline).engine == "sglang"
    assert check(BEFORE, "--baseline", "cachelens-baseline.json") == 0
    assert "PASSED" in capfd.readouterr().out
    assert check(AFTER, "--baseline", "cachelens-baseline.json") == 1
    seen = capfd.readouterr()
    assert "FAILED" in seen.out
    assert "CL101" in seen.out
    assert "messages[0].content, char 1,714" in seen.out
    command = next(line for line in seen.err.splitlines() if "cachelens inspect" in line)
    assert run(shlex.split(command)[1:]) == 0
    assert "CL101" in capfd.readouterr().out


def test_again_the_baseline_is_the_same() -> None:
    assert check(BEFORE, "--baseline", "one.json", "--update-baseline") == 0
    assert check(BEFORE, "--baseline", "two.json", "--update-baseline") == 0
    assert check(BEFORE, "--baseline", "two.json", "--update-baseline") == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_budgets(capfd: pytest.CaptureFixture[str]) -> None:
    good = verdict(capfd, BEFORE, "--min-hit-rate", "80%", "--max-waste", "15%", "--budget", "breaks<=0")
    assert good.passed
    bad = verdict(
        capfd, AFTER, "--min-hit-rate", "80%", "--max-waste", "15%", "--budget", "breaks<=0", code=1
    )
    assert [one.status for one in bad.checks] == ["failed"] * 3
    assert {one.name for one in bad.checks} == {"hit-rate", "waste", "breaks"}
    assert verdict(capfd, AFTER, "--min-hit-rate", "80%", "--exit-zero").passed is False
    assert verdict(capfd, PRICED, "--max-cost", "3usd").passed
    assert not verdict(capfd, PRICED, "--max-cost", "0.01usd", code=1).passed


def test_rules(capfd: pytest.CaptureFixture[str]) -> None:
    assert not verdict(capfd, AFTER, "--rule", "CL101=error", code=1).passed
    assert verdict(capfd, AFTER, "--rule", "volatile-prefix=warn").checks[0].status == "warned"
    assert verdict(capfd, AFTER, "--rule", "CL101=error:max-tokens=50k").passed


def test_several_runs_are_judged_by_their_median(capfd: pytest.CaptureFixture[str]) -> None:
    assert verdict(capfd, BEFORE, BEFORE, AFTER, "--min-hit-rate", "80%").passed
    found = verdict(capfd, BEFORE, AFTER, AFTER, "--min-hit-rate", "80%", code=1)
    assert len(found.runs) == 3


def test_saved_results_are_runs(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", AFTER, "-q", "-o", "after.json"]) == 0
    saved = verdict(capfd, "after.json", "--min-hit-rate", "80%", code=1)
    assert saved.checks == verdict(capfd, AFTER, "--min-hit-rate", "80%", code=1).checks


def test_a_figure_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert check(AFTER, "--metric", "hit-rate", "-q") == 0
    share = capfd.readouterr().out
    assert check(AFTER, "--metric", "computed-tokens", "-q") == 0
    assert capfd.readouterr().out == "16078\n"
    assert float(share) == 2793 / 18871
    assert check(AFTER, "--metric", "cost") == 0
    assert capfd.readouterr().out == "nan\n"


def test_outputs_for_machines(capfd: pytest.CaptureFixture[str]) -> None:
    places = ["v.json", "v.sarif", "v.junit.xml", "v.codequality.json"]
    written = [part for place in places for part in ("-o", place)]
    assert check(AFTER, "--min-hit-rate", "80%", "--format", "github", *written) == 1
    assert capfd.readouterr().out.startswith("::error ")
    assert json.loads(Path("v.sarif").read_text())["version"] == "2.1.0"
    assert "<testsuites" in Path("v.junit.xml").read_text()
    assert json.loads(Path("v.codequality.json").read_text())[0]["severity"] == "major"
    assert not msgspec.json.decode(Path("v.json").read_bytes(), type=Verdict).passed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([AFTER], "nothing to check against"),
        ([AFTER, "--baseline", "gone.json"], "gone.json"),
        ([AFTER, "--min-hit-rate", "80"], "80% or 0.8"),
        ([AFTER, "--budget", "hit-rat>=80%"], "did you mean 'hit-rate'"),
        ([AFTER, "--rule", "CL101=fatal"], "unknown level"),
        ([AFTER, "--max-regression", "2pp"], "needs a baseline"),
        ([AFTER, "--max-cost", "3usd"], "no prices"),
        ([AFTER, "--metric", "hits"], "unknown metric"),
        ([AFTER, "--metric", "hit-rate", "--update-baseline"], "--metric"),
        (["gone.jsonl", "--min-hit-rate", "80%"], "gone.jsonl"),
    ],
)
def test_what_cannot_be(capfd: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert check(*arguments) == 2
    seen = capfd.readouterr()
    assert said in seen.err
    assert seen.out == ""


def test_another_engine_than_the_baseline_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert check(BEFORE, "--update-baseline", "-q") == 0
    assert check(BEFORE, "--baseline", "cachelens-baseline.json", "--engine", "vllm") == 2
    assert "engine sglang there, vllm here" in capfd.readouterr().err


def test_text_only_on_request(capfd: pytest.CaptureFixture[str]) -> None:
    plain = verdict(capfd, AFTER, "--rule", "CL101=error", code=1)
    shown = verdict(capfd, AFTER, "--rule", "CL101=error", "--show-text", code=1)
    assert (plain.shows_text, shown.shows_text) == (False, True)
    locations = [one.finding.location for one in plain.findings if one.finding.location is not None]
    assert all(place.now is None and place.before is None for place in locations)
    assert any(one.finding.location is not None and one.finding.location.now for one in shown.findings)
