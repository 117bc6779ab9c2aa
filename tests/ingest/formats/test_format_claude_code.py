"""Claude Code transcripts: one call for each answer, sent the messages on the path above it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders.captures import jsonl
from tests.builders.reading import Read, read
from tests.builders.transcripts import ClaudeCode, text, tool_use

PARTIAL = "system-and-tools-missing"


def calls(transcript: ClaudeCode) -> Read:
    got = read(jsonl(transcript.lines))
    assert got.format == "claude-code"
    return got


def sent(got: Read) -> list[list[tuple[str, str]]]:
    """The messages of each request as (role, what its blocks say)."""
    return [
        [
            (message["role"], " ".join(map(said, message["content"])))
            for message in json.loads(exchange.request)["messages"]
        ]
        for exchange in got.exchanges
    ]


def said(block: Any) -> str:
    return str(block.get("text") or block.get("thinking") or block.get("content") or block.get("id"))


def answers(got: Read) -> list[str]:
    return [" ".join(map(said, json.loads(e.response)["content"])) for e in got.exchanges]


def test_lines_of_one_answer_are_one_call_and_the_last_usage_counts() -> None:
    t = ClaudeCode()
    t.user("question")
    usage = {
        "input_tokens": 2,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 4,
        "output_tokens": 50,
    }
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    t.answer("m1", thinking, text("answer"), tool_use("t1"), usage=usage)
    t.result("t1", "result")
    t.answer("m2", text("done"))
    got = calls(t)
    assert sent(got) == [
        [("user", "question")],
        [("user", "question"), ("assistant", "hm answer t1"), ("user", "result")],
    ]
    assert answers(got) == ["hm answer t1", "done"]
    first, second = got.exchanges
    assert json.loads(first.response)["usage"] == usage
    assert json.loads(first.request)["model"] == "claude-example-1"
    assert (first.record, second.record) == (2, 6)
    assert (first.partial, first.session_key, first.request_id) == (PARTIAL, "session-1", "req")
    # Sent when the message before it was there; over when the last line was written.
    assert [e.started_us % 60_000_000 for e in got.exchanges if e.started_us] == [1_000_000, 5_000_000]
    assert [e.ended_us % 60_000_000 for e in got.exchanges if e.ended_us] == [4_000_000, 6_000_000]
    assert first.headers == {"user-agent": "claude-cli/2.1.0"}


def test_results_of_parallel_tool_calls_are_all_sent_although_one_branch_leads_on() -> None:
    t = ClaudeCode()
    t.user("question")
    first = t.answer("m1", tool_use("t1"))
    second = t.answer("m1", tool_use("t2"), parent=first)
    t.result("t1", "result 1", parent=first)
    t.result("t2", "result 2", parent=second)
    t.answer("m2", text("done"))
    (_, after) = sent(calls(t))
    assert after == [("user", "question"), ("assistant", "t1 t2"), ("user", "result 1 result 2")]


def test_lines_of_an_answer_written_behind_a_result_still_belong_to_it() -> None:
    t = ClaudeCode()
    t.user("question")
    t.answer("m1", tool_use("t1"))
    t.result("t1", "result 1")
    t.answer("m1", tool_use("t2"))
    t.result("t2", "result 2")
    t.answer("m2", text("done"))
    got = calls(t)
    assert sent(got)[0] == [("user", "question")]
    assert sent(got)[1] == [("user", "question"), ("assistant", "t1 t2"), ("user", "result 1 result 2")]


def test_a_branch_sends_its_own_path_only() -> None:
    t = ClaudeCode()
    root = t.user("question")
    t.answer("m1", text("answer 1"))
    t.user("follow-up")
    t.answer("m2", text("answer 2"))
    t.user("other question", parent=root)
    t.answer("m3", text("answer 3"))
    t.user("second try", parent=None)
    t.answer("m4", text("answer 4"))
    assert sent(calls(t)) == [
        [("user", "question")],
        [("user", "question"), ("assistant", "answer 1"), ("user", "follow-up")],
        [("user", "question other question")],
        [("user", "second try")],
    ]


def test_what_is_not_sent() -> None:
    t = ClaudeCode()
    t.lines.append({"type": "summary", "summary": "old title", "leafUuid": "x"})
    t.user("question")
    t.add("attachment", attachment={"type": "skill_listing", "content": "skills"})
    t.add("system", subtype="turn_duration", content="10 s")
    t.user("only shown", isVisibleInTranscriptOnly=True)
    t.add("progress", data={"x": 1})
    t.user("meta", isMeta=True)
    t.answer("m1", text("answer"))
    assert sent(calls(t)) == [[("user", "question meta")]]


def test_errors_and_texts_that_no_model_wrote_are_no_calls() -> None:
    t = ClaudeCode()
    t.user("question")
    t.answer("m1", text("overloaded"), isApiErrorMessage=True)
    t.answer("m2", text("no response requested"))
    t.lines[-1]["message"]["model"] = "<synthetic>"
    t.user("again")
    t.answer("m3", text("answer"))
    got = calls(t)
    assert sent(got) == [[("user", "question"), ("assistant", "no response requested"), ("user", "again")]]
    assert got.skipped == {"no-answer": 1}
    assert got.reports[0].places == (2,)


def test_a_sub_agent_starts_without_the_messages_of_its_caller() -> None:
    t = ClaudeCode()
    t.user("question")
    leaf = t.answer("m1", tool_use("t1"))
    t.user("task", parent=None, isSidechain=True)
    t.answer("m2", text("report"), isSidechain=True)
    t.user("task 2", parent=leaf, isSidechain=True)
    t.answer("m3", text("report 2"), isSidechain=True)
    got = calls(t)
    assert sent(got) == [[("user", "question")], [("user", "task")], [("user", "task 2")]]
    assert {e.partial for e in got.exchanges} == {PARTIAL}
    assert {e.session_key for e in got.exchanges} == {"session-1"}


def test_a_compaction_starts_anew_with_its_summary() -> None:
    t = ClaudeCode()
    t.user("question")
    before = t.answer("m1", text("answer"))
    t.add(
        "system", None, subtype="compact_boundary", logicalParentUuid=before, compactMetadata={"preTokens": 9}
    )
    t.user("summary", isCompactSummary=True)
    t.answer("m2", text("answer 2"))
    assert sent(calls(t)) == [[("user", "question")], [("user", "summary")]]


@pytest.mark.parametrize("form", ["segment", "messages"])
def test_messages_that_a_compaction_keeps_follow_its_summary(form: str) -> None:
    t = ClaudeCode()
    t.user("old")
    t.answer("m1", text("old answer"))
    head = t.user("kept")
    tail = t.answer("m2", text("kept answer"))
    anchor = f"u{len(t.lines) + 1}"
    if form == "segment":
        kept = {"preservedSegment": {"headUuid": head, "anchorUuid": anchor, "tailUuid": tail}}
    else:
        kept = {"preservedMessages": {"anchorUuid": anchor, "uuids": [head, tail]}}
    t.add("system", None, subtype="compact_boundary", compactMetadata=kept)
    t.user("summary", isCompactSummary=True)
    t.user("next")
    t.answer("m3", text("answer 3"))
    t.user("last")
    t.answer("m4", text("answer 4"))
    got = calls(t)
    later = [("user", "summary kept"), ("assistant", "kept answer"), ("user", "next")]
    assert sent(got) == [
        [("user", "old")],
        [("user", "old"), ("assistant", "old answer"), ("user", "kept")],
        later,
        [*later, ("assistant", "answer 3"), ("user", "last")],
    ]
    assert {e.partial for e in got.exchanges} == {PARTIAL}


def test_kept_messages_that_are_not_in_the_file_are_marked() -> None:
    t = ClaudeCode()
    t.user("old")
    t.answer("m1", text("old answer"))
    kept = {"preservedSegment": {"headUuid": "gone", "anchorUuid": "u3", "tailUuid": "u1"}}
    t.add("system", None, subtype="compact_boundary", compactMetadata=kept)
    t.user("summary")
    t.answer("m2", text("answer 2"))
    got = calls(t)
    assert [e.partial for e in got.exchanges] == [PARTIAL, f"{PARTIAL},history-missing"]


def test_cleared_tool_results_are_marked_from_then_on() -> None:
    t = ClaudeCode()
    t.user("question")
    t.answer("m1", text("answer"))
    t.add("system", subtype="microcompact_boundary", microcompactMetadata={"compactedToolIds": ["t1"]})
    t.user("next")
    t.answer("m2", text("answer 2"))
    marks = [e.partial for e in calls(t).exchanges]
    assert marks == [PARTIAL, f"{PARTIAL},history-rewritten"]


def test_a_lost_line_marks_every_call_behind_it() -> None:
    t = ClaudeCode()
    t.user("question")
    t.answer("m1", text("answer"))
    t.user("lost")
    t.answer("m2", text("answer 2"))
    t.user("next")
    t.answer("m3", text("answer 3"))
    got = read(jsonl(t.lines[:2]) + b'{"broken\n' + jsonl(t.lines[3:]), "claude-code")
    assert sent(got) == [[("user", "question")], [], [("assistant", "answer 2"), ("user", "next")]]
    missing = f"{PARTIAL},history-missing"
    assert [e.partial for e in got.exchanges] == [PARTIAL, missing, missing]
    assert got.skipped == {"bad-json": 1}


def test_repeated_lines_and_repeated_blocks_count_once() -> None:
    t = ClaudeCode()
    t.user("question")
    t.answer("m1", text("answer"), tool_use("t1"))
    cumulative = dict(t.lines[-1], uuid="again", parentUuid=t.leaf)
    cumulative["message"] = dict(
        cumulative["message"], content=[text("answer"), tool_use("t1"), tool_use("t2")]
    )
    got = read(jsonl([*t.lines, *t.lines, cumulative]), "claude-code")
    assert answers(got) == ["answer t1 t2"]


def test_a_line_that_is_its_own_ancestor_has_no_end_and_no_call_hangs() -> None:
    t = ClaudeCode()
    t.user("question", parent="u1")
    t.user("more", parent="u0")
    t.answer("m1", text("answer"))
    kept = {"preservedMessages": {"anchorUuid": "u1", "uuids": ["u0", "u1", "u0"]}}
    t.add("system", subtype="compact_boundary", compactMetadata=kept)
    t.user("next", parent="u1")
    t.answer("m2", text("answer 2"))
    got = calls(t)
    assert [e.partial for e in got.exchanges] == [f"{PARTIAL},history-missing"]
    assert got.skipped == {"broken-tree": 1}


def test_what_a_compaction_moves_is_moved_for_later_calls_only() -> None:
    """An anchor that stood before the compaction already had messages behind it."""
    t = ClaudeCode()
    anchor = t.user("question")
    t.answer("m1", text("answer"))
    tail = t.user("kept")
    t.answer("m2", text("answer 2"))
    kept = {"preservedMessages": {"anchorUuid": anchor, "uuids": [tail]}}
    t.add("system", None, subtype="compact_boundary", compactMetadata=kept)
    t.user("next", parent=anchor)
    t.answer("m3", text("answer 3"))
    assert sent(calls(t))[1:] == [
        [("user", "question"), ("assistant", "answer"), ("user", "kept")],
        [("user", "question kept next")],
    ]
