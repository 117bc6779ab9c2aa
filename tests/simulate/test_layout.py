"""Prompts put together in another order: the same as if they had been read in that order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline.loading import load
from cachelens.simulate.layout import reorder
from cachelens.simulate.workload import workload

SAMPLES = Path(__file__).parents[2] / "sample_traces"
FILES = ["append-only-anthropic.har", "clock.jsonl", "resorted-tools.jsonl", "gemini.har", "sub-agents.mitm"]


def contents(trace: Trace) -> list[list[tuple[int, int, int]]]:
    """Prompts as (kind, bytes, tokens) of their segments: content numbers differ between traces."""
    found = []
    for path in trace.prompts():
        numbers = trace.segments.content[path]
        found.append(
            list(
                zip(
                    trace.segments.kind[path].tolist(),
                    trace.contents.bytes[numbers].tolist(),
                    trace.segments.breakpoint_s[path].tolist(),
                    strict=True,
                )
            )
        )
    return found


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("order", ["tools-first", "system-first"])
def test_reordering_is_reading_in_that_order(name: str, order: str) -> None:
    source = str(SAMPLES / name)
    found = reorder(load([source], IngestOptions()), order)  # type: ignore[arg-type]
    wanted = load([source], IngestOptions(render=order))
    assert contents(found) == contents(wanted)
    a, b = workload(found), workload(wanted)
    assert a.prompt_tokens.tolist() == b.prompt_tokens.tolist()
    assert a.kept_tokens.tolist() == b.kept_tokens.tolist()
    assert a.reusable().tolist() == b.reusable().tolist()


def test_nothing_changes_when_the_order_is_there_already() -> None:
    trace = load([str(SAMPLES / "append-only.jsonl")], IngestOptions())
    assert reorder(trace, "system-first").last_segment.tolist() == trace.last_segment.tolist()
    tokens = load([str(SAMPLES / "tokens.jsonl")], IngestOptions())
    assert reorder(tokens, "tools-first") is tokens


def test_a_marker_that_comes_later_stays_apart_from_the_same_text_without_it(tmp_path: Path) -> None:
    tools = [{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}]
    lines = []
    for marked in (False, True):
        system: dict[str, object] = {"type": "text", "text": "You help."}
        if marked:
            system["cache_control"] = {"type": "ephemeral"}
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "claude-sonnet-4-5", "max_tokens": 1, "system": [system], "tools": tools}
        lines.append(json.dumps(body | {"messages": messages}))
    path = tmp_path / "bodies.jsonl"
    path.write_text("\n".join(lines) + "\n")
    found = contents(reorder(load([str(path)], IngestOptions()), "system-first"))
    wanted = contents(load([str(path)], IngestOptions(render="system-first")))
    assert found == wanted
    assert [[mark > 0 for *_, mark in prompt] for prompt in found] == [[False] * 3, [True, False, False]]


def test_other_renderings_stay_as_they_were() -> None:
    options = IngestOptions(render="tools-first,thinking-stripped")
    trace = reorder(load([str(SAMPLES / "append-only-anthropic.har")], options), "system-first")
    assert trace.render == "system-first,thinking-stripped"
