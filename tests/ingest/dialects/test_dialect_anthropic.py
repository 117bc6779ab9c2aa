"""Anthropic Messages: blocks, markers, replies."""

from __future__ import annotations

import base64
import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from dialect_bodies import body, dump, plain, sse
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects.anthropic import Anthropic
from cachelens.ingest.dialects.base import BadBody, Part, Usage
from cachelens.ingest.dialects.parts import sealed

API = Anthropic()
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


@given(_TEXT, st.sampled_from(["user", "assistant"]))
def test_a_string_and_one_text_block_are_the_same_prompt(text: str, role: str) -> None:
    whole = API.item(dump({"role": role, "content": text}))
    block = API.item(dump({"role": role, "content": [_text(text)]}))
    assert plain(whole) == plain(block) == [(role, role, text, True, None, None, None)]
    assert whole[0].field == "messages[].content"
    if text:
        assert block[0].field == "messages[].content[0].text"
    assert plain(API.system(body(system=text))) == plain(API.system(body(system=[_text(text)])))


_BLOCK = st.one_of(
    st.builds(_text, _TEXT),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "c2ln"}, _TEXT),
    st.builds(lambda text: {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": text}}, _TEXT),
    st.builds(lambda text: {"type": "tool_result", "tool_use_id": "t1", "content": text}, _TEXT),
    st.builds(
        lambda text: {"type": "tool_result", "tool_use_id": "t1", "content": [_text(text), _text("b")]}, _TEXT
    ),
)


@given(st.lists(_BLOCK, min_size=1, max_size=5), st.data())
def test_moving_cache_markers_changes_nothing_but_the_breakpoint(
    blocks: list[dict[str, Any]], data: st.DataObject
) -> None:
    marked = copy.deepcopy(blocks)
    ttls = [data.draw(st.sampled_from([None, "5m", "1h"])) for _ in blocks]
    for block, ttl in zip(marked, ttls, strict=True):
        if ttl:
            block["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    before = API.item(dump({"role": "user", "content": blocks}))
    after = API.item(dump({"role": "user", "content": marked}))
    assert [part._replace(breakpoint_s=0) for part in after] == before
    longest = max({None: 0, "5m": 300, "1h": 3600}[ttl] for ttl in ttls)
    assert max(part.breakpoint_s for part in after) == longest


def test_where_a_marker_lands() -> None:
    hour, default = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
    result = {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [_text("x"), _text("y")],
        "cache_control": hour,
    }
    parts = API.item(dump({"role": "user", "content": [result, _text("z", cache_control=default)]}))
    assert [(part.text, part.breakpoint_s) for part in parts] == [("x", 0), ("y", 3600), ("z", 300)]
    parts = API.item(
        dump({"role": "user", "content": [_text("q"), {"cachePoint": {"type": "default"}}, _text("r")]})
    )
    assert [(part.text, part.breakpoint_s) for part in parts] == [("q", 300), ("r", 0)]
    assert API.item(dump({"role": "user", "content": [_text("q", cache_control=None)]}))[0].breakpoint_s == 0
    empty = _text("", cache_control=hour)
    parts = API.item(dump({"role": "user", "content": [_text("q"), empty, _text("r")]}))
    assert [(part.text, part.breakpoint_s) for part in parts] == [("q", 3600), ("r", 0)]
    parts = API.item(dump({"role": "user", "content": [empty, _text("r"), _text("s")]}))
    assert [(part.text, part.breakpoint_s) for part in parts] == [("r", 3600), ("s", 0)]
    assert API.automatic_breakpoint_s(body(cache_control=hour)) == 3600
    assert API.automatic_breakpoint_s(body()) == API.automatic_breakpoint_s(body(cache_control=None)) == 0


def test_one_message_of_every_kind() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "QUJD" * 8},
        _text("hello"),
        {
            "type": "tool_use",
            "id": "t1",
            "name": "edit",
            "input": {"z": 1.0, "a": ["é"]},
            "caller": {"type": "x"},
        },
    ]
    parts = API.item(dump({"role": "assistant", "content": content, "id": "msg_1"}))
    assert [part.kind for part in parts] == ["thinking", "thinking", "assistant", "tool_call"]
    assert [part.starts for part in parts] == [True, False, False, False]
    assert {part.role for part in parts} == {"assistant"}
    assert parts[0].text == "hm"
    assert parts[0].opaque is None
    assert parts[1].opaque == sealed("QUJD" * 8)
    assert parts[1].opaque.size == 24
    assert parts[1].opaque.tokens == 6
    assert parts[3] == Part(
        "tool_call",
        "assistant",
        'edit\n{"z":1.0,"a":["é"]}',
        "messages[].content[3].input",
        False,
        "edit",
        "t1",
    )


