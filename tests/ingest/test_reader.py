"""Prompts as the reader assembles them: order, chains of responses, models, dialects without a URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.finish import Ingested, finish
from cachelens.ingest.reader import Reader
from cachelens.ingest.shorten import Shortener
from cachelens.ingest.store import segment_frames
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline import analyze, load
from tests.ingest.bytes_tokenizer import BytesTokenizer
from tests.ingest.traces import TOOLS, body, call, message, result, trace_of

TEXT = "Some text that is long enough to be worth leaving out. " * 12


def read(
    bodies: list[dict[str, Any]], replies: list[dict[str, Any]], url: str = "", render: str | None = None
) -> Trace:
    reader, shortener = Reader(BytesTokenizer(), lambda *image: 85, render), Shortener()
    calls = [
        reader.exchange(
            Exchange(at + 1, json.dumps(one).encode(), json.dumps(reply).encode() if reply else b"", url=url),
            0,
            shortener,
        )
        for at, (one, reply) in enumerate(zip(bodies, replies, strict=True))
    ]
    return finish(calls, reader.contents, reader.trie, Ingested(("t",), (), "exact", "default", ()))


def kinds(trace: Trace, request: str = "r1") -> list[str]:
    frame = next(segment_frames(trace))
    return frame.filter((frame["request_id"] == request) & ~frame["generated"])["kind"].to_list()


def test_render_order() -> None:
    given = body([message("system", "S"), message("user", "U")])
    assert kinds(trace_of([(given, None)])) == ["system", "tools", "user"]
    assert kinds(trace_of([(given, None)], render="tools-first")) == ["tools", "system", "user"]
    anthropic = {
        "model": "claude",
        "system": "S",
        "tools": [{"name": "t", "input_schema": {}}],
        "messages": [message("user", "U")],
    }
    url = "https://api.anthropic.com/v1/messages"
    assert kinds(read([anthropic], [{}], url)) == ["tools", "system", "user"]
    assert kinds(read([anthropic], [{}], url, "system-first")) == ["system", "tools", "user"]


def answer(name: str, text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    output = [{"type": "message", "role": "assistant", "content": content}]
    return {"id": name, "object": "response", "status": "completed", "model": "m", "output": output}


def item(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def test_responses_that_name_the_one_before_hold_its_whole_prompt() -> None:
    url = "https://api.openai.com/v1/responses"
    chained = [
        {"model": "m", "input": [item("user", TEXT)]},
        {"model": "m", "input": [item("user", "second")], "previous_response_id": "a"},
        {"model": "m", "input": "third", "previous_response_id": "b"},
    ]
    whole = [
        {"model": "m", "input": [item("user", TEXT)]},
        {"model": "m", "input": [item("user", TEXT), item("assistant", "one"), item("user", "second")]},
        {
            "model": "m",
            "input": [
                item("user", TEXT),
                item("assistant", "one"),
                item("user", "second"),
                item("assistant", "two"),
                item("user", "third"),
            ],
        },
    ]
    replies = [answer("a", "one"), answer("b", "two"), answer("c", "three")]
    one, other = read(chained, replies, url), read(whole, replies, url)
    assert one.requests["prompt_tokens"].to_list() == other.requests["prompt_tokens"].to_list()
    assert one.predecessor.tolist() == other.predecessor.tolist() == [-1, 0, 1]
    assert one.requests["partial"].to_list() == [None] * 3


def test_a_missing_link_of_a_chain_marks_the_request_as_partial() -> None:
    given = {"model": "m", "input": [item("user", "x")], "previous_response_id": "elsewhere"}
    trace = read([given], [answer("a", "one")], "https://api.openai.com/v1/responses")
    assert trace.requests["partial"].to_list() == ["previous-response-missing"]
    assert any("known only in part" in note for note in trace.notes)


def test_another_model_shares_no_cache_and_is_named_as_the_cause() -> None:
    history = [message("system", "You are an agent"), message("user", TEXT), call("c1"), result("c1", "out")]
    trace = trace_of([(body(history[:2]), call("c1")), ({**body(history), "model": "other"}, None)])
    found = analyze(trace, AnalyzeOptions()).requests[1]
    assert found.reusable_tokens == 0
    assert found.break_ is not None
    assert (found.break_.kind, found.break_.path, found.break_.token_offset) == ("model-changed", "model", 0)
    # The prompt, and the reply but for its last token, whose KV was never computed.
    kept = trace.requests["prompt_tokens"][0] + trace.requests["output_tokens"][0] - 1
    assert found.break_.lost_tokens == found.outcomes["divergence"] == kept


def test_another_salt_is_another_cache_but_no_other_model() -> None:
    history = [message("system", "You are an agent"), message("user", TEXT), call("c1"), result("c1", "out")]
    salted = [{**body(history[:2]), "cache_salt": "first"}, {**body(history), "cache_salt": "other"}]
    trace = trace_of([(salted[0], call("c1")), (salted[1], None)])
    assert not any("first" in name or "other" in name for name in trace.requests["namespace"])
    found = analyze(trace, AnalyzeOptions(engine="ideal")).requests[1]
    assert found.reusable_tokens == 0
    assert found.break_ is not None
    assert (found.break_.kind, found.break_.path) == ("scope-changed", "cache_salt or adapter")


def test_lost_tokens_are_those_that_no_earlier_request_could_serve() -> None:
    """A prefix that flips back and forth: what the request before the last left in the cache is not lost."""
    history = [message("user", TEXT), call("c1"), result("c1", "out"), call("c2"), result("c2", "out")]
    even, odd = message("system", "You are agent A"), message("system", "You are agent B")
    trace = trace_of(
        [
            (body([even, *history[:1]]), call("c1")),
            (body([odd, *history[:3]]), call("c2")),
            (body([even, *history]), None),
        ]
    )
    last = analyze(trace, AnalyzeOptions()).requests[2]
    assert last.break_ is not None
    # The first request's prompt and its reply but for the last token, whose KV was never computed.
    kept = trace.requests["prompt_tokens"][0] + trace.requests["output_tokens"][0] - 1
    assert last.reusable_tokens == kept
    # So it is with what the second one held.
    sent_by_second = trace.requests["prompt_tokens"][1] + trace.requests["output_tokens"][1] - 1
    assert last.break_.lost_tokens == sent_by_second - last.reusable_tokens == last.outcomes["divergence"]
    assert last.break_.token_offset == len("....You are agent ")


def test_a_dialect_is_not_forgotten_when_its_evidence_is_left_out() -> None:
    """Bare bodies, no URL: only the first tool call tells the API, and later records are shortened."""
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "r", "input": {}}]}
    done = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "out"}]}
    messages = [message("user", TEXT), use, done, message("assistant", "fine"), message("user", "next")]
    bodies = [{"model": "m", "max_tokens": 9, "messages": messages[:end]} for end in (1, 3, 5)]
    trace = read(bodies, [{}, {}, {}])
    assert trace.requests["dialect"].to_list()[1:] == ["anthropic", "anthropic"]
    assert trace.requests["prompt_tokens"].is_sorted()


def test_tools_that_change_are_found_before_the_messages() -> None:
    two = [*TOOLS, {"type": "function", "function": {"name": "write"}}]
    history = [message("system", "S" * 40), message("user", TEXT), call("c1"), result("c1", "out")]
    trace = trace_of([(body(history[:2], tools=two), call("c1")), (body(history, tools=two[::-1]), None)])
    found = analyze(trace, AnalyzeOptions()).requests[1].break_
    assert found is not None
    assert (found.kind, found.component, found.path) == ("reordered", "tools", "tools[0]")


LONG, NEXT = message("user", TEXT), message("user", "beta question here")


@pytest.mark.parametrize(
    "line",
    [
        '{"metadata":{"messages":[A,B]},"model":"m","messages":[B]}',
        '{"model":"m","messages":[A,B],"messages":[B]}',
        '{"tools":[{"type":"function","function":{"name":"t","examples":{"messages":[A,B]}}}],"messages":[B]}',
        '{"metadata":{"messages":[A,B]},"model":"m","messages":[]}',
    ],
)
def test_a_second_list_of_messages_in_a_record_changes_nothing(line: str) -> None:
    """What stands alone and what follows a record that holds the decoy's list must be read alike."""
    spelled = line.replace("A", json.dumps(LONG)).replace("B", json.dumps(NEXT)).encode()
    first = json.dumps({"model": "m", "messages": [LONG, NEXT]}, separators=(",", ":")).encode()
    alone, after = (read_raw(lines)[-1] for lines in ([spelled], [first, spelled]))
    assert after == alone


