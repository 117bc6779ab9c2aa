"""Numbers for people must stay true: bounds where rounding would lie, and the right magnitude."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.report import units

_SCALE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def _value(text: str) -> Fraction:
    number, _, unit = text.partition(" ")
    return Fraction(number.replace(",", "")) * _SCALE[unit]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (9_995, "10.0 k"),
        (82_449, "82.4 k"),
        (82_450, "82.5 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (6_100_000, "6.10 M"),
        (999_999_999_999, "1.00 T"),
        (12_345 * 10**12, "12,345 T"),
        (-1500, "-1.50 k"),
    ],
)
def test_count(number: int, text: str) -> None:
    assert units.count(number).replace("12345", "12,345") == text


@given(st.integers(0, 10**15))
def test_count_is_within_half_a_percent(number: int) -> None:
    assert abs(_value(units.count(number)) - number) <= Fraction(number, 199)


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_count_never_turns_an_order_around(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert _value(units.count(low)) <= _value(units.count(high))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (200_000, "200 k"),
        (1_500_000, "1.5 M"),
        (1_000, "1 k"),
        (8_388_608, "8.39 M"),
        (131_072, "131 k"),
        (7, "7"),
    ],
)
def test_size(number: int, text: str) -> None:
    assert units.size(number) == text


@given(st.integers(1, 10**12))
def test_size_without_loss_or_as_count(number: int) -> None:
    assert _value(units.size(number)) == number or units.size(number) == units.count(number)


@given(st.integers(0, 10**13), st.integers(1, 10**13))
def test_share_claims_all_or_nothing_only_when_exact(part: int, whole: int) -> None:
    part = min(part, whole)
    text = units.share(part, whole)
    assert (text == "100 %") == (part == whole)
    assert (text == "0 %") == (part == 0)
    if re.fullmatch(r"\d+\.\d %", text):
        assert abs(Fraction(text[:-2]) / 100 - Fraction(part, whole)) <= Fraction(1, 2000)
        assert text not in ("0.0 %", "100.0 %")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.9996, ">99.9 %"), (0.9994, "99.9 %"), (0.0004, "<0.1 %"), (0.415, "41.5 %"), (1.5, "150.0 %")],
)
def test_percent(ratio: float, text: str) -> None:
    assert units.percent(ratio) == text


def test_share_of_nothing_is_a_dash() -> None:
    assert units.share(0, 0) == "-"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (44, 10, "4.40x"),
        (10, 10, "1x"),
        (10_001, 10_000, ">1.00x"),
        (9_999, 10_000, "<1.00x"),
        (1, 10_000, "<0.01x"),
        (5, 10, "0.50x"),
        (123_456, 100, "1235x"),
        (1, 0, "-"),
    ],
)
def test_factor(part: int, whole: int, text: str) -> None:
    assert units.factor(part, whole) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (Fraction(6, 1000), "0.6 pp"),
        (Fraction(-6, 1000), "0.6 pp"),
        (Fraction(1, 10**5), "<0.1 pp"),
        (Fraction(0), "0.0 pp"),
    ],
)
def test_points(difference: Fraction, text: str) -> None:
    assert units.points(difference) == text


def test_plural() -> None:
    assert [units.plural(n, "request") for n in (0, 1, 12_040)] == [
        "0 requests",
        "1 request",
        "12,040 requests",
    ]


def test_negative_amounts_and_no_decimals() -> None:
    assert units.money(-0.25) == "-0.2500"
    assert units.money(-0.00001) == "-<0.0001"
    assert units.percent(Fraction(-5, 8)) == "-62.5 %"
    assert units.share(25, 35, 0) == "71 %"
    assert units.share(999, 1000, 0) == ">99 %"
