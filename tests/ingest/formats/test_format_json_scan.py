"""Finding the ends of JSON values, against the standard library's parser."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.json_scan import EndScanner, JsonStream, first_records, quick_end, visible_keys

texts = st.text(st.sampled_from('ab"\\{}[]:,é😀\n\u2028'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
containers = st.lists(values, max_size=5) | st.dictionaries(texts, values, max_size=5) | texts
indents = st.sampled_from([None, 1])


@given(containers, indents, st.booleans(), st.binary(max_size=8), st.lists(st.integers(0, 200), max_size=4))
def test_end_is_found_whole_and_in_pieces(
    value: Any, indent: int | None, ascii_only: bool, after: bytes, cuts: list[int]
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    data = text + b" ," + after
    assert EndScanner().feed(data, 0) == len(text)
    assert quick_end(data, 0) in (-1, len(text), len(text) + 1)
    assert data[: quick_end(text + b",", 0)] == text
    scanner, start = EndScanner(), 0
    for cut in sorted({cut for cut in cuts if cut < len(text)}):
        assert scanner.feed(data[:cut], start) == -1
        start = cut
    assert scanner.feed(data, start) == len(text)


@given(containers, st.integers(0, 400))
def test_a_value_that_is_cut_off_has_no_end(value: Any, cut: int) -> None:
    text = json.dumps(value).encode()
    if cut < len(text):
        assert EndScanner().feed(text[:cut], 0) == -1
        assert quick_end(text[:cut], 0) == -1


@given(st.dictionaries(texts, values, max_size=5), indents, st.integers(0, 500))
def test_visible_keys_of_a_cut_document(value: dict[str, Any], indent: int | None, cut: int) -> None:
    text = json.dumps(value, indent=indent)
    raw = {json.dumps(key)[1:-1]: json.dumps(item, indent=indent) for key, item in value.items()}
    seen = visible_keys(b"\xef\xbb\xbf" + text.encode()[:cut])
    assert list(seen) == list(raw)[: len(seen)]
    for number, (key, item) in enumerate(seen.items()):
        if number < len(seen) - 1:
            assert json.loads(item) == value[list(value)[number]]
        elif indent is None:
            assert raw[key].encode().startswith(item)
    if cut >= len(text):
        assert len(seen) == len(raw)


@given(values, st.integers(1, 40), indents)
def test_stream_walks_documents_of_any_size(inner: Any, chunk: int, indent: int | None) -> None:
    document = {"a": inner, "log": {"list": [inner, [inner], {"x": inner}, 1, "y"], "empty": [], "none": {}}}
    data = json.dumps(document, indent=indent).encode()
    stream = JsonStream(io.BytesIO(data), chunk=chunk)
    got: list[Any] = []
    keys = []
    for key in stream.members():
        keys.append(key)
        if key == "a":
            got.append(json.loads(stream.value() or b""))
            continue
        for name in stream.members():
            keys.append(name)
            if name == "none":
                assert list(stream.members()) == []
            else:
                got.extend(json.loads(stream.value() or b"") for _ in stream.elements())
    assert keys == ["a", "log", "list", "empty", "none"]
    assert got == [inner, *document["log"]["list"]]
    assert stream.peek() == b""


@given(values, st.integers(1, 40), st.integers(0, 200))
def test_stream_says_where_a_document_breaks_off(inner: Any, chunk: int, cut: int) -> None:
    data = json.dumps({"list": [inner, inner]}).encode()[:cut]
    whole = json.dumps({"list": [inner, inner]}).encode()
    stream = JsonStream(io.BytesIO(data), chunk=chunk)
    if len(data) == len(whole):
        return
    with pytest.raises(RecordError) as caught:
        _walk(stream, lists=True)
    assert caught.value.reason == "truncated-file"


@given(st.integers(1, 40), st.lists(texts, min_size=1, max_size=4))
def test_values_over_the_limit_are_passed_over(chunk: int, others: list[str]) -> None:
    big = {"x": ['"\\' * 300, {"}": "{"}]}
    data = json.dumps([*others, big, *others]).encode()
    stream = JsonStream(io.BytesIO(data), limit=200, chunk=chunk)
    got = [stream.value() for _ in stream.elements()]
    assert got == [*(json.dumps(other).encode() for other in others), None, *got[len(others) + 1 :]]
    assert [json.loads(item or b"") for item in got[len(others) + 1 :]] == others


@pytest.mark.parametrize("text", [b"nonsense", b"{1:2}", b'{"a" 1}', b'{"a":}', b'{"a":1 "b":2}'])
def test_stream_refuses_what_is_no_json(text: bytes) -> None:
    stream = JsonStream(io.BytesIO(text))
    with pytest.raises(RecordError) as caught:
        _walk(stream, lists=False)
    assert caught.value.reason == "bad-json"


def test_claims_look_past_damaged_lines() -> None:
    assert first_records(b'broken\n\n{"a": 1, "b": [1\n{"c": "d') == ({"a": b"1", "b": b"[1"}, {"c": b'"d'})


def _walk(stream: JsonStream, lists: bool) -> None:
    for _ in stream.members():
        for _ in stream.elements() if lists else [None]:
            stream.value()