def read_raw(lines: list[bytes]) -> list[int]:
    reader, shortener = Reader(BytesTokenizer(), lambda *image: 85), Shortener()
    calls = [
        reader.exchange(Exchange(at, line, url="http://h/v1/chat/completions", started_us=at), 0, shortener)
        for at, line in enumerate(lines)
    ]
    trace = finish(calls, reader.contents, reader.trie, Ingested(("t",), (), "exact", "default", ()))
    return trace.requests["prompt_tokens"].to_list()


def test_a_model_that_only_the_response_names_is_a_namespace() -> None:
    given = {"messages": [LONG]}
    choices = [{"index": 0, "message": message("assistant", "x")}]
    replies = [{"object": "chat.completion", "model": name, "choices": choices} for name in ("m1", "m2")]
    trace = read([given, given], replies, "http://h/v1/chat/completions")
    assert trace.requests["namespace"].n_unique() == 2
    assert analyze(trace, AnalyzeOptions()).totals.hit_tokens == 0


def test_what_was_generated_gets_its_place_when_it_is_sent_back() -> None:
    history = [message("system", "S"), message("user", "U"), call("c1"), result("c1", "out")]
    trace = trace_of([(body(history[:2]), call("c1")), (body(history), call("c2"))])
    frame = next(segment_frames(trace))
    places = frame.filter(frame["request_id"] == "r2").select("generated", "source_path").rows()
    assert [place.split(".")[0] for generated, place in places if not generated] == [
        "messages[0]",
        "tools[0]",
        "messages[1]",
        "messages[2]",
        "messages[3]",
    ]
    assert all(place.startswith("response") for generated, place in places if generated)


