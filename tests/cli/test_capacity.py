"""Cache sizes as people write them, and as they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.cli.capacity import LARGEST, parse_capacities, parse_tokens
from cachelens.errors import UsageError


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("200k", 200_000),
        ("8m", 8_000_000),
        ("8M", 8_000_000),
        ("1.5m", 1_500_000),
        (".5k", 500),
        ("131_072", 131_072),
        (" 7 ", 7),
        ("1", 1),
        ("inf", None),
        ("INF", None),
    ],
)
def test_tokens(text: str, tokens: int | None) -> None:
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize(
    "text",
    ["", "0", "0k", "0.0", "-5", "-inf", "nan", "1.5", "1.0005k", "8gib", "8 m", "1__0", "_1", "1e6", "0x10",
     "infinity", "k", "٣", "1,2", "0.5", "10%", str(LARGEST + 1), "9" * 400],
)  # fmt: skip
def test_not_tokens(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tokens(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("200k,0.1,10%,inf", (200_000, 0.1, 1.0)),
        ("100%", (1.0,)),
        ("1", (1,)),
        ("5%, 8m", (0.05, 8_000_000)),
    ],
)
def test_sizes(text: str, sizes: tuple[int | float, ...]) -> None:
    assert parse_capacities(text) == sizes
    assert [type(size) for size in parse_capacities(text)] == [type(size) for size in sizes]


@pytest.mark.parametrize("text", ["", ",", "200k,", "0%", "101%", "200%", "1.5", "a", "0", "-0.1"])
def test_not_sizes(text: str) -> None:
    with pytest.raises(UsageError):
        parse_capacities(text)


def test_auto_is_seven_shares() -> None:
    assert parse_capacities("auto,10%") == (0.01, 0.0215443, 0.0464159, 0.1, 0.215443, 0.464159, 1.0)
    with pytest.raises(UsageError, match="'auto' is several sizes"):
        parse_tokens("auto")


@pytest.mark.parametrize("text", ["8gib", "640GB", "2 TiB", "200k,8gib"])
def test_bytes_need_a_model(text: str) -> None:
    with pytest.raises(UsageError, match="a capacity in bytes needs --model"):
        parse_capacities(text)


def test_below_one_page() -> None:
    assert parse_tokens("16", page_size=16) == 16
    assert parse_tokens("inf", page_size=16) is None
    assert parse_capacities("0.5", page_size=16) == (0.5,)
    for parse in (parse_tokens, parse_capacities):
        with pytest.raises(UsageError, match="less than one page of 16 tokens"):
            parse("15", page_size=16)


@given(st.integers(1, LARGEST))
def test_every_number_of_tokens_comes_back(tokens: int) -> None:
    assert parse_tokens(str(tokens)) == parse_tokens(f"{tokens:_}") == tokens


@given(st.text(max_size=12))
def test_no_text_is_a_bug(text: str) -> None:
    """Whatever is typed is either a size or a usage error, and a size is never nothing."""
    for parse in (parse_tokens, parse_capacities):
        try:
            parsed = parse(text)
        except UsageError:
            continue
        sizes = parsed if isinstance(parsed, tuple) else (parsed,)
        assert all(size is None or size > 0 for size in sizes)