def test_thinking_that_was_withheld_is_counted_by_its_signature() -> None:
    part = API.item(
        dump({"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "QUJD"}]})
    )[0]
    assert (part.kind, part.text) == ("thinking", "")
    assert part.opaque == sealed("QUJD")


def test_pictures_are_known_by_their_payload_and_counted_by_the_given_rule() -> None:
    asked = []

    def rule(provider: str, media_type: str, payload: str, size: int) -> int:
        asked.append((provider, media_type, payload, size))
        return 77

    data = base64.b64encode(b"not really a picture").decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://pictures.test/1.png"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [_text("see"), image]}
    parts = Anthropic(image_tokens=rule).item(dump({"role": "user", "content": [image, linked, result]}))
    assert [(part.kind, part.call_id) for part in parts] == [
        ("image", None),
        ("image", None),
        ("tool_result", "t"),
        ("image", "t"),
    ]
    assert parts[0].opaque == parts[3].opaque
    assert parts[0].opaque is not None
    assert parts[0].opaque.tokens == 77
    assert parts[0].opaque.size == 20
    assert parts[1].opaque != parts[0].opaque
    assert asked[0] == ("anthropic", "image/png", data, 20)
    assert asked[1] == ("anthropic", "image/*", "", 0)
    assert not any(part.text for part in parts if part.kind == "image")


def test_documents_searches_and_server_tools() -> None:
    content = [
        {
            "type": "document",
            "title": "T",
            "source": {"type": "text", "media_type": "text/plain", "data": "body"},
        },
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}},
        {"type": "search_result", "source": "s", "title": "t", "content": [_text("found")]},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": [{"type": "web_search_result", "url": "u", "title": "w", "encrypted_content": "QUJD"}],
        },
        {
            "type": "something_new",
            "id": "drop",
            "payload": {"id": "keep"},
            "cache_control": {"type": "ephemeral"},
        },
    ]
    parts = API.item(dump({"role": "user", "content": content}))
    assert [(part.kind, part.text) for part in parts] == [
        ("user", "T"),
        ("user", "body"),
        ("other", ""),
        ("user", "s"),
        ("user", "t"),
        ("user", "found"),
        ("tool_call", 'web_search\n{"query":"q"}'),
        ("tool_result", '{"type":"web_search_result","url":"u","title":"w"}'),
        ("tool_result", ""),
        ("other", '{"type":"something_new","payload":{"id":"keep"}}'),
    ]
    assert parts[8].opaque == sealed("QUJD")
    assert parts[8].call_id == "s1"
    assert parts[9].breakpoint_s == 300


@pytest.mark.parametrize("content", [None, "", [], [_text("")], [_text(""), _text("")]])
def test_a_message_without_text_still_has_its_frame(content: object) -> None:
    assert plain(API.item(dump({"role": "assistant", "content": content}))) == [
        ("assistant", "assistant", "", True, None, None, None)
    ]


@pytest.mark.parametrize("content", [None, "", [], [_text("")]])
def test_an_empty_tool_result_keeps_its_place(content: object) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": content}
    parts = API.item(dump({"role": "user", "content": [block, _text("next")]}))
    assert [(part.kind, part.call_id, part.text, part.starts) for part in parts] == [
        ("tool_result", "t", "", True),
        ("user", None, "next", False),
    ]


def test_tools_are_their_definition_without_transport_fields() -> None:
    schema = {
        "type": "object",
        "properties": {"strict": {"type": "string"}, "cache_control": {"type": "string"}},
    }
    tools = [
        {
            "name": "b",
            "input_schema": schema,
            "description": "d",
            "eager_input_streaming": True,
            "strict": True,
        },
        {
            "type": "custom",
            "name": "a",
            "input_schema": {},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
        {"name": "later", "input_schema": {}, "defer_loading": True},
    ]
    parts = API.tools(dump(tools))
    compact = json.dumps(schema, separators=(",", ":"))
    assert [part.text for part in parts] == [
        f'{{"name":"b","input_schema":{compact},"description":"d"}}',
        '{"name":"a","input_schema":{}}',
        '{"type":"web_search_20250305","name":"web_search","max_uses":5}',
        "",
    ]
    assert [part.name for part in parts] == ["b", "a", "web_search", "later"]
    assert [part.breakpoint_s for part in parts] == [0, 3600, 0, 0]
    assert not any(part.starts for part in parts)
    assert API.tools(dump(tools[::-1])) == parts[::-1]


def _stream(pieces: list[str], arguments: list[str]) -> bytes:
    return sse(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "model": "m",
                "content": [],
                "usage": {
                    "input_tokens": 9,
                    "cache_read_input_tokens": 5,
                    "cache_creation_input_tokens": 4,
                    "output_tokens": 1,
                },
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
            for piece in arguments
        ),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 33}},
        {"type": "message_stop"},
        names=True,
    )


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(edges)]