def test_a_break_stands_where_the_tokens_differ_not_where_the_cuts_do() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two " * 40}]
    split = [message("system", "S"), {"role": "user", "content": parts}, call("c1"), result("c1", "out " * 9)]
    joined = [split[0], message("user", "one " + "two " * 40), split[2], result("c1", "new " * 9), call("c2")]
    trace = trace_of([(body(split), call("c2")), (body([*joined, result("c2", "x")]), None)])
    found = analyze(trace, AnalyzeOptions()).requests[1].break_
    assert found is not None
    assert (found.kind, found.path, found.message) == ("changed", "messages[3].content", 3)
    assert found.segment_offset == 4  # the framing of the message


def test_an_edit_is_named_even_when_the_model_changed_too() -> None:
    one, other = message("system", "You are agent A"), message("system", "You are agent B")
    exchanges = [
        (body([one, LONG]), call("c1")),
        ({**body([other, LONG, call("c1"), result("c1", "out")]), "model": "other"}, None),
    ]
    found = analyze(trace_of(exchanges), AnalyzeOptions()).requests[1].break_
    assert found is not None
    assert (found.kind, found.path) == ("changed", "messages[0].content")


def test_a_chain_of_responses_may_be_written_in_any_order(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    lines = [
        json.dumps(
            {
                "timestamp": at,
                "method": "POST",
                "url": "https://api.openai.com/v1/responses",
                "request": {
                    "model": "m",
                    "input": [item("user", f"turn {at} {TEXT}")],
                    **({"previous_response_id": names[at - 1]} if at else {}),
                },
                "response": answer(name, f"reply {at}"),
            }
        )
        for at, name in enumerate(names)
    ]
    found = []
    for number, order in enumerate((lines, lines[::-1], [lines[1], lines[0], lines[2]])):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\n".join(order))
        trace = load([str(path)], IngestOptions())
        assert trace.requests["partial"].to_list() == [None] * 3
        assert trace.predecessor.tolist() == [-1, 0, 1]
        found.append(trace.requests["prompt_tokens"].to_list())
    assert found[0] == found[1] == found[2]
