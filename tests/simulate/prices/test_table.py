"""The table of prices: what vendors list, found by every name a capture uses and by no other; exact sums."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.prices.table import PRICES, Price, amount, find_prices, price_of

RAW = Path(__file__).parents[4] / "shared" / "prices_raw.tsv"
ROWS = [row for name in PRICES for row in find_prices(name)]

#: input / cached read / write 5m / write 1h / output, as listed on 2026-11-24; `=` is the price of input.
LISTED = """
claude-opus-5-5 4 0.20 5 8 20
claude-opus-5 5 0.50 6.25 10 25
claude-opus-4-5 5 0.50 6.25 10 25
claude-sonnet-5-5 2 0.10 2.5 4 10
claude-sonnet-5 2 0.20 2.5 4 10
claude-sonnet-4-6 3 0.30 3.75 6 15
claude-haiku-4-5 1 0.10 1.25 2 5
claude-fable-5-1 10 0.25 12.5 20 50
claude-mythos-5-1 10 0.25 12.5 20 50
gpt-5.6 4 0.40 5 - 20
gpt-5.6-sol 4 0.40 5 - 20
gpt-5.6-terra 2 0.2 2.5 - 12
gpt-5.6-luna 0.2 0.02 0.25 - 1.2
gpt-5.5 5 0.50 = - 30
gpt-5.4 2.5 0.25 = - 15
gpt-5 1.25 0.125 = - 10
gpt-4.1 2 0.5 = - 8
gpt-4o 2.5 1.25 = - 10
gemini-3.1-pro 2 0.20 - - 12
gemini-3.8-flash 0.75 0.075 - - 3.75
gemini-2.5-pro 1.25 0.125 - - 10
deepseek-flash 0.15 0.003 = - 0.6
deepseek-v4-pro 0.66 0.022 = - 1.98
kimi-k3 3 0.3 3 6 15
kimi-k3.1-pro 2 0.2 2 4 10
grok-4.7 2 0.5 = - 6
amazon.nova-2-lite-v1:0 0.3 0.075 - - 2.5
amazon.nova-pro-v1:0 0.8 0.2 - - 3.2
qwen3-max 1.2 - - - 6
"""


@pytest.mark.parametrize("line", LISTED.split("\n")[1:-1])
def test_listed_prices(line: str) -> None:
    model, *listed = line.split()
    price = price_of(model, 1000)
    assert price is not None
    expected = [None if text == "-" else Decimal(listed[0] if text == "=" else text) for text in listed]
    assert [price.input, price.cache_read, price.write_5m, price.write_1h, price.output] == expected


@pytest.mark.parametrize(
    ("model", "above", "first", "then"),
    [
        ("gemini-3.1-pro", 200_000, ("2", "0.2", "12"), ("4", "0.4", "18")),
        ("gemini-2.5-pro", 200_000, ("1.25", "0.125", "10"), ("2.5", "0.25", "15")),
        ("grok-4.7", 200_000, ("2", "0.5", "6"), ("4", "1", "12")),
        ("gpt-5.6", 272_000, ("4", "0.4", "20"), ("8", "0.8", "30")),
        ("gpt-5.5", 272_000, ("5", "0.5", "30"), ("10", "1", "45")),
        ("claude-haiku-5-5", 100_000, ("0.1", "0.01", "0.5"), ("0.5", "0.05", "2.5")),
    ],
)
def test_long_prompts_cost_more(
    model: str, above: int, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    for tokens, listed in ((0, first), (above, first), (above + 1, then), (10**9, then)):
        price = price_of(model, tokens)
        assert price is not None
        assert (price.input, price.cache_read, price.output) == tuple(map(Decimal, listed))


def test_several_thresholds() -> None:
    rows = find_prices("qwen3-max")
    assert [(row.above_tokens, row.input) for row in rows] == [
        (0, Decimal("1.2")),
        (32_000, Decimal("2.4")),
        (128_000, Decimal("3")),
    ]


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("anthropic", "claude-haiku-4-5-20991231", "claude-haiku-4-5"),  # a release that is not listed
        ("anthropic", "claude-opus-4-8[1m]", "claude-opus-4-8"),
        ("vertex", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("vertex", "publishers/anthropic/models/claude-sonnet-5@default", "claude-sonnet-5"),
        ("vertex", "gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("openrouter", "anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("openrouter", "x-ai/grok-4.7", "xai/grok-4.7"),
        ("openrouter", "moonshotai/kimi-k3", "moonshot/kimi-k3"),
        ("google", "models/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),  # dearer than gpt-4o
        ("openai", "gpt-4o-2024-07-01", "gpt-4o"),
        ("openai", "gpt-5.1-chat-latest", "gpt-5.1-chat-latest"),
        ("openai", "ft:gpt-4o-2024-08-06:some-org:name:id", "ft:gpt-4o-2024-08-06"),
        ("bedrock", "us.anthropic.claude-opus-4-5-20251101-v1:0", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("bedrock", "us.anthropic.claude-opus-4-5", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5", "anthropic.claude-opus-5"),
        ("bedrock", "us-gov.anthropic.claude-opus-5", "us-gov.anthropic.claude-opus-5"),
        ("bedrock", "claude-opus-5", "anthropic.claude-opus-5"),
        ("llm.example.com", "us.anthropic.claude-opus-5-v1:0", "us.anthropic.claude-opus-5"),
        ("llm.example.com", "claude-opus-5", "claude-opus-5"),
        ("local", "openai/gpt-5", "gpt-5"),
        ("deepseek", "deepseek-chat", "deepseek-chat"),
        (None, "deepseek/deepseek-v3", "deepseek/deepseek-v3"),
        ("alibaba", "qwen3-coder-plus-2025-07-22", "dashscope/qwen3-coder-plus-2025-07-22"),
    ],
)  # fmt: skip
def test_names_in_captures(provider: str | None, model: str, found: str) -> None:
    rows = find_prices(model, provider)
    assert rows
    assert rows[0].model == found


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (None, None),
        (None, ""),
        (None, "gpt"),
        (None, "claude"),
        (None, "gpt-55"),
        (None, "my-gpt-5"),
        (None, "gpt-5-huge"),
        (None, "gpt-5.6-solo"),
        (None, "gpt-5-mini-2"),
        (None, "claude-opus-4-5-thinking"),
        (None, "gemini-2.5-pro:free"),
        (None, "kimi-k3-0905"),
        (None, "x" * 10**6),
        ("anthropic", "gpt-5"),
        ("openai", "claude-opus-5"),
        # Whoever serves open weights sets a price of their own.
        ("local", "deepseek-v3"),
        ("groq", "kimi-k3"),
        ("llm.example.com", "deepseek/deepseek-v4-pro"),
        # A region that is not listed may cost more than the one that is.
        ("bedrock", "ca.anthropic.claude-opus-5"),
        ("bedrock", "us.anthropic.claude-opus-3-20990101-v1:0"),
    ],
)
def test_nothing_is_guessed(provider: str | None, model: str | None) -> None:
    assert find_prices(model, provider) == ()


def test_every_id_of_the_table_is_its_own() -> None:
    for name in PRICES:
        assert {row.model for row in find_prices(name)} == {name}
        assert {row.model for row in find_prices(name, find_prices(name)[0].provider)} == {name}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.model}>{row.above_tokens}")
def test_rows_are_sound(row: Price) -> None:
    assert row.evidence in ("official", "third-party")
    assert row.source
    assert date(2026, 1, 1) <= date.fromisoformat(row.date)
    assert row.input > 0
    assert row.output is None or row.output >= row.input
    assert row.cache_read is None or row.cache_read < row.input
    assert row.write_5m is None or row.input <= row.write_5m <= 2 * row.input
    assert row.write_1h is None or row.write_5m is not None
    assert row.write_1h is None or row.write_1h >= (row.write_5m or 0)


def test_anthropic_multiples_of_input() -> None:
    """Writes cost 1.25 and 2 times input; reads a tenth, less for the models named on the price page."""
    special = {"claude-opus-5-5": "0.05", "claude-sonnet-5-5": "0.05", "claude-fable-5-1": "0.025"}
    special["claude-mythos-5-1"] = "0.025"
    for row in ROWS:
        if row.provider == "anthropic":
            assert row.write_5m == row.input * Decimal("1.25")
            assert row.write_1h == row.input * 2
            assert row.cache_read == row.input * Decimal(special.get(row.model, "0.1"))


def test_unknown_prices_are_said() -> None:
    gpt, gemini, qwen = (price_of(model, 1) for model in ("gpt-5.6", "gemini-2.5-pro", "qwen3-max"))
    assert gpt is not None
    assert gemini is not None
    assert qwen is not None
    assert amount(gpt, 0, 0, 0, 5) == "no price of cache writes for an hour of gpt-5.6"
    assert amount(gemini, 0, 0, 7, 0) == "no price of cache writes of gemini/gemini-2.5-pro"
    assert amount(gemini, 5, 0, 0, 0) == Decimal("0.00000625")
    assert "explicit ones 10 %" in str(amount(qwen, 1, 1, 0, 0))


def test_what_depends_on_the_hour_is_remarked() -> None:
    price = price_of("deepseek-v4-pro", 1, "deepseek")
    assert price is not None
    assert price.remark.startswith("off-peak; on weekdays")
    assert "off-peak" in PRICES.require("deepseek-v4-pro").summary


@given(st.sampled_from(ROWS), st.lists(st.integers(0, 10**15), min_size=5, max_size=5), st.integers(1, 28))
def test_sums_are_exact(row: Price, tokens: list[int], digits: int) -> None:
    prices = (row.input, row.cache_read, row.write_5m, row.write_1h, row.output)
    with localcontext() as context:  # whatever the caller's context
        context.prec = digits
        found = amount(row, *tokens)
    if any(count and price is None for count, price in zip(tokens, prices, strict=True)):
        assert isinstance(found, str)
        return
    assert isinstance(found, Decimal)
    exact = sum(
        (Fraction(price or 0) * count for count, price in zip(tokens, prices, strict=True)), Fraction(0)
    )
    assert Fraction(found) == exact / 10**6


def test_listing() -> None:
    entry = PRICES.require("claude-opus-5-5")
    assert entry.summary == "4 / 0.2 / 5 / 8 / 20   2026-11-24"
    assert "above 200,000 tokens 4 / 0.4 / - / - / 18" in PRICES.require("gemini/gemini-3.1-pro").summary
    with pytest.raises(UsageError, match=r"unknown priced model 'gpt-5\.66'"):
        PRICES.require("gpt-5.66")


@pytest.mark.skipif(not RAW.exists(), reason="the price list of the development environment is not there")
def test_against_the_list_it_was_made_from() -> None:
    """Every price of the list, to its four decimals; deviations are those the table owns up to."""
    lines = [line.split("\t") for line in RAW.read_text(encoding="utf-8").splitlines() if line[0] != "#"][1:]
    for model, *amounts, _ in lines:
        given = [None if text == "None" else Decimal(text) for text in amounts]
        if given[0] is None:
            continue
        row = find_prices(model)[0]
        if "off-peak" in row.remark:
            given = [None if price is None else price / 2 for price in given]
        found = [row.input, row.cache_read, row.write_5m, row.write_1h, row.output]
        if row.write_5m == row.input:
            given[2] = found[2] = None  # writes without a fee
        if model == "ft:gpt-4o-2024-11-20":
            given[2] = None  # what is listed is no price of writes
        for price, other in zip(found, given, strict=True):
            assert (price is None) == (other is None), model
            assert price is None or other is None or abs(price - other) <= Decimal("0.00005"), model
