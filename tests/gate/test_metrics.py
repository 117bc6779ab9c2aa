"""Figures of the gate are exact, and their texts never hide a failure."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.gate.metrics import METRICS, median_of, parse_value, shown
from tests.report.builders import session, wasteful

SHARES = st.fractions(0, 1, max_denominator=10**7)


def test_figures_are_those_of_the_totals() -> None:
    result = wasteful()
    totals = result.totals
    assert METRICS["hit-rate"].value(result) == Fraction(totals.hit_tokens, totals.prompt_tokens)
    assert METRICS["computed-tokens"].value(result) == totals.prefilled_tokens
    assert METRICS["prompt-tokens"].value(result) == totals.prompt_tokens
    assert METRICS["amplification"].value(result) == Fraction(totals.prefilled_tokens, totals.fresh_tokens)
    wasted = sum(bucket.computed_tokens for bucket in result.buckets.values())
    assert METRICS["waste"].value(result) == Fraction(wasted, totals.prefilled_tokens)
    assert METRICS["breaks"].value(result) == sum(row.break_ is not None for row in result.requests)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.of is not None])
def test_sessions_hold_all_requests(name: str) -> None:
    result = session()
    found = METRICS[name].by_session(result)
    assert set(found) == {row.session_id for row in result.requests}
    if len(found) == 1:
        assert list(found.values()) == [METRICS[name].value(result)]


@given(SHARES, SHARES)
@pytest.mark.parametrize("name", ["hit-rate", "waste"])
def test_different_numbers_read_differently(name: str, one: Fraction, other: Fraction) -> None:
    metric = METRICS[name]
    if abs(one - other) > Fraction(1, 10**11) or one == other:
        assert (shown(metric, one, other) == shown(metric, other, one)) == (one == other)


@given(SHARES)
def test_nothing_short_of_all_reads_all(value: Fraction) -> None:
    assert (shown(METRICS["hit-rate"], value) == "100 %") == (value == 1)
    assert (shown(METRICS["waste"], value) == "0 %") == (value == 0)


def test_texts() -> None:
    assert shown(METRICS["hit-rate"], Fraction(99999, 100000), Fraction(1)) == "99.9 %"
    assert shown(METRICS["hit-rate"], Fraction(7999999, 10**7), Fraction(8, 10)) == "79.9 %"
    assert shown(METRICS["computed-tokens"], Fraction(1234567)) == "1,234,567"
    assert shown(METRICS["amplification"], Fraction(3, 2)) == "1.5x"
    assert shown(METRICS["cost"], Fraction("0.0495")) == "0.0495 USD"
    assert shown(METRICS["breaks"], None) == "-"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hit-rate", "80%", Fraction(4, 5)),
        ("hit-rate", "0.8", Fraction(4, 5)),
        ("hit-rate", "100 %", Fraction(1)),
        ("waste", "12.5%", Fraction(1, 8)),
        ("computed-tokens", "2M", Fraction(2_000_000)),
        ("computed-tokens", "2_000_000", Fraction(2_000_000)),
        ("computed-tokens", "1.5k", Fraction(1500)),
        ("amplification", "1.5", Fraction(3, 2)),
        ("amplification", "1.5x", Fraction(3, 2)),
        ("cost", "3usd", Fraction(3)),
        ("cost", "$0.25", Fraction(1, 4)),
        ("breaks", "0", Fraction(0)),
    ],
)
def test_amounts(name: str, text: str, value: Fraction) -> None:
    assert parse_value(METRICS[name], text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hit-rate", "80"),
        ("hit-rate", "2pp"),
        ("hit-rate", "120%"),
        ("hit-rate", "-1%"),
        ("hit-rate", "nan"),
        ("computed-tokens", "80%"),
        ("breaks", "1k"),
        ("cost", "3eur"),
        ("cost", ""),
    ],
)
def test_amounts_that_are_none(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        parse_value(METRICS[name], text)


@given(st.lists(SHARES, min_size=1, max_size=9))
def test_half_of_the_runs_are_on_either_side_of_the_median(values: list[Fraction]) -> None:
    middle = median_of(values)
    assert middle is not None
    assert sum(value <= middle for value in values) * 2 >= len(values)
    assert sum(value >= middle for value in values) * 2 >= len(values)
    assert median_of([*values, None]) is None
