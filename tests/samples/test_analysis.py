"""`cachelens analyze` finds in each capture what the agent is known to have done, and the README says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.samples.make import FOLDER, analyze, readme
from tests.samples.variants import Sample, samples

SAMPLES = samples()


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    return {sample.name: analyze(FOLDER / sample.name) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_requests_sessions_lineages_and_breaks(sample: Sample, results: dict[str, dict[str, Any]]):
    result = results[sample.name]
    trace = result["trace"]
    assert trace["requests"] == sample.requests
    assert trace["skipped_records"] == sample.skipped
    assert trace["lineages"] == sample.lineages
    assert trace["sessions"] == sample.sessions
    assert sum(request["break"] is not None for request in result["requests"]) == sample.breaks


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_token_is_accounted_for(sample: Sample, results: dict[str, dict[str, Any]]):
    result = results[sample.name]
    for request in result["requests"]:
        assert sum(request["outcomes"].values()) == request["prompt_tokens"]
    totals = result["totals"]
    assert sum(totals["outcomes"].values()) == totals["prompt_tokens"]
    if sample.breaks == 0:
        assert totals["outcomes"].get("divergence", 0) == 0


def test_breaks_are_where_they_were_made(results: dict[str, dict[str, Any]]):
    def components(name: str) -> set[str]:
        return {r["break"]["component"] for r in results[name]["requests"] if r["break"]}

    assert components("nonce-in-system.jsonl") == {"system"}
    assert components("clock.jsonl") == {"system"}
    assert components("resorted-tools.jsonl") == {"tools"}
    assert components("pruned-history.jsonl.zst") == {"tool_result"}


def test_readme_holds_these_results(results: dict[str, dict[str, Any]]):
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == readme(results), (
        "run `python -m tests.samples.make` and review the difference"
    )
