"""Whether two texts say the same in other bytes."""

from __future__ import annotations

import pytest

from cachelens.attribute.spelling import respelling


@pytest.mark.parametrize(
    ("then", "now", "what"),
    [
        ("a b\n", "a  b", "white space"),
        ("caf\u00e9", "cafe\u0301", "Unicode form"),
        ('f\n{"a": 1, "b": 2}', 'f\n{"b": 2, "a": 1}', "key order"),
        ('f\n{"a": "\\u00e9"}', 'f\n{"a": "é"}', "JSON spelling"),
        ('{"a": 0}', '"{\\"a\\": 0}"', "JSON in a string"),
        ('{"a": 0}', '{"a": false}', None),
        ('{"a": 1}', '{"a": 1.0}', None),
        ('{"a": 0, "b": 1}', '{"b": 1, "a": false}', None),
        ('f\n{"a": 1}', 'g\n{"a": 1}', None),
        ("same", "same", None),
        ("one", "two", None),
        ("[" * 5000, "[" * 5001, None),
    ],
)
def test_respellings(then: str, now: str, what: str | None) -> None:
    assert respelling(then, now) == what
