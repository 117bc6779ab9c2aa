"""Gemini: contents, tools, replies in their three containers."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from dialect_bodies import body, dump, plain, sse
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects.base import BadBody, Body, Part, Usage
from cachelens.ingest.dialects.gemini import Gemini

API = Gemini()
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(_TEXT)
def test_system_as_string_or_parts(text: str) -> None:
    expected = [("system", "system", text, True, None, None, None)]
    assert plain(API.system(body(systemInstruction=text))) == expected
    assert plain(API.system(body(systemInstruction={"role": "user", "parts": [{"text": text}]}))) == expected
    assert plain(API.system(body(system_instruction={"parts": {"text": text}}))) == expected
    assert API.system(body()) == []


@pytest.mark.parametrize("snake", [False, True])
def test_parts_of_every_kind_in_both_spellings(snake: bool) -> None:
    def key(name: str) -> str:
        return (
            "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
            if snake
            else name
        )

    parts = [
        {"text": "why", "thought": True, key("thoughtSignature"): "sig"},
        {"text": "hello"},
        {
            key("functionCall"): {"id": "c1", "name": "f", "args": {"b": 1.0, "a": "é"}},
            key("thoughtSignature"): "s",
        },
        {key("functionResponse"): {"id": "c1", "name": "f", "response": {"output": "x"}}},
        {key("inlineData"): {key("mimeType"): "image/png", "data": "QUJD"}},
        {key("fileData"): {key("mimeType"): "application/pdf", key("fileUri"): "gs://b/o"}},
        {key("executableCode"): {"language": "PYTHON", "code": "1"}},
        {key("codeExecutionResult"): {"outcome": "OUTCOME_OK", "output": "1"}},
        {key("thoughtSignature"): "alone"},
        {"novel": {"a": 1}},
    ]
    asked = []
    api = Gemini(image_tokens=lambda *given: asked.append(given) or 258)  # type: ignore[func-returns-value]
    found = api.item(dump({"role": "model", "parts": parts}))
    assert [(part.kind, part.text, part.name, part.call_id) for part in found] == [
        ("thinking", "why", None, None),
        ("assistant", "hello", None, None),
        ("tool_call", 'f\n{"b":1.0,"a":"é"}', "f", "c1"),
        ("tool_result", '{"output":"x"}', "f", "c1"),
        ("image", "", None, None),
        ("other", "", None, None),
        ("tool_call", 'code_execution\n{"language":"PYTHON","code":"1"}', "code_execution", None),
        ("tool_result", "1", "code_execution", None),
        ("other", '{"novel":{"a":1}}', None, None),
    ]
    assert [part.starts for part in found] == [True] + [False] * 8
    assert asked == [("gemini", "image/png", "QUJD", 3), ("gemini", "application/pdf", "", 0)]
    assert found[2].field == f"contents[].parts[2].{key('functionCall')}.args"


def test_a_content_without_text_still_has_its_frame() -> None:
    for parts in ([], [{"text": ""}], None):
        assert plain(API.item(dump({"parts": parts}))) == [("user", "user", "", True, None, None, None)]


def test_one_part_a_declaration() -> None:
    tools = [
        {"functionDeclarations": [{"name": "a", "parameters": {"x": 1}}, {"description": "d", "name": "b"}]},
        {"googleSearch": {}},
    ]
    assert API.tools(dump(tools)) == [
        Part(
            "tools",
            "system",
            '{"name":"a","parameters":{"x":1}}',
            "tools[0].functionDeclarations[0]",
            name="a",
        ),
        Part(
            "tools", "system", '{"description":"d","name":"b"}', "tools[0].functionDeclarations[1]", name="b"
        ),
        Part("tools", "system", '{"googleSearch":{}}', "tools[1].googleSearch", name="googleSearch"),
    ]


def test_the_envelope_of_code_assist() -> None:
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    wrapped = body(
        model="gemini-x", project="p", request={"contents": contents, "systemInstruction": {"parts": []}}
    )
    inner = API.unwrap(wrapped)
    assert inner is not None
    assert msgspec.json.decode(inner.contents) == contents
    assert bytes(inner.model) == b'"gemini-x"'
    assert (
        API.claim("https://cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse", inner) == 1
    )
    assert API.unwrap(body(contents=contents)) is None
    assert API.unwrap(body(request={"other": 1})) is None
    chunk = {
        "response": {
            "responseId": "r",
            "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        }
    }
    assert API.reply(sse(chunk)).parts[0].text == "x"
    assert API.reply(sse(chunk)).complete
    assert isinstance(inner, Body)


def _chunks(pieces: list[str], args: dict[str, str]) -> list[dict[str, Any]]:
    def chunk(parts: list[dict[str, Any]], output: int, **more: str) -> dict[str, Any]:
        usage = {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": output,
            "thoughtsTokenCount": 2,
        }
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
        return {"responseId": "r", "modelVersion": "m", "candidates": [candidate], "usageMetadata": usage}

    call = {"functionCall": {"name": "f", "args": args}, "thoughtSignature": "s"}
    texts = [chunk([{"text": piece}], 1) for piece in pieces]
    return [chunk([{"text": "why", "thought": True}], 1), *texts, chunk([call], 5, finishReason="STOP")]


@given(
    _TEXT.filter(bool), st.dictionaries(_TEXT, _TEXT, max_size=3), st.lists(st.integers(0, 99), max_size=5)
)
def test_chunks_in_any_container_are_the_content_they_echo(
    text: str, args: dict[str, str], cuts: list[int]
) -> None:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    chunks = _chunks([text[start:end] for start, end in pairwise(edges)], args)
    call = {"functionCall": {"name": "f", "args": args}}
    echo = API.item(
        dump({"role": "model", "parts": [{"text": "why", "thought": True}, {"text": text}, call]})
    )
    for raw in (sse(*chunks), dump(chunks), json.dumps(chunks, indent=1).encode()):
        reply = API.reply(raw)
        assert reply.parts == echo
        assert reply.complete
        assert reply.usage == Usage(6, 4, None, None, 7, None, 10)
        assert (reply.response_id, reply.model) == ("r", "m")


@given(st.integers(0, 1500), st.sampled_from([dump, lambda chunks: sse(*chunks)]))
def test_a_cut_response_keeps_the_whole_chunks(cut: int, spell: Any) -> None:
    raw = spell(_chunks(["one [", '{"two'], {"a": '}"]'}))
    reply = API.reply(raw[:cut])
    texts = ["why", 'one [{"two', 'f\n{"a":"}\\"]"}']
    for part, text in zip(reply.parts, texts, strict=False):
        assert text.startswith(part.text)
    assert reply.complete <= (len(reply.parts) == 3)
    if spell is dump and cut < len(raw):
        assert not reply.complete


def test_errors() -> None:
    for raw in (
        b'{"error":{"code":429}}',
        b'[{"error":{"code":429}}]',
        b"",
        b"<html>",
        b'{"promptFeedback":{}}',
    ):
        assert (API.reply(raw).parts, API.reply(raw).complete) == ([], False)
    for raw in (b"[]", b'{"parts": [5]}', b'{"parts": [{"functionCall": {"name": 4}}]}'[:-4] + b"[1]}}]}"):
        with pytest.raises(BadBody):
            API.item(raw)
