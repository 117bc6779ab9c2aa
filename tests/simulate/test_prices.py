"""Prices: found by the names that captures use, never by a neighbor's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cachelens.simulate.prices.table import PRICES, amount, find_prices, plain, price_of


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("claude-opus-5-5", "4"),
        ("claude-sonnet-4-5-20250929", "3"),
        ("claude-sonnet-4-5@20250929", "3"),
        ("anthropic/claude-sonnet-4.5", "3"),
        ("claude-haiku-4-5-latest", "1"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("gpt-5", "1.25"),
        ("gpt-5-2025-08-07", "1.25"),
        ("openai/gpt-5.6-sol", "4"),
        ("GPT-4o", "2.5"),
        ("gemini-3.1-pro-preview", "2"),
        ("models/gemini-2.5-pro", "1.25"),
        ("deepseek-v4-pro", "0.66"),
        ("kimi-k3", "3"),
        ("qwen3-max", "1.2"),
        ("grok-4.7", "2"),
        ("us.amazon.nova-pro-v1:0", "0.8"),
    ],
)
def test_input_price(model: str, usd: str) -> None:
    price = price_of(model, 1000)
    assert price is not None
    assert price.input == Decimal(usd)


@pytest.mark.parametrize(
    "model", [None, "", "gpt", "claude", "gpt-55", "my-gpt-5", "sonnet", "gpt-5-huge", "vllm"]
)
def test_nothing_is_guessed(model: str | None) -> None:
    assert find_prices(model) == ()


def test_smaller_models_are_not_their_family() -> None:
    mini, whole = price_of("gpt-5-mini", 1), price_of("gpt-5", 1)
    assert mini is not None
    assert whole is not None
    assert mini.input < whole.input


def test_long_prompts_cost_more() -> None:
    for tokens, usd in ((200_000, "2"), (200_001, "4")):
        price = price_of("gemini-3.1-pro-preview", tokens)
        assert price is not None
        assert price.input == Decimal(usd)


def test_amounts_are_exact_and_unknown_prices_are_said() -> None:
    opus = price_of("claude-opus-5-5", 1)
    assert opus is not None
    assert amount(opus, 1, 10, 100, 1000, 10_000) == Decimal("0.208506")
    gpt = price_of("gpt-5.6", 1)
    assert gpt is not None
    assert amount(gpt, 0, 0, 0, 5) == "no price of cache writes for an hour of gpt-5.6"
    gemini = price_of("gemini-2.5-pro", 1)
    assert gemini is not None
    assert amount(gemini, 0, 0, 7, 0) == "no price of cache writes of gemini/gemini-2.5-pro"
    free = price_of("deepseek-v4-pro", 1)
    assert free is not None
    assert amount(free, 0, 0, 1_000_000, 0) == free.input


def test_every_row_has_a_source_and_a_date() -> None:
    for name in PRICES:
        for price in find_prices(name):
            assert price.source
            assert price.date.startswith("2026-")
            if price.cache_read is not None and not price.above_tokens:
                assert price.cache_read <= price.input
        assert plain(name)
