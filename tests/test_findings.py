"""Which rules speak on the captures of real harnesses: true ones, and few. docs/accuracy.md holds the review."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result
from cachelens.pipeline import analyze, load
from tests.shared import SHARED

#: Capture -> rules whose findings are no diagnostics.
SPEAKING = {
    "agno": ["CL101", "CL201", "CL202", "CL203", "CL301"],
    "agno-nodatetime": ["CL202", "CL203"],
    "cline": ["CL112", "CL114", "CL202", "CL203", "CL204"],
    "codex": ["CL202", "CL203", "CL204"],
    "crewai": ["CL112", "CL202", "CL203"],
    "deepagents-anthropic": ["CL202", "CL204"],
    "gemini-newsession": ["CL204"],
    "langgraph-concurrent": ["CL202", "CL203"],
    "mini-swe-agent": ["CL202", "CL203"],
    "openai-agents": ["CL202", "CL203"],
    "opencode": ["CL112", "CL114", "CL202", "CL203", "CL204"],
    "opencode-anthropic": ["CL114", "CL202", "CL203", "CL204"],
    "opencode-newsession": ["CL112", "CL204"],
    "pi-anthropic": ["CL202", "CL203"],
    "pydantic-ai": ["CL112", "CL202", "CL203"],
    "qwen": ["CL110", "CL112", "CL114", "CL202", "CL203", "CL204", "CL205"],
    "smolagents-toolcalling": ["CL112", "CL202", "CL203"],
}
_TRACES = SHARED / "traces"
#: Rules about breaks within a lineage.
_BREAKS = {f"CL{number}" for number in range(101, 111)}


def analyzed(name: str) -> Result:
    folder = _TRACES / name
    if not folder.exists():
        pytest.skip("needs the captures of ../shared/traces")
    (path,) = folder.glob("session.jsonl*")
    return analyze(load([str(path)], IngestOptions()), AnalyzeOptions())


@pytest.mark.parametrize("name", SPEAKING)
def test_findings_are_those_that_were_gone_through_by_hand(name: str) -> None:
    result = analyzed(name)
    wasteful = [finding for finding in result.findings if finding.verdict != "diagnostic"]
    assert sorted(finding.code for finding in wasteful) == SPEAKING[name]
    if not any(row.break_ for row in result.requests):
        assert not _BREAKS & {finding.code for finding in result.findings}
    together = result.remedies.all_together
    assert together is None or together.computed_tokens >= max(
        finding.saving.computed_tokens for finding in wasteful if finding.saving is not None
    )


def test_the_clock_is_one_finding_about_both_breaks() -> None:
    (clock,) = (finding for finding in analyzed("agno").findings if finding.code == "CL101")
    assert clock.requests == 2
    assert clock.details["granularity"] == "microsecond"
    assert clock.saving is not None
    assert clock.tokens == clock.saving.computed_tokens == 31_743
    assert clock.location is not None
    assert clock.location.path == "messages[0].content"


def test_the_tree_at_resume_is_one_finding() -> None:
    (tree,) = (finding for finding in analyzed("qwen").findings if finding.code == "CL110")
    assert tree.requests == 1
    assert tree.details["what"] == "directory tree"
    assert tree.tokens == 15_013


def test_sums_hold_under_every_engine_on_a_capture_with_every_kind_of_waste() -> None:
    """`analyze` itself raises where a token is not accounted for; buckets and labels are checked there too."""
    from cachelens.simulate.engines import ENGINES

    folder: Path = _TRACES / "qwen"
    if not folder.exists():
        pytest.skip("needs the captures of ../shared/traces")
    trace = load([str(next(folder.glob("session.jsonl*")))], IngestOptions())
    for name in ENGINES:
        result = analyze(trace, AnalyzeOptions(engine=name))
        assert sum(result.labels.values()) == result.totals.prompt_tokens
