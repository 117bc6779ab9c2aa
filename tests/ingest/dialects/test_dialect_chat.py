"""Chat Completions: messages, tools, replies, and the habits of compatible servers."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from dialect_bodies import dump, plain, sse
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects.base import BadBody, Part
from cachelens.ingest.dialects.chat import Chat
from cachelens.ingest.dialects.parts import sealed

API = Chat()
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
_CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a b"}'}}


@given(_TEXT, st.sampled_from(["system", "developer", "user", "assistant", "tool"]), st.booleans())
def test_a_string_and_one_text_part_are_the_same_prompt(text: str, role: str, calls: bool) -> None:
    more: dict[str, Any] = {"tool_calls": [_CALL]} if calls else {}
    whole = API.item(dump({"role": role, "content": text, **more}))
    listed = API.item(dump({"role": role, "content": [{"type": "text", "text": text}], **more}))
    assert plain(whole) == plain(listed)
    assert [part.starts for part in whole] == [True, *[False] * (len(whole) - 1)]
    kind = {"developer": "system", "tool": "tool_result"}.get(role, role)
    if text or not calls:
        assert (whole[0].kind, whole[0].role, whole[0].text) == (kind, role, text)
        assert whole[0].field == "messages[].content"


def test_thinking_text_and_calls_in_rendered_order() -> None:
    message = {
        "role": "assistant",
        "tool_calls": [_CALL],
        "content": "doing",
        "reasoning_content": "why",
        "id": "x",
    }
    assert API.item(dump(message)) == [
        Part("thinking", "assistant", "why", "messages[].reasoning_content", True),
        Part("assistant", "assistant", "doing", "messages[].content"),
        Part(
            "tool_call",
            "assistant",
            'read\n{"path": "a b"}',
            "messages[].tool_calls[0].function.arguments",
            False,
            "read",
            "c1",
        ),
    ]


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
def test_a_call_without_content_starts_the_message(content: object) -> None:
    found = API.item(dump({"role": "assistant", "content": content, "tool_calls": [_CALL]}))
    assert [(part.kind, part.starts) for part in found] == [("tool_call", True)]
    absent = API.item(dump({"role": "assistant", "tool_calls": [_CALL]}))
    assert absent == found
    framed = API.item(dump({"role": "assistant", "content": content}))
    assert plain(framed) == [("assistant", "assistant", "", True, None, None, None)]


def test_reasoning_is_counted_once() -> None:
    details = [{"type": "reasoning.text", "text": "why", "signature": "s"}]
    both = API.item(
        dump({"role": "assistant", "content": "x", "reasoning": "why", "reasoning_details": details})
    )
    assert [part.text for part in both] == ["why", "x"]
    alone = API.item(
        dump({"role": "assistant", "content": "x", "reasoning": None, "reasoning_details": details})
    )
    assert plain(alone) == plain(both)
    hidden = [{"type": "reasoning.encrypted", "data": "QUJD"}]
    assert API.item(dump({"role": "assistant", "content": "x", "reasoning_details": hidden}))[
        0
    ].opaque == sealed("QUJD")
    assert API.item(dump({"role": "user", "content": "x", "reasoning": "no"}))[0].kind == "user"


def test_refusals_results_and_names() -> None:
    refused = API.item(dump({"role": "assistant", "content": None, "refusal": "no"}))
    assert [(part.kind, part.text, part.field) for part in refused] == [
        ("assistant", "no", "messages[].refusal")
    ]
    assert API.item(dump({"role": "assistant", "content": "x", "refusal": None}))[0].text == "x"
    result = API.item(dump({"role": "tool", "tool_call_id": "c1", "name": "read", "content": "out"}))
    assert result == [Part("tool_result", "tool", "out", "messages[].content", True, "read", "c1")]
    old = API.item(dump({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}))
    assert (old[0].kind, old[0].text) == ("tool_call", "f\n{}")
    assert API.item(dump({"role": "function", "name": "f", "content": "r"}))[0].role == "tool"


def test_media_by_payload() -> None:
    content = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": "https://pictures.test/a"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "novel", "x": 1, "cache_control": {"type": "ephemeral"}},
    ]
    asked = []
    api = Chat(image_tokens=lambda *given: asked.append(given) or 5)  # type: ignore[func-returns-value]
    parts = api.item(dump({"role": "user", "content": content}))
    assert [part.kind for part in parts] == ["user", "image", "image", "other", "other", "other"]
    assert parts[1].opaque is not None
    assert parts[1].opaque.digest == parts[3].opaque.digest  # type: ignore[union-attr]
    assert parts[1].opaque.size == 3
    assert asked[0] == ("openai", "image/png", "QUJD", 3)
    assert asked[2] == ("openai", "audio/wav", "QUJD", 3)
    assert (parts[5].text, parts[5].breakpoint_s) == ('{"type":"novel","x":1}', 300)


def test_markers_of_compatible_servers() -> None:
    marker = {"type": "ephemeral"}
    listed = [{"type": "text", "text": "a", "cache_control": marker}, {"type": "text", "text": "b"}]
    assert [part.breakpoint_s for part in API.item(dump({"role": "user", "content": listed}))] == [300, 0]
    whole = API.item(
        dump({"role": "user", "content": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}})
    )
    assert whole[0].breakpoint_s == 3600
    explicit = [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]
    assert API.item(dump({"role": "user", "content": explicit}))[0].breakpoint_s == 1800


def test_tools_whole_without_strict() -> None:
    schema = {"type": "object", "properties": {"strict": {"type": "boolean"}}}
    tool = {
        "type": "function",
        "function": {"name": "f", "strict": True, "parameters": schema},
        "cache_control": {},
    }
    parts = API.tools(dump([tool, {"type": "custom", "custom": {"name": "g"}}]))
    compact = json.dumps(schema, separators=(",", ":"))
    assert parts[0].text == f'{{"type":"function","function":{{"name":"f","parameters":{compact}}}}}'
    assert (parts[0].name, parts[0].field, parts[0].breakpoint_s) == ("f", "tools[]", 300)
    legacy = API.tools(dump([{"name": "f", "parameters": schema}]))[0]
    assert (legacy.text, legacy.field) == (f'{{"name":"f","parameters":{compact}}}', "functions[]")


def _chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(edges)]


@given(
    _TEXT,
    _TEXT,
    _TEXT,
    st.lists(st.integers(0, 99), max_size=5),
    st.sampled_from(["reasoning", "reasoning_content"]),
)
def test_a_stream_cut_into_any_pieces_is_the_message_it_echoes(
    text: str, thought: str, path: str, cuts: list[int], key: str
) -> None:
    arguments = [json.dumps({"path": path}), "{}"]
    chunks = [_chunk(role="assistant", content="")]
    chunks += [_chunk(**{key: piece}) for piece in _pieces(thought, cuts)]
    chunks += [_chunk(content=piece) for piece in _pieces(text, cuts)]
    for index, whole in enumerate(arguments):
        head = {
            "index": index,
            "id": f"c{index}",
            "type": "function",
            "function": {"name": "f", "arguments": ""},
        }
        chunks.append(_chunk(tool_calls=[head]))
        chunks += [
            _chunk(tool_calls=[{"index": index, "function": {"arguments": piece}}])
            for piece in _pieces(whole, cuts)
        ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    reply = API.reply(sse(*chunks, end, "[DONE]"))
    calls = [
        {"id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": whole}}
        for index, whole in enumerate(arguments)
    ]
    message = {"role": "assistant", "content": text, key: thought, "tool_calls": calls}
    assert reply.parts == API.item(dump(message))
    assert API.reply(dump({"id": "r1", "choices": [{"index": 0, "message": message}]})).parts == reply.parts
    assert reply.complete
    assert (reply.response_id, reply.model) == ("r1", "m")


def test_calls_told_apart_without_an_index() -> None:
    def call(id_: str, arguments: str, **more: int) -> dict[str, Any]:
        return {"id": id_, "function": {"name": "f", "arguments": arguments}, **more}

    for more in ({}, {"index": 0}):
        raw = sse(
            _chunk(tool_calls=[call("a", "1", **more)]), _chunk(tool_calls=[call("b", "2", **more)]), "[DONE]"
        )
        assert [(part.call_id, part.text) for part in API.reply(raw).parts] == [("a", "f\n1"), ("b", "f\n2")]
    repeated = sse(_chunk(tool_calls=[call("a", "1", index=0)]), _chunk(tool_calls=[call("a", "2", index=0)]))
    assert [part.text for part in API.reply(repeated).parts] == ["f\n12"]


def test_only_the_first_choice_comes_back() -> None:
    second = {"index": 1, "delta": {"content": "other"}}
    raw = sse(
        {"choices": [second]},
        _chunk(content="one"),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
    assert [part.text for part in API.reply(raw).parts] == ["one"]


def test_thinking_in_content_lists() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
        {"type": "text", "text": "x"},
    ]
    echoed = API.item(dump({"role": "assistant", "content": content}))
    assert [(part.kind, part.text) for part in echoed] == [("thinking", "why"), ("assistant", "x")]
    reply = API.reply(sse(_chunk(content=content[:1]), _chunk(content="x"), "[DONE]"))
    assert plain(reply.parts) == plain(echoed)


def test_truncation_errors_and_broken_chunks() -> None:
    raw = sse(_chunk(content="one"), _chunk(content="two"))
    assert (API.reply(raw).parts[0].text, API.reply(raw).complete) == ("onetwo", False)
    broken = API.reply(sse(_chunk(content="one"), '{"choices": [', _chunk(content="two"), "[DONE]"))
    assert (broken.parts[0].text, broken.complete) == ("onetwo", False)
    for error in (
        b'{"error":{"message":"x"}}',
        b"",
        b'data: {"error":{"code":429}}\n\n',
        b"data: [DONE]\n\n",
        b"upstream",
    ):
        reply = API.reply(error)
        assert (reply.parts, reply.complete) == ([], False)
    half = API.reply(sse(_chunk(content="one"), {"error": {"message": "overloaded"}}, "[DONE]"))
    assert (half.parts[0].text, half.complete) == ("one", False)
    with pytest.raises(BadBody):
        API.reply(b'{"choices": [')


@pytest.mark.parametrize(
    "raw", [b"[]", b'{"role": "user", "content": 5}', b'{"role":"assistant","tool_calls":[{}]}']
)
def test_a_message_of_another_shape_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody):
        API.item(raw)


def test_an_id_that_comes_late_and_a_name_that_is_repeated() -> None:
    first = {"index": 0, "function": {"name": "f", "arguments": "1"}}
    later = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "2"}}
    parts = API.reply(sse(_chunk(tool_calls=[first]), _chunk(tool_calls=[later]))).parts
    assert [(part.call_id, part.text) for part in parts] == [("a", "f\n12")]
