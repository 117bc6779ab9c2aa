"""pi sessions: one call for each answer, its messages spelt the way the API of the call has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import Usage
from tests.builders.captures import jsonl
from tests.builders.reading import Read, read
from tests.builders.transcripts import Pi, pi_call, text

PARTIAL = "system-and-tools-missing"
CHAT = {"api": "openai-completions", "provider": "openrouter", "model": "example-2"}
RESPONSES = {"api": "openai-responses", "provider": "openai", "model": "gpt-example-1"}


def calls(session: Pi) -> Read:
    got = read(jsonl(session.lines))
    assert got.format == "pi-session"
    return got


def words(value: Any) -> str:
    """All texts in a JSON value, in order."""
    if isinstance(value, dict):
        keys = ("text", "thinking", "content", "output", "name", "id", "tool_calls", "function", "reasoning")
        return " ".join(words(value[key]) for key in keys if value.get(key))
    return " ".join(map(words, value)) if isinstance(value, list) else str(value)


def sent(got: Read) -> list[list[str]]:
    found = []
    for exchange in got.exchanges:
        body = json.loads(exchange.request)
        found.append([words(message) for message in body.get("messages", body.get("input"))])
    return found


def test_messages_before_an_answer_are_its_prompt() -> None:
    s = Pi()
    s.say("user", "question")
    s.answer(text("looking"), pi_call("t1"), pi_call("t2"))
    s.say("toolResult", [text("result 1")], toolCallId="t1")
    s.say("toolResult", [text("result 2")], toolCallId="t2")
    s.add("thinking_level_change", thinkingLevel="high")
    s.add("custom", customType="x", data={})
    s.answer(text("done"))
    got = calls(s)
    bodies = [json.loads(exchange.request) for exchange in got.exchanges]
    assert bodies[1]["messages"] == [
        {"role": "user", "content": [text("question")]},
        {
            "role": "assistant",
            "content": [
                text("looking"),
                {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "t1"}},
                {"type": "tool_use", "id": "t2", "name": "read", "input": {"path": "t2"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [text("result 1")]},
                {"type": "tool_result", "tool_use_id": "t2", "content": [text("result 2")]},
            ],
        },
    ]
    first, last = got.exchanges
    assert (first.record, last.record, last.partial, last.session_key) == (3, 8, PARTIAL, "session-1")
    assert (last.url, last.provider, last.headers) == ("/v1/messages", "anthropic", {"user-agent": "pi"})
    assert json.loads(last.response)["content"] == [text("done")]
    assert last.ended_us is not None
    assert last.started_us is not None
    assert last.ended_us - last.started_us == 500_000


@pytest.mark.parametrize("api", [None, CHAT, RESPONSES], ids=["anthropic", "chat", "responses"])
def test_usage_comes_out_as_it_went_in(api: Any) -> None:
    s = Pi()
    s.say("user", "question")
    s.answer(text("done"), api=api, usage={"input": 10, "output": 7, "cacheRead": 500, "cacheWrite": 60})
    (exchange,) = calls(s).exchanges
    dialect = {"/v1/messages": "anthropic", "/v1/responses": "responses"}.get(exchange.url, "chat")
    reply = DIALECTS.load(dialect)().reply(exchange.response)
    assert isinstance(reply.usage, Usage)
    assert (reply.usage.uncached, reply.usage.cache_read, reply.usage.cache_write_5m) == (10, 500, 60)
    assert (reply.usage.prompt, reply.usage.output) == (570, 7)
    assert [part.text for part in reply.parts] == ["done"]


def test_other_apis_get_their_own_spelling() -> None:
    image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
    reasoning = {"type": "reasoning", "encrypted_content": "x", "summary": []}
    for api, expected in (
        (
            CHAT,
            [
                {
                    "role": "user",
                    "content": [
                        text("question"),
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    ],
                },
                {
                    "role": "assistant",
                    "reasoning": "hm",
                    "content": "looking",
                    "tool_calls": [
                        {
                            "id": "c1|i1",
                            "type": "function",
                            "function": {"name": "read", "arguments": '{"path": "c1|i1"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1|i1", "content": [text("result")]},
            ],
        ),
        (
            RESPONSES,
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "question"},
                        {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                    ],
                },
                reasoning,
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "looking"}],
                },
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"path": "c1|i1"}'},
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_text", "text": "result"}],
                },
            ],
        ),
    ):
        signature = "reasoning" if api is CHAT else json.dumps(reasoning)
        s = Pi()
        s.say("user", [text("question"), image])
        thinking = {"type": "thinking", "thinking": "hm", "thinkingSignature": signature}
        s.answer(thinking, text("looking"), pi_call("c1|i1"), api=api)
        s.say("toolResult", [text("result")], toolCallId="c1|i1")
        s.answer(text("done"), api=api)
        body = json.loads(calls(s).exchanges[1].request)
        assert body.get("messages", body.get("input")) == expected


def test_the_thinking_of_another_model_is_sent_as_text() -> None:
    s = Pi()
    s.say("user", "question")
    s.answer({"type": "thinking", "thinking": "hm", "thinkingSignature": "s"}, text("one"))
    s.say("user", "next")
    s.answer(text("two"), api=CHAT)
    s.say("user", "back")
    s.answer(text("three"))
    got = calls(s)
    assert sent(got)[1] == ["question", "hmone", "next"]
    last = json.loads(got.exchanges[2].request)["messages"]
    assert last[1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert last[3]["content"] == [text("two")]


def test_branches_send_their_own_path() -> None:
    s = Pi()
    root = s.say("user", "question")
    s.answer(text("one"))
    s.say("user", "next")
    s.answer(text("two"))
    s.add("branch_summary", parent=root, fromId="e4", summary="tried two")
    s.say("user", "other")
    s.answer(text("three"))
    summary = (
        "The following is a summary of a branch that this conversation came back from:\n\n"
        "<summary>\ntried two</summary>"
    )
    assert sent(calls(s)) == [["question"], ["question", "one", "next"], [f"question {summary} other"]]


@pytest.mark.parametrize("version", [None, 3])
def test_a_compaction_leaves_its_summary_and_what_it_keeps(version: int | None) -> None:
    s = Pi(version)
    s.say("user", "question")
    s.answer(text("one"))
    kept = s.say("user", "kept")
    s.answer(text("two"))
    first = {"firstKeptEntryId": kept} if version else {"firstKeptEntryIndex": 3}
    s.add("compaction", summary="in short", tokensBefore=9, **first)
    s.say("user", "next")
    s.answer(text("three"))
    got = calls(s)
    summary = (
        "The conversation history before this point was compacted into the following summary:\n\n"
        "<summary>\nin short\n</summary>"
    )
    assert sent(got)[2] == [f"{summary} kept", "two", "next"]
    assert {e.partial for e in got.exchanges} == {PARTIAL}


def test_what_a_compaction_keeps_but_is_not_there_is_marked() -> None:
    s = Pi()
    s.say("user", "question")
    s.add("compaction", summary="in short", firstKeptEntryId="gone")
    s.answer(text("one"))
    s.say("user", "orphan", parent="nowhere")
    s.answer(text("two"))
    assert [e.partial for e in calls(s).exchanges] == [f"{PARTIAL},history-missing"] * 2


@pytest.mark.parametrize(("version", "replayed"), [(None, "half"), (2, "half"), (3, "")])
def test_aborted_answers_are_sent_back_by_early_versions_only(version: int | None, replayed: str) -> None:
    s = Pi(version)
    s.say("user", "question")
    s.answer(text("half"), pi_call("t1"), stopReason="aborted")
    s.say("user", "next")
    s.answer(text("done"))
    got = calls(s)
    expected = ["question", replayed, "next"] if replayed else ["question next"]
    assert sent(got) == [["question"], expected]


def test_unanswered_tool_calls() -> None:
    for version, expected in ((None, "looking"), (3, "looking read t1")):
        s = Pi(version)
        s.say("user", "question")
        s.answer(text("looking"), pi_call("t1"))
        s.say("user", "next")
        s.answer(text("done"))
        (_, last) = sent(calls(s))
        assert last[1] == expected
        assert last[2] == ("next" if version is None else "No result provided next")


def test_answers_that_never_began_are_counted() -> None:
    s = Pi()
    s.say("user", "question")
    none = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    s.answer(usage=none, stopReason="aborted")
    s.answer(stopReason="error")
    s.say("user", "next")
    s.answer(text("done"), usage=none)
    got = calls(s)
    assert got.skipped == {"no-answer": 1}
    assert [e.record for e in got.exchanges] == [4, 6]
    assert "usage" not in json.loads(got.exchanges[1].response)


def test_what_was_written_while_the_model_answered_was_not_sent() -> None:
    s = Pi()
    s.say("user", "question")
    s.say("user", "typed later")
    s.answer(text("done"))
    s.lines[3]["message"]["timestamp"] = s.lines[2]["message"]["timestamp"] - 1
    assert sent(calls(s)) == [["question"]]


def test_commands_of_the_user_are_told_unless_excluded() -> None:
    s = Pi()
    s.say("bashExecution", None, command="ls", output="a b", exitCode=1)
    s.say("bashExecution", None, command="env", output="secret", exitCode=0, excludeFromContext=True)
    s.say("bashExecution", None, command="x", output="", cancelled=True, truncated=True, fullOutputPath="/f")
    s.add("custom_message", customType="hook", content="told", display=True)
    s.answer(text("done"))
    (exchange,) = calls(s).exchanges
    assert [block["text"] for block in json.loads(exchange.request)["messages"][0]["content"]] == [
        "Ran `ls`\n```\na b\n```\n\nCommand exited with code 1",
        "Ran `x`\n(no output)\n\n(command cancelled)\n\n[Output truncated. Full output: /f]",
        "told",
    ]


def test_a_message_that_cannot_be_read_costs_the_calls_that_contain_it() -> None:
    s = Pi()
    root = s.say("user", "question")
    s.answer(text("one"))
    s.say("user", [{"no": "type"}])
    s.answer(text("two"))
    s.say("user", "other", parent=root)
    s.answer(text("three"))
    got = calls(s)
    assert sent(got) == [["question"], ["question other"]]
    assert got.skipped == {"bad-shape": 1}
    assert got.reports[0].places == (5,)