@given(_TEXT, st.dictionaries(_TEXT, _TEXT, max_size=3), st.lists(st.integers(0, 200), max_size=6))
def test_a_stream_cut_into_any_pieces_is_the_message_it_echoes(
    text: str, arguments: dict[str, str], cuts: list[int]
) -> None:
    reply = API.reply(_stream(_pieces(text, cuts), _pieces(json.dumps(arguments), cuts)))
    message = {
        "role": "assistant",
        "content": [_text(text), {"type": "tool_use", "id": "t", "name": "f", "input": arguments}],
    }
    assert reply.parts == API.item(dump(message))
    whole = {"id": "msg_1", "type": "message", "model": "m", **message}
    assert API.reply(dump(whole)).parts == reply.parts
    assert reply.complete
    assert (reply.response_id, reply.model) == ("msg_1", "m")
    assert reply.usage == Usage(9, 5, 4, None, 33, None, 18)


@given(st.integers(0, 2000))
def test_a_truncated_stream_never_claims_to_be_complete(cut: int) -> None:
    raw = _stream(["one ", "two"], ['{"a": ', '"b"}'])
    reply = API.reply(raw[:cut])
    assert reply.complete == (cut >= raw.index(b'"message_stop"}') + len(b'"message_stop"}'))
    if reply.parts and reply.parts[-1].kind == "tool_call":
        assert reply.parts[-1].text in ("f\n{}", 'f\n{"a": ', 'f\n{"a":"b"}')


def test_a_broken_event_does_not_lose_the_others() -> None:
    raw = _stream(["one ", "two"], ['{"a": 1}']).replace(b'"text": "one "}}', b'"text": "one "', 1)
    reply = API.reply(raw)
    assert [part.text for part in reply.parts] == ["two", 'f\n{"a":1}']
    assert not reply.complete


def test_a_call_without_arguments_is_an_empty_object() -> None:
    assert API.reply(_stream(["x"], [])).parts[-1].text == "f\n{}"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"type":"error","error":{"type":"overloaded_error"}}',
        b"<html>",
        b"\x00\x01",
        b'data: {"type":"error"}\n\n',
    ],
)
def test_an_error_is_an_empty_incomplete_reply(raw: bytes) -> None:
    reply = API.reply(raw)
    assert reply.parts == []
    assert not reply.complete


def test_withheld_thinking_in_a_stream_echoes() -> None:
    block = {"type": "thinking", "thinking": "", "signature": ""}
    signed = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "signature_delta", "signature": "QUJDRA=="},
    }
    raw = sse(
        {"type": "content_block_start", "index": 0, "content_block": block}, signed, {"type": "message_stop"}
    )
    echo = {"role": "assistant", "content": [{**block, "signature": "QUJDRA=="}]}
    assert API.reply(raw).parts == API.item(dump(echo))
    assert API.reply(raw).parts[0].opaque is not None


def test_converse_is_the_same_prompt_in_another_spelling() -> None:
    ours = [
        _text("hi"),
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        {"type": "tool_result", "tool_use_id": "t", "content": [_text("out")]},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
    ]
    theirs = [
        {"text": "hi"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "out"}], "status": "success"}},
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"image": {"format": "png", "source": {"bytes": "QUJD"}}},
        {"cachePoint": {"type": "default"}},
    ]
    found = API.item(dump({"role": "assistant", "content": theirs}))
    assert plain(found) == plain(API.item(dump({"role": "assistant", "content": ours})))
    assert found[-1].breakpoint_s == 300
    assert found[2].field == "messages[].content[2].toolResult.content[0].text"
    spec = {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}
    given_body = body(messages=[], toolConfig={"tools": [spec, {"cachePoint": {"type": "default"}}]})
    inner = API.unwrap(given_body)
    assert inner is not None
    tools = API.tools(bytes(inner.tools))
    assert [(tool.text, tool.breakpoint_s) for tool in tools] == [
        ('{"name":"f","description":"d","input_schema":{"type":"object"}}', 300)
    ]
    usage = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 0}
    reply = API.reply(dump({"output": {"message": {"role": "assistant", "content": theirs}}, "usage": usage}))
    assert reply.parts == found
    assert reply.usage == Usage(3, 7, 0, None, 2, None, 10)


@pytest.mark.parametrize(
    "raw", [b"[]", b'"x"', b'{"content": 5}', b'{"role": 1}', b'{"content": [{"type": "text", "text": 3}]}']
)
def test_a_message_of_another_shape_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody):
        API.item(raw)
