"""Real captures of real harnesses: the three containers agree, and the verdicts are right."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cachelens.ingest.store import read, segment_frames, write
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result, encode
from cachelens.model.trace import Trace
from cachelens.pipeline import analyze, load
from tests.shared import SHARED, needs_shared

CONTAINERS = ("session.jsonl.zst", "session.har.zst", "flows.mitm.zst")
#: Requests, lineages, sessions and the requests whose prefix broke.
EXPECTED = {
    "agno": (35, 1, 1, ["r16", "r29"]),
    "agno-nodatetime": (35, 1, 1, []),
    "cline": (39, 5, 3, []),
    "codex": (30, 1, 1, []),
    "crewai": (35, 3, 3, []),
    "deepagents-anthropic": (40, 2, 1, []),
    "gemini-newsession": (6, 1, 1, []),
    "langgraph-concurrent": (105, 3, 3, []),
    "mini-swe-agent": (34, 2, 2, []),
    "openai-agents": (35, 1, 1, []),
    "opencode": (42, 4, 1, []),
    "opencode-anthropic": (42, 4, 1, []),
    "opencode-newsession": (7, 2, 1, []),
    "pi-anthropic": (30, 1, 1, []),
    "pydantic-ai": (35, 1, 1, []),
    "qwen": (41, 3, 1, ["r17"]),
    "smolagents-toolcalling": (35, 1, 1, []),
}

pytestmark = needs_shared


@cache
def trace_of(capture: str, container: str) -> Trace:
    return load([str(SHARED / "traces" / capture / container)], IngestOptions())


@cache
def result_of(capture: str) -> Result:
    return analyze(trace_of(capture, CONTAINERS[0]), AnalyzeOptions())


def flat(trace: Trace) -> pl.DataFrame:
    return pl.concat(segment_frames(trace))


@pytest.mark.parametrize("capture", EXPECTED)
def test_lineages_sessions_and_breaks(capture: str) -> None:
    requests, lineages, sessions, breaks = EXPECTED[capture]
    result = result_of(capture)
    assert (result.trace.requests, result.trace.lineages, result.trace.sessions) == (
        requests,
        lineages,
        sessions,
    )
    assert [row.request_id for row in result.requests if row.break_] == breaks
    assert result.trace.skipped == ()


@pytest.mark.parametrize("container", CONTAINERS[1:])
@pytest.mark.parametrize("capture", EXPECTED)
def test_three_containers_give_identical_tables(capture: str, container: str) -> None:
    one, other = trace_of(capture, CONTAINERS[0]), trace_of(capture, container)
    where = ["source_file", "source_record"]
    assert_frame_equal(one.requests.drop(where), other.requests.drop(where))
    assert_frame_equal(flat(one), flat(other))
    assert (one.contents.tokens == other.contents.tokens).all()
    assert (one.contents.ids == other.contents.ids).all()


@pytest.mark.parametrize("capture", ["agno", "opencode-anthropic", "codex", "langgraph-concurrent"])
def test_table_folders_give_the_same_result_byte_for_byte(capture: str, tmp_path: Path) -> None:
    write(trace_of(capture, CONTAINERS[0]), tmp_path / "tables")
    again = analyze(read(tmp_path / "tables"), AnalyzeOptions())
    assert encode(again) == encode(result_of(capture))


def test_the_clock_of_agno_is_found_in_the_system_prompt() -> None:
    breaks = [row.break_ for row in result_of("agno").requests if row.break_]
    assert [(one.kind, one.component, one.path) for one in breaks] == [
        ("changed", "system", "messages[0].content")
    ] * 2
    assert all(one.lost_tokens > 5_000 for one in breaks)


def test_append_only_captures_compute_nothing_twice() -> None:
    for capture, (*_, breaks) in EXPECTED.items():
        if not breaks:
            result = analyze(trace_of(capture, CONTAINERS[0]), AnalyzeOptions(engine="ideal"))
            # Prompts only grow; what was generated may come back other than it was, and is then computed.
            faithful = all(row.echo is None for row in result.requests)
            assert (result.totals.outcomes["divergence"] == 0) or not faithful, capture
            for row in result.requests:
                assert row.echo is not None or not row.outcomes.get("divergence"), capture
            assert not faithful or result.totals.prefill_amplification == 1.0, capture


def test_one_trace_of_several_files_keeps_them_apart() -> None:
    names = ("agno", "crewai", "opencode", "cline")  # all work on the same task
    whole = load([str(SHARED / "traces" / name / CONTAINERS[0]) for name in names], IngestOptions())
    assert len(whole) == sum(EXPECTED[name][0] for name in names)
    assert whole.requests["lineage_id"].n_unique() == sum(EXPECTED[name][1] for name in names)
    assert whole.requests["session_id"].n_unique() == sum(EXPECTED[name][2] for name in names)
