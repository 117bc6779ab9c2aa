"""Canonical JSON text and one-level reading."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects.base import BadBody
from cachelens.ingest.dialects.values import compact_json, fields, items, mend_surrogates, object_of, text

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=15,
)


@given(_JSON, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_compact_json_is_what_the_standard_library_writes(
    value: object, indent: object, ascii_only: bool
) -> None:
    spelled = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    expected = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert compact_json(spelled) == expected
    assert compact_json(expected.encode()) == expected


@given(
    st.dictionaries(_TEXT, _JSON, max_size=5),
    st.sets(st.sampled_from(["a", "cache_control"])),
    st.integers(1, 3),
)
def test_dropping_keys_equals_dropping_them_from_the_object(
    value: dict[str, object], drop: set[str], depth: int
) -> None:
    def without(part: object, left: int) -> object:
        if isinstance(part, list):
            return [without(item, left) for item in part]
        if isinstance(part, dict) and left:
            return {key: without(item, left - 1) for key, item in part.items() if key not in drop}
        return part

    value = {**value, "cache_control": 1, "b": {"a": [{"a": 1, "c": {"cache_control": 2}}]}}
    expected = json.dumps(without(value, depth), separators=(",", ":"), ensure_ascii=False)
    assert compact_json(json.dumps(value).encode(), frozenset(drop), depth) == expected


@pytest.mark.parametrize("number", ["1.0", "1e5", "-0", "1E+2", "123456789012345678901234567890", "0.10"])
def test_numbers_keep_their_spelling(number: str) -> None:
    assert compact_json(f' {{ "n" : [ {number} ] }} '.encode()) == f'{{"n":[{number}]}}'


def test_key_order_stays_and_escapes_are_normalised() -> None:
    assert (
        compact_json(rb'{"b": "\u00e9\/\u0041", "a": "\n\u001f\u007f"}') == '{"b":"é/A","a":"\\n\\u001f\x7f"}'
    )


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1}x', b'"\xff"', b"[1 2]", b'{"a":01}'])
def test_what_is_no_json_value_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody, match="bad-json"):
        compact_json(raw)


def test_deep_nesting_is_a_reason_not_a_crash() -> None:
    for deep in (b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
        for read in (compact_json, items if deep[:1] == b"[" else fields):
            with pytest.raises(BadBody, match="too-deep"):
                read(deep)


def test_half_a_surrogate_pair_reads_as_the_replacement_character() -> None:
    assert text(rb'"cut \ud83d"') == "cut \ufffd"
    assert text(rb'"whole \ud83d\ude00 and \\ud83d"') == "whole 😀 and \\ud83d"
    assert compact_json(rb'{"a": "\udc00\ud83d\ude00"}') == '{"a":"\ufffd😀"}'
    assert mend_surrogates(rb'"\\ud83d"') == rb'"\\ud83d"'


@given(st.dictionaries(_TEXT, _JSON, max_size=5))
def test_fields_put_together_again_are_the_object(value: dict[str, object]) -> None:
    assert json.loads(object_of(fields(json.dumps(value).encode()))) == value


@pytest.mark.parametrize("raw", [b"5", b"{}", b"[]", b"true"])
def test_a_text_of_another_type_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        text(raw)
    assert caught.value.reason == "unexpected-shape"
