"""Options about waste: what-if, thresholds, tools, ledgers and remedied traces, on real stages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from cachelens.cli import advice, run
from cachelens.errors import UsageError
from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.result import Result, decode

SAMPLES = Path(__file__).parents[2] / "sample_traces"
CLOCK = str(SAMPLES / "clock.jsonl")


def analyzed(*arguments: str) -> Result:
    assert run(["analyze", *arguments, "-q", "-o", "result.json", "--force"]) == 0
    return decode(Path("result.json").read_bytes())


def test_what_if_replays_those_rules_alone() -> None:
    result = analyzed(CLOCK, "--what-if", "cl101,CL204")
    alone = next(finding for finding in result.findings if finding.code == "CL101")
    assert result.remedies.what_if_codes == ("CL101", "CL204")
    assert result.remedies.what_if is not None
    assert alone.saving is not None
    assert result.remedies.what_if.computed_tokens >= alone.saving.computed_tokens > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--what-if", "CL1001"], "unknown rule 'CL1001'"),
        (["--what-if", " , "], "--what-if names no rule"),
        (["--threshold", "min_tokens"], "is no NAME=VALUE"),
        (["--threshold", "min_token=5"], "min_tokens"),
        (["--threshold", "min_tokens=many"], "is a number"),
        (["--threshold", "min_tokens=-1"], "cannot be"),
        (["--threshold", "echo_share=2"], "echo_share"),
        (["--threshold", "min_tokens=1", "--threshold", "min-tokens=2"], "given twice"),
        (["--tools", "absent.toml"], "absent.toml"),
        (["--ledger", "x.txt"], "no format of a ledger"),
        (["--ledger", "absent/deep/x.csv", "--export-remedied", ""], "empty"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", CLOCK, *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_threshold_silences_smaller_findings() -> None:
    loud = {finding.code for finding in analyzed(CLOCK).findings}
    quiet = {finding.code for finding in analyzed(CLOCK, "--threshold", "min_tokens=1000000").findings}
    assert "CL101" in loud
    assert "CL101" not in quiet


def test_excerpts_are_shown_on_request_only() -> None:
    def sides(result: Result) -> list[str | None]:
        (finding,) = (finding for finding in result.findings if finding.code == "CL101")
        assert finding.location is not None
        return [finding.location.before, finding.location.now]

    assert sides(analyzed(CLOCK)) == [None, None]
    assert not analyzed(CLOCK).shows_text
    shown = sides(analyzed(CLOCK, "--show-text"))
    assert all(shown)
    assert shown[0] != shown[1]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_ledger_holds_every_token_once(suffix: str) -> None:
    result = analyzed(CLOCK, "--ledger", f"ledger{suffix}")
    path = Path(f"ledger{suffix}")
    if suffix == ".csv":
        rows = list(csv.DictReader(path.read_text().splitlines()))
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pl.read_parquet(path).to_dicts()
    depth: dict[str, int] = {}
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        name, lo, hi = row["request_id"], int(row["depth_lo"]), int(row["depth_hi"])
        assert lo == depth.get(name, 0) < hi
        depth[name] = hi
        for column, known in (("outcome", OUTCOMES), ("label", LABELS), ("bucket", BUCKETS)):
            assert row[column] in known
            sums[column, row[column]] = sums.get((column, row[column]), 0) + hi - lo
    assert depth == {row.request_id: row.prompt_tokens for row in result.requests}
    assert {name: sums.get(("outcome", name), 0) for name in OUTCOMES} == result.totals.outcomes
    assert {name: sums.get(("label", name), 0) for name in LABELS} == result.labels
    for name, bucket in result.buckets.items():
        assert sums.get(("bucket", name), 0) == bucket.carried_tokens
    broken = [row for row in rows if row["outcome"] == "divergence"]
    assert broken
    assert all(row["cause"] == "changed messages[0].content" for row in broken)


def test_the_remedied_trace_costs_what_the_remedy_promised() -> None:
    asked = ("--what-if", "CL101", "--engine", "sglang")
    before = analyzed(CLOCK, *asked, "--export-remedied", "remedied.jsonl")
    assert run(["analyze", CLOCK, *asked, "-q", "-o", "x.json", "--export-remedied", "remedied"]) == 0
    assert before.remedies.what_if is not None
    for place in ("remedied.jsonl", "remedied"):
        after = analyzed(place, "--engine", "sglang")
        saved = before.totals.prefilled_tokens - after.totals.prefilled_tokens
        assert saved == before.remedies.what_if.computed_tokens
        assert "CL101" not in {finding.code for finding in after.findings}


def test_nothing_to_remedy_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", CLOCK, "--what-if", "CL103", "--export-remedied", "r.jsonl"]) == 2
    assert "nothing to remedy by CL103" in capfd.readouterr().err
    assert not Path("r.jsonl").exists()


def test_existing_files_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    Path("ledger.csv").write_text("mine")
    assert run(["analyze", CLOCK, "--ledger", "ledger.csv"]) == 2
    assert "exists already" in capfd.readouterr().err
    assert Path("ledger.csv").read_text() == "mine"


def test_codes_and_limits_are_read() -> None:
    assert advice.codes(None) == ()
    assert advice.codes("CL204, cl101,CL204") == ("CL204", "CL101")
    assert advice.thresholds(["min-tokens=5", " echo_share = 0.9"]) == {
        "min_tokens": "5",
        "echo_share": "0.9",
    }
    with pytest.raises(UsageError, match="given twice"):
        advice.thresholds(["a=1", "a=2"])
