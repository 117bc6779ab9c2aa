"""The cost of a token: closed forms against sums over single tokens, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.simulate.models.cost import doubling_position, flop_hit_rate, prefill_flops
from cachelens.simulate.models.shapes import Shape, find_shape, shapes

NAMES = st.sampled_from([shape.name for shape in shapes()])


def one_token(shape: Shape, position: int) -> Fraction:
    """FLOPs of the token at `position`, layer by layer, from the definition."""
    half = position + Fraction(1, 2)
    per_head = shape.nope_dim + shape.rope_dim + shape.v_dim if shape.kv_lora_rank else 2 * shape.head_dim
    seen = shape.full_layers * half
    seen += shape.window_layers * (half if position < shape.window else Fraction(shape.window))
    return 2 * shape.active_params + 2 * shape.query_heads * per_head * seen


def flops(shape: Shape, lo: int, hi: int) -> float:
    return float(prefill_flops(shape, np.array([lo]), np.array([hi]))[0])


@given(NAMES, st.integers(0, 400), st.integers(0, 400))
def test_flops_are_the_sum_over_tokens(name: str, a: int, b: int) -> None:
    shape, (lo, hi) = find_shape(name), sorted((a, b))
    exact = sum((one_token(shape, p) for p in range(lo, hi)), Fraction(0))
    assert flops(shape, lo, hi) == pytest.approx(float(exact), rel=1e-15)


@given(st.sampled_from(["gpt-oss-20b", "gemma-3-27b"]), st.integers(900, 1_100), st.integers(0, 200))
def test_windows_are_bounded(name: str, lo: int, length: int) -> None:
    """Around the window of 1,024, and beyond that of 128."""
    shape = find_shape(name)
    exact = sum((one_token(shape, p) for p in range(lo, lo + length)), Fraction(0))
    assert flops(shape, lo, lo + length) == pytest.approx(float(exact), rel=1e-15)


@given(NAMES, st.lists(st.integers(0, 10**7), min_size=3, max_size=3))
def test_a_prompt_costs_its_parts(name: str, cuts: list[int]) -> None:
    shape, (low, middle, high) = find_shape(name), sorted(cuts)
    whole = flops(shape, low, high)
    assert flops(shape, low, middle) + flops(shape, middle, high) == pytest.approx(whole, rel=1e-14)


@given(NAMES, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=8))
def test_flop_weighted_hit_rate(name: str, pairs: list[tuple[int, int]]) -> None:
    shape = find_shape(name)
    hit, prompt = (np.array([f(pair) for pair in pairs], dtype=np.int64) for f in (min, max))
    rate = flop_hit_rate(shape, hit, prompt)
    assert 0 <= rate <= 1
    assert flop_hit_rate(shape, prompt, prompt) == (1 if prompt.sum() else 0)
    if len(pairs) == 1 and prompt[0]:  # what is hit comes first, and costs less
        assert rate <= hit[0] / prompt[0] * (1 + 1e-12)


def test_hits_are_not_equal() -> None:
    """The figures of docs/algorithms.md: at 150k a token costs 3.8 to 11.5 times one at 0."""
    for name, times in (("llama-3-70b", 3.8), ("qwen3-235b-a22b", 11.5)):
        shape = find_shape(name)
        assert float(one_token(shape, 150_000) / one_token(shape, 0)) == pytest.approx(times, rel=0.005)
    half = flop_hit_rate(find_shape("qwen3-235b-a22b"), np.array([75_000]), np.array([150_000]))
    assert half == pytest.approx(0.29, abs=0.005)


def test_a_token_at_the_doubling_position_costs_double() -> None:
    for shape in shapes():
        p = doubling_position(shape) - 0.5
        extra = shape.attention_flops * (p + 0.5) + shape.window_flops * shape.window
        assert extra == pytest.approx(2 * shape.active_params)
