"""Sizes of caches: read from text, and turned into tokens."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.capacity import (
    LARGEST,
    Capacity,
    Kind,
    Size,
    parse_bytes,
    parse_size,
    parse_sizes,
    resolve,
)
from cachelens.simulate.models.shapes import find_shape

QWEN = find_shape("qwen3-32b")


def test_kinds() -> None:
    assert parse_sizes("200k, 10%,0.25,8GiB,AUTO,inf,inf") == (
        Size(Kind.TOKENS, Fraction(200_000), "200k"),
        Size(Kind.SHARE, Fraction(1, 10), "10%"),
        Size(Kind.SHARE, Fraction(1, 4), "0.25"),
        Size(Kind.BYTES, Fraction(2**33), "8GiB"),
        Size(Kind.AUTO, Fraction(0), "auto"),
        Size(Kind.INFINITE, Fraction(0), "inf"),
    )


def test_gib_is_not_gb() -> None:
    units = {
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
        "tib": 2**40,
        "kb": 10**3,
        "mb": 10**6,
        "gb": 10**9,
        "tb": 10**12,
    }
    for unit, size in units.items():
        for text in (f"1{unit}", f"1 {unit.upper()}", f"1_0.0{unit}"):
            assert parse_bytes(text) == size * (10 if "_" in text else 1)
    assert parse_bytes("1.5TiB") == 3 * 2**39
    assert parse_bytes("0.3kib") == 307
    for text in ("200k", "8", "8g", "gib", "10%", "auto", "8  gib", "8gibs"):
        assert parse_bytes(text) is None


def test_tokens() -> None:
    assert resolve(["200k", "1.5m", "10%", "0.25", "inf"], 1000) == [
        Capacity("200k", 200_000),
        Capacity("1.5m", 1_500_000),
        Capacity("10%", 100),
        Capacity("0.25", 250),
        Capacity("inf", None),
    ]
    assert resolve(["7%"], 100) == [Capacity("7%", 7)]
    assert resolve(["1%"], 100, page=16) == [Capacity("1%", 16)]
    assert resolve(["100", "10%", "0.1k"], 1000) == [Capacity("100", 100)]
    assert resolve(parse_sizes("10%,inf"), 1000) == [Capacity("10%", 100), Capacity("inf", None)]


def test_bytes() -> None:
    assert resolve(["8gib", "8GB"], 1000, shape=QWEN) == [Capacity("8gib", 32_768), Capacity("8GB", 30_517)]
    assert resolve(["8gib"], 1000, shape=QWEN, kv_dtype="fp8") == [Capacity("8gib", 65_536)]
    assert resolve(["8gib"], 1000, shape=QWEN, tp=16) == [Capacity("8gib", 16_384)]
    with pytest.raises(UsageError, match="a capacity in bytes needs --model"):
        resolve(["8gib"], 1000)
    with pytest.raises(UsageError, match="'1mib' is less than one page of 16 tokens"):
        resolve(["1mib"], 1000, page=16, shape=QWEN)
    with pytest.raises(UsageError, match="less than one page of 1 tokens"):
        resolve(["1kb"], 1000, shape=QWEN)
    with pytest.raises(UsageError, match="too large"):
        resolve([f"{10**20}tib"], 1000, shape=QWEN)


def test_auto_is_evenly_spaced_up_to_the_working_set() -> None:
    assert resolve(["auto"], 1_000_000) == [
        Capacity("1%", 10_000),
        Capacity("2.15%", 21_544),
        Capacity("4.64%", 46_415),
        Capacity("10%", 100_000),
        Capacity("21.5%", 215_443),
        Capacity("46.4%", 464_159),
        Capacity("100%", 1_000_000),
    ]
    assert resolve(["auto"], 0, page=16) == [Capacity("1%", 16)]
    assert [size.tokens for size in resolve(["auto"], 1000, page=64)] == [64, 100, 215, 464, 1000]


@pytest.mark.parametrize(
    "text",
    ["0", "0gib", "0.0%", "-1", "3x", "120%", "", ",", "1.5", "999999999999m", "nan", "1e3", "8 k", "8g", "8b",
     "8kbib", "1__0", "_1gib", "٣", "9" * 400, "9" * 5000, "1,2"],
)  # fmt: skip
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert caught.value.hint
    assert len(caught.value.message) < 120


def test_below_one_page() -> None:
    with pytest.raises(UsageError, match="less than one page of 64 tokens"):
        resolve(["63"], 1000, page=64)


@given(st.text(max_size=14), st.integers(0, 10**12), st.integers(1, 1024))
def test_no_text_is_a_bug(text: str, working_set: int, page: int) -> None:
    try:
        found = resolve(parse_sizes(text), working_set, page, QWEN)
    except UsageError:
        return
    for size in found:
        assert size.tokens is None or page <= size.tokens <= LARGEST


@given(st.integers(1, 10**9), st.sampled_from(["kib", "mib", "gib", "kb", "mb", "gb"]))
def test_bytes_are_floored_to_whole_tokens(number: int, unit: str) -> None:
    amount = parse_bytes(f"{number}{unit}")
    assert amount is not None
    try:
        (found,) = resolve([f"{number}{unit}"], 1, shape=QWEN)
    except UsageError:
        assert amount < 262_144 or amount // 262_144 > LARGEST
        return
    assert found.tokens is not None
    assert found.tokens * 262_144 <= amount < (found.tokens + 1) * 262_144
