"""Codex rollouts: a call is what was sent before items of the model, and what `token_count` reports of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders.captures import jsonl
from tests.builders.reading import Read, read
from tests.builders.transcripts import Codex


def calls(rollout: Codex) -> Read:
    got = read(jsonl(rollout.lines))
    assert got.format == "codex-rollout"
    return got


def said(item: Any) -> str:
    if item["type"] == "message":
        return " ".join(part["text"] for part in item["content"])
    return {"function_call": "call ", "function_call_output": "output "}.get(item["type"], item["type"]) + (
        item.get("call_id") or ""
    )


def sent(got: Read) -> list[list[str]]:
    return [[said(item) for item in json.loads(e.request)["input"]] for e in got.exchanges]


def answers(got: Read) -> list[list[str]]:
    return [[said(item) for item in json.loads(e.response)["output"]] for e in got.exchanges]


def usage(got: Read) -> list[tuple[int, int, int] | None]:
    reports = [json.loads(e.response).get("usage") for e in got.exchanges]
    return [
        (r["input_tokens"], r["input_tokens_details"]["cached_tokens"], r["output_tokens"]) if r else None
        for r in reports
    ]


def test_calls_end_with_their_report() -> None:
    r = Codex()
    r.message("developer", "rules")
    r.user("question")
    r.item("reasoning", summary=[], encrypted_content="x")
    r.message("assistant", "looking")
    r.call("a")
    r.call("b")
    r.tokens(100, 60, 7)
    r.output("a")
    r.output("b")
    r.message("assistant", "done")
    r.tokens(150, 100, 5)
    got = calls(r)
    first = ["rules", "question"]
    assert sent(got) == [first, [*first, "reasoning", "looking", "call a", "call b", "output a", "output b"]]
    assert answers(got) == [["reasoning", "looking", "call a", "call b"], ["done"]]
    assert usage(got) == [(100, 60, 7), (150, 100, 5)]
    body = json.loads(got.exchanges[0].request)
    assert (body["model"], body["instructions"]) == ("gpt-example-1", "be brief")
    one, two = got.exchanges
    assert (one.record, one.session_key, one.provider, one.partial) == (
        6,
        "thread-1",
        "openai",
        "tools-missing",
    )
    assert one.headers == {"originator": "codex_cli_rs"}
    # From the last item that was sent to the report.
    assert [e.started_us % 60_000_000 for e in (one, two) if e.started_us] == [4_000_000, 12_000_000]
    assert [e.ended_us % 60_000_000 for e in (one, two) if e.ended_us] == [10_000_000, 14_000_000]


def test_reports_that_stand_before_their_items() -> None:
    """As in 2025: the report first, then each call with its output."""
    r = Codex()
    r.again()  # a first report without counts
    r.user("question")
    r.tokens(100, 60, 7)
    r.call("a")
    r.output("a")
    r.call("b")
    r.output("b")
    r.tokens(150, 100, 5)
    r.message("assistant", "done")
    r.user("next")
    r.tokens(200, 150, 3)
    r.message("assistant", "done again")
    got = calls(r)
    second = ["question", "call a", "output a", "call b", "output b"]
    assert sent(got) == [["question"], second, [*second, "done", "next"]]
    assert answers(got) == [["call a", "call b"], ["done"], ["done again"]]
    assert usage(got) == [(100, 60, 7), (150, 100, 5), (200, 150, 3)]


def test_a_report_that_is_repeated_is_no_other_call() -> None:
    r = Codex()
    r.user("question")
    r.message("assistant", "done")
    r.tokens(100, 60, 7)
    r.again()
    r.user("next")
    r.again()
    r.message("assistant", "done again")
    r.tokens(120, 60, 7)
    got = calls(r)
    assert usage(got) == [(100, 60, 7), (120, 60, 7)]
    assert answers(got) == [["done"], ["done again"]]


def test_estimates_are_no_calls() -> None:
    r = Codex()
    r.user("question")
    r.message("assistant", "done")
    r.tokens(100, 60, 7)
    r.tokens(0, 0, 0)
    r.add(
        "event_msg",
        type="token_count",
        info={"total_token_usage": {"input_tokens": 0}, "last_token_usage": {"total_tokens": 99}},
    )
    assert usage(calls(r)) == [(100, 60, 7)]


def test_totals_alone_give_the_difference() -> None:
    r = Codex()
    for number in range(3):
        r.user("question")
        r.message("assistant", "done")
        r.tokens(100 + number, 60 + number, 7, last=False)
    assert usage(calls(r)) == [(100, 60, 7), (101, 61, 7), (102, 62, 7)]


def test_calls_without_any_report_end_where_input_begins() -> None:
    r = Codex()
    r.user("question")
    r.call("a")
    r.output("a")
    r.item("reasoning", summary=[])
    r.call("b")
    r.output("b")
    r.message("assistant", "done")
    got = calls(r)
    assert answers(got) == [["call a"], ["reasoning", "call b"], ["done"]]
    assert usage(got) == [None, None, None]
    assert sent(got)[1] == ["question", "call a", "output a"]


def test_a_compaction_replaces_the_history() -> None:
    r = Codex()
    r.user("question")
    r.message("assistant", "done")
    r.tokens(100, 60, 7)
    r.tokens(110, 100, 30)  # the summary: its items are not written
    kept = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "summary"}]}
    r.add("compacted", message="", replacement_history=[kept, {"type": "ghost_snapshot"}, 5])
    r.user("next")
    r.message("assistant", "done again")
    r.tokens(50, 0, 7)
    got = calls(r)
    assert sent(got) == [["question"], ["question", "done"], ["summary", "next"]]
    assert [e.partial for e in got.exchanges] == [
        "tools-missing",
        "tools-missing,output-missing",
        "tools-missing",
    ]
    assert usage(got) == [(100, 60, 7), (110, 100, 30), (50, 0, 7)]


def test_what_a_compaction_or_rollback_left_is_marked_where_the_file_does_not_say() -> None:
    r = Codex(instructions=None)
    r.user("question")
    r.message("assistant", "done")
    r.tokens(100, 60, 7)
    r.add("compacted", message="summary")
    r.user("next")
    r.message("assistant", "done again")
    r.tokens(50, 0, 7)
    r.user("mistake")
    r.message("assistant", "oh")
    r.tokens(60, 0, 7)
    r.add("event_msg", type="thread_rolled_back", num_turns=1)
    r.user("better")
    r.message("assistant", "fine")
    r.tokens(61, 0, 7)
    got = calls(r)
    assert sent(got) == [
        ["question"],
        ["summary", "next"],
        ["summary", "next", "done again", "mistake"],
        ["summary", "next", "done again", "better"],
    ]
    marks = [e.partial for e in got.exchanges]
    assert marks == ["system-and-tools-missing"] + ["system-and-tools-missing,history-rewritten"] * 3


def test_snapshots_are_not_sent_and_other_items_are() -> None:
    r = Codex()
    r.user("question")
    r.item("ghost_snapshot", ghost_commit={})
    r.item("custom_tool_call", name="patch", input="x", call_id="a")
    r.item("web_search_call", action={})
    r.tokens(1, 0, 1)
    r.item("custom_tool_call_output", output="ok", call_id="a")
    r.message("assistant", "done")
    r.tokens(2, 0, 1)
    got = calls(r)
    assert answers(got)[0] == ["custom_tool_calla", "web_search_call"]
    assert sent(got)[1] == ["question", "custom_tool_calla", "web_search_call", "custom_tool_call_outputa"]


def test_sub_agents_name_the_session_of_their_caller() -> None:
    r = Codex()
    r.lines[0]["payload"]["source"] = {"subagent": {"thread_spawn": {"parent_thread_id": "thread-0"}}}
    r.add("session_meta", id="thread-0")  # of the rollout that it was forked from
    r.user("question")
    r.message("assistant", "done")
    (exchange,) = calls(r).exchanges
    assert exchange.headers["x-parent-session-id"] == "thread-0"
    assert exchange.session_key == "thread-1"


@pytest.mark.parametrize("payload", [5, "text", None, [1], {"type": 5}, {"info": {"total_token_usage": 5}}])
def test_payloads_of_another_shape_are_counted(payload: Any) -> None:
    r = Codex()
    r.user("question")
    r.lines.append({"timestamp": "2027-01-15T08:00:00Z", "type": "event_msg", "payload": payload})
    r.message("assistant", "done")
    got = calls(r)
    assert got.skipped == {"bad-shape": 1}
    assert answers(got) == [["done"]]


def test_a_compaction_that_lists_its_history_ends_what_was_unknown() -> None:
    r = Codex()
    r.add("compacted", message="summary")
    r.user("question")
    r.message("assistant", "done")
    r.add("compacted", message="", replacement_history=[])
    r.user("next")
    r.message("assistant", "done again")
    got = calls(r)
    assert [e.partial for e in got.exchanges] == ["tools-missing,history-rewritten", "tools-missing"]
    assert sent(got) == [["summary", "question"], ["next"]]
