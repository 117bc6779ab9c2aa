"""Whatever a capture holds, what is printed is one calm line of a known width."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.report.untrusted import clean, cut, width

#: Everything, and the dangerous more often than chance would have it.
_HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.characters(codec=None),
        st.sampled_from(
            [
                "\x1b[2J",
                "\x1b]0;x\x07",
                "\x1b]8;;http://h\x1b\\",
                "\x9b31m",
                "\u202e",
                "\u200b",
                "\ud800",
                "漢",
                "e\u0301\u0301\u0301",
                "\r\n",
            ]
        ),
    ),
    max_size=40,
).map("".join)


@given(_HOSTILE, st.integers(0, 60), st.booleans(), st.booleans())
def test_nothing_dangerous_survives(text: str, limit: int, keep_end: bool, ascii_only: bool) -> None:
    out = clean(text, limit, keep_end, ascii_only)
    assert width(out) <= limit
    assert not {unicodedata.category(char) for char in out} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    if ascii_only:
        assert out.isascii()
    out.encode("utf-8")


@given(_HOSTILE, st.integers(4, 60))
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert clean(once, limit) == once


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("plain.har", "plain.har"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://h/\x1b\\link", "alink"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\x00b\nc\td", "a b c d"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("\ud800", "\ufffd"),
        ("e\u0301\u0301\u0301\u0301", "e\u0301\u0301"),
    ],
)
def test_examples(text: str, out: str) -> None:
    assert clean(text) == out


def test_cut_marks_the_side_it_cut() -> None:
    assert cut("abcdefgh", 5) == "abcd…"
    assert cut("abcdefgh", 5, keep_end=True) == "…efgh"
    assert cut("abcdefgh", 5, ascii_only=True) == "ab..."
    assert cut("abcde", 5) == "abcde"
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("abc", 0) == ""


def test_a_megabyte_is_cut_before_it_is_looked_at() -> None:
    assert clean("x" * 1_000_000, 20) == "x" * 19 + "…"
    assert clean("y" * 1_000_000 + "z", 5, keep_end=True) == "…yyyz"


def test_wide_and_combining_characters() -> None:
    assert width("漢e\u0301") == 3
