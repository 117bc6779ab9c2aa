"""Responses: items, tools, replies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialect_bodies import body, dump, plain, sse
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects.base import BadBody, Part, Usage
from cachelens.ingest.dialects.parts import sealed
from cachelens.ingest.dialects.responses import ENVELOPE_BYTES, Responses

API = Responses()
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(_TEXT, st.sampled_from(["system", "developer", "user", "assistant"]))
def test_a_string_and_one_text_part_are_the_same_prompt(text: str, role: str) -> None:
    type_ = "output_text" if role == "assistant" else "input_text"
    short = API.item(dump({"role": role, "content": text}))
    part = {"type": type_, "text": text, "annotations": [], "logprobs": []}
    long = API.item(
        dump({"type": "message", "id": "msg_1", "status": "completed", "role": role, "content": [part]})
    )
    kind = "system" if role == "developer" else role
    assert plain(short) == plain(long) == [(kind, role, text, True, None, None, None)]
    if role == "user":
        assert plain(API.item(dump(text))) == plain(short)
    if role == "system":
        assert plain(API.system(body(instructions=text))) == plain(short)


def test_items_of_every_kind() -> None:
    items = [
        {
            "type": "function_call",
            "id": "fc",
            "call_id": "c1",
            "name": "f",
            "arguments": '{"a": 1}',
            "status": "completed",
        },
        {"type": "function_call_output", "id": "fo", "call_id": "c1", "output": "out"},
        {"type": "custom_tool_call", "id": "x", "call_id": "c2", "name": "patch", "input": "*** go"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "done"}],
        },
        {
            "type": "local_shell_call",
            "id": "l",
            "call_id": "c3",
            "status": "completed",
            "action": {"command": ["ls"]},
        },
        {"type": "local_shell_call_output", "id": "l", "output": "listing"},
        {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "q"}},
        {"type": "brand_new", "id": "n", "status": "done", "value": {"id": "kept"}},
        {"type": "item_reference", "id": "msg_9"},
    ]
    found = [part for item in items for part in API.item(dump(item))]
    assert found == [
        Part("tool_call", "assistant", 'f\n{"a": 1}', "input[].arguments", True, "f", "c1"),
        Part("tool_result", "tool", "out", "input[].output", True, None, "c1"),
        Part("tool_call", "assistant", "patch\n*** go", "input[].input", True, "patch", "c2"),
        Part("tool_result", "tool", "done", "input[].output[0].text", True, None, "c2"),
        Part(
            "tool_call",
            "assistant",
            'local_shell\n{"action":{"command":["ls"]}}',
            "input[]",
            True,
            "local_shell",
            "c3",
        ),
        Part("tool_result", "tool", "listing", "input[].output", True),
        Part("tool_call", "assistant", 'web_search\n{"action":{"query":"q"}}', "input[]", True, "web_search"),
        Part("other", "assistant", '{"type":"brand_new","value":{"id":"kept"}}', "input[]", True),
        Part("other", "assistant", "", "input[]", True, "item_reference", "msg_9"),
    ]


def test_reasoning_is_what_is_sealed_else_its_text_else_its_summary() -> None:
    summary = [{"type": "summary_text", "text": "short"}]
    content = [{"type": "reasoning_text", "text": "long"}]
    payload = "gAAA" * 1000
    hidden = API.item(
        dump({"type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": payload})
    )
    assert [(part.kind, part.text, part.starts) for part in hidden] == [("thinking", "", True)]
    assert hidden[0].opaque == sealed(payload, ENVELOPE_BYTES)
    assert hidden[0].opaque.tokens == (3000 - 650) // 4
    shown = API.item(dump({"type": "reasoning", "summary": summary, "content": content}))
    assert [part.text for part in shown] == ["long"]
    digest = API.item(dump({"type": "reasoning", "summary": summary, "content": None}))
    assert [(part.text, part.field) for part in digest] == [("short", "input[].summary[0].text")]
    compaction = API.item(dump({"type": "compaction", "encrypted_content": payload}))
    assert (compaction[0].kind, compaction[0].opaque) == ("other", hidden[0].opaque)


def test_media_and_markers() -> None:
    asked = []
    api = Responses(image_tokens=lambda *given: asked.append(given) or 9)  # type: ignore[func-returns-value]
    content = [
        {"type": "input_text", "text": "see", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "data:image/jpeg;base64,QUJD"},
        {"type": "input_file", "file_id": "file-1"},
    ]
    parts = api.item(dump({"role": "user", "content": content}))
    assert [(part.kind, part.breakpoint_s) for part in parts] == [("user", 1800), ("image", 0), ("other", 0)]
    assert asked[0] == ("openai", "image/jpeg", "QUJD", 3)
    screen = {"type": "computer_screenshot", "image_url": "data:image/png;base64,QUJD"}
    shot = api.item(dump({"type": "computer_call_output", "call_id": "c", "output": screen}))
    assert [(part.kind, part.call_id, part.opaque) for part in shot] == [("image", "c", parts[1].opaque)]
    drawn = api.item(dump({"type": "image_generation_call", "id": "i", "result": "QUJD"}))
    assert [part.kind for part in drawn] == ["tool_call", "image"]
    assert "QUJD" not in drawn[0].text


def test_tools_without_transport_fields() -> None:
    schema = {"type": "object", "properties": {"strict": {"type": "string"}}}
    tools = [
        {"type": "function", "name": "f", "strict": True, "parameters": schema},
        {"type": "web_search"},
        {"type": "function", "name": "later", "defer_loading": True},
    ]
    compact = json.dumps(schema, separators=(",", ":"))
    assert [(part.text, part.name) for part in API.tools(dump(tools))] == [
        (f'{{"type":"function","name":"f","parameters":{compact}}}', "f"),
        ('{"type":"web_search"}', "web_search"),
        ("", "later"),
    ]


def _items(text: str, arguments: str) -> list[dict[str, Any]]:
    return [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "why"}]},
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        },
        {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": arguments},
    ]


_USAGE = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}


def _stream(text: str, arguments: str, final: str = "response.completed", output: bool = True) -> bytes:
    head = {"id": "resp_1", "model": "m", "status": "in_progress", "output": [], "usage": None}
    events: list[object] = [{"type": "response.created", "response": head}]
    whole = _items(text, arguments)
    for index, item in enumerate(whole):
        begun = {**item, "arguments": ""} if "arguments" in item else {**item, "content": [], "summary": []}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
        kind, value = [
            ("response.reasoning_summary_text.delta", "why"),
            ("response.output_text.delta", text),
            ("response.function_call_arguments.delta", arguments),
        ][index]
        events += [{"type": kind, "output_index": index, "delta": piece} for piece in value]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    done = {**head, "status": "completed", "output": whole if output else [], "usage": _USAGE}
    events.append({"type": final, "response": done})
    return sse(*events, names=True)


@given(_TEXT, _TEXT, st.booleans())
def test_a_stream_is_the_items_it_echoes(text: str, path: str, output: bool) -> None:
    arguments = json.dumps({"path": path})
    reply = API.reply(_stream(text, arguments, output=output))
    assert reply.parts == [part for item in _items(text, arguments) for part in API.item(dump(item))]
    assert reply.complete
    assert (reply.response_id, reply.model) == ("resp_1", "m")
    assert reply.usage == Usage(6, 4, None, None, 3, None, 10)
    whole = {
        "id": "resp_1",
        "model": "m",
        "status": "completed",
        "output": _items(text, arguments),
        "usage": _USAGE,
    }
    assert API.reply(dump(whole)) == reply


@given(st.integers(0, 4000))
def test_a_truncated_stream_keeps_what_had_arrived(cut: int) -> None:
    raw = _stream("hello", '{"a":1}')
    reply = API.reply(raw[:cut])
    texts = ["why", "hello", 'f\n{"a":1}']
    for part, text in zip(reply.parts, texts, strict=False):
        assert text.startswith(part.text)
    assert [part.text for part in reply.parts[:-1]] == texts[: max(0, len(reply.parts) - 1)]
    assert reply.complete == (cut >= len(raw.rstrip()))


def test_failures() -> None:
    assert not API.reply(_stream("x", "{}", final="response.failed")).complete
    assert API.reply(_stream("x", "{}", final="response.incomplete")).complete
    for raw in (b'{"error":{"message":"no"}}', b"", b"<html>", sse({"type": "error", "message": "m"})):
        assert (API.reply(raw).parts, API.reply(raw).complete) == ([], False)
    for raw in (b"[]", b'{"type": "message", "content": 4}', b"5"):
        with pytest.raises(BadBody):
            API.item(raw)


def test_verdict_of_the_server() -> None:
    miss = {"type": "cache_miss", "reason": "tools_changed", "cache_missed_tokens": 5}
    whole = {"status": "completed", "output": [], "usage": _USAGE, "prompt_cache_diagnostics": miss}
    assert API.reply(dump(whole)).usage.miss_reason == "tools_changed"  # type: ignore[union-attr]
