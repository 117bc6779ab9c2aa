"""System messages in mid-conversation: moving them is reading the captures in the other rendering."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from cachelens.ingest.store import read, write
from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline.loading import load
from cachelens.simulate.system_messages import (
    hoisted_rows,
    late_system_rows,
    system_hoisted,
    system_in_place,
)
from cachelens.simulate.workload import workload
from tests.builders.captures import Call, Json, pairs

CHAT_URL = "http://localhost:8000/v1/chat/completions"
ANTHROPIC_URL = "http://localhost:8000/v1/messages"
TOOLS = {
    "chat": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "anthropic": [{"name": "look", "input_schema": {"type": "object"}}],
}


def calls_of(dialect: str, roles: list[str], tools: bool, system: bool) -> list[Call]:
    """A conversation that grows by one message a request; every message has a text of its own."""
    calls = []
    messages = [
        {"role": role, "content": f"{role} number {at} says {at * 7}"} for at, role in enumerate(roles)
    ]
    for count in range(1, len(messages) + 1):
        body: dict[str, Json] = {"model": "example-1", "messages": messages[:count]}
        if tools:
            body["tools"] = TOOLS[dialect]
        if dialect == "anthropic":
            body["max_tokens"] = 1
            if system:
                body["system"] = "the system prompt"
            url, reply = ANTHROPIC_URL, {"role": "assistant", "content": [{"type": "text", "text": "ok"}]}
        else:
            message = {"role": "assistant", "content": "ok"}
            url, reply = CHAT_URL, {"choices": [{"index": 0, "message": message}]}
        calls.append(Call(body, reply, start=1_800_000_000.0 + count, url=url))
    return calls


def trace_of(calls: list[Call], render: str | None) -> Trace:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.jsonl"
        path.write_bytes(pairs(calls))
        trace = load([str(path)], IngestOptions(render=render))
    return replace(trace, sources=("capture.jsonl",))


def prompts(trace: Trace, last: str = "last_segment") -> list[list[tuple[str, tuple[int, ...]]]]:
    """Prompts as (role, token ids) of their segments."""
    found = []
    for end in getattr(trace, last).tolist():
        path = trace.segments.path(end).tolist()
        contents = trace.segments.content
        found.append(
            [
                (
                    str(trace.segments.role[row]),
                    tuple(trace.contents.token_ids(int(contents[row])).tolist()),
                )
                for row in path
            ]
        )
    return found


def all_conversations() -> list[Call]:
    """One request of every conversation of four messages, with and without tools and a system prompt."""
    calls: list[Call] = []
    for roles in product(["system", "user", "assistant"], repeat=4):
        for dialect, tools, system in (
            ("chat", False, False),
            ("chat", True, False),
            ("anthropic", False, True),
            ("anthropic", True, False),
            ("anthropic", True, True),
        ):
            call = calls_of(dialect, list(roles), tools, system)[-1]
            calls.append(replace(call, start=1_800_000_000.0 + len(calls)))
    return calls


@pytest.mark.parametrize("order", [None, "tools-first", "system-first"])
def test_hoisting_is_reading_hoisted_and_back(order: str | None) -> None:
    calls = all_conversations()
    plain = trace_of(calls, order)
    read_hoisted = trace_of(calls, "system-hoisted" if order is None else f"{order},system-hoisted")
    hoisted = system_hoisted(plain)
    assert prompts(plain) != prompts(hoisted)
    for last in ("last_segment", "last_output"):
        assert prompts(hoisted, last) == prompts(read_hoisted, last)
        assert prompts(system_in_place(read_hoisted), last) == prompts(plain, last)
        assert prompts(system_in_place(hoisted), last) == prompts(plain, last)
    assert system_in_place(hoisted).render == plain.render
    assert hoisted.render == read_hoisted.render
    assert workload(hoisted).prompt_tokens.tolist() == plain.requests["prompt_tokens"].to_list()


def test_only_system_messages_behind_others_are_late() -> None:
    calls = calls_of("chat", ["system", "system", "user", "system", "assistant"], True, False)
    trace = trace_of(calls, None)
    late = late_system_rows(trace).tolist()
    assert [trace.segments.location(row) for row in late] == ["messages[3].content"]
    hoisted = trace_of(calls, "system-hoisted")
    path = hoisted.segments.path(int(hoisted.last_segment[-1])).tolist()
    found = hoisted_rows(hoisted, path)
    assert [hoisted.segments.location(row) for row in found] == ["messages[3].content"]
    assert path.index(found[0]) == 2


def test_nothing_late_is_the_same_trace() -> None:
    trace = trace_of(calls_of("chat", ["system", "user", "assistant"], True, False), None)
    assert system_hoisted(trace) is trace
    assert system_in_place(trace) is trace


def test_a_table_folder_knows_where_messages_stood(tmp_path: Path) -> None:
    calls = calls_of("chat", ["system", "user", "assistant", "system", "user"], True, False)
    write(trace_of(calls, "system-hoisted"), tmp_path / "tables")
    back = read(tmp_path / "tables")
    assert prompts(system_in_place(back)) == prompts(trace_of(calls, None))


@pytest.mark.parametrize("moved", [False, True])
def test_a_late_system_message_costs_what_stands_behind_the_first(moved: bool) -> None:
    calls = calls_of("chat", ["system", "user", "assistant", "user", "system"], False, False)
    trace = trace_of(calls, None)
    work = workload(system_hoisted(trace) if moved else trace)
    first = int(trace.last_segment[0])
    leading = int(trace.contents.tokens[trace.segments.content[trace.segments.path(first)[0]]])
    before, after = work.prompt_tokens.tolist()[-2:]
    kept = leading if moved else before
    # The frame of the next message begins as that of another did: up to the role.
    assert kept <= int(work.reusable()[-1]) < kept + 4 < after
