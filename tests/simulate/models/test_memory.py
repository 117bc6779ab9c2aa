"""From the memory of a server to tokens and back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.models.memory import ServerMemory, bytes_for_tokens, capacity_tokens
from cachelens.simulate.models.shapes import Shape, find_shape, kv_tokens, left_for_kv, shapes

GIB = 2**30


def test_capacity_is_memory_less_weights() -> None:
    llama = find_shape("llama-3-70b")
    memory = ServerMemory(640 * GIB)
    # 640 GiB * 0.9 = 576 GiB; less 131.42 GiB of bf16 weights; 327,680 B a token.
    assert capacity_tokens(memory, llama, tp=8) == 1_456_811
    assert capacity_tokens(memory, llama, "fp8", tp=8) in (2 * 1_456_811, 2 * 1_456_811 + 1)
    smaller = ServerMemory(640 * GIB, weights_dtype="fp8")
    assert smaller.kv_bytes(llama) - memory.kv_bytes(llama) == llama.total_params
    less = ServerMemory(640 * GIB, activation_bytes=10 * GIB)
    assert memory.kv_bytes(llama) - less.kv_bytes(llama) == 10 * GIB
    assert (
        ServerMemory(640 * GIB, utilization=Fraction(1)).kv_bytes(llama) - memory.kv_bytes(llama) == 64 * GIB
    )


def test_a_latent_cache_is_held_by_every_rank() -> None:
    deepseek, memory = find_shape("deepseek-v3"), ServerMemory(1128 * GIB)
    assert capacity_tokens(memory, deepseek, tp=8) == memory.kv_bytes(deepseek) // (8 * 70_272)


def test_the_published_type_of_weights_is_the_default() -> None:
    """117 thousand million weights fit into 80 GiB because they are published in four bits."""
    assert capacity_tokens(ServerMemory(80 * GIB), find_shape("gpt-oss-120b")) > 0
    with pytest.raises(UsageError) as caught:
        ServerMemory(80 * GIB, weights_dtype="bf16").kv_bytes(find_shape("gpt-oss-120b"))
    assert caught.value.message == (
        "the weights of gpt-oss-120b (bf16) take 217.6 GiB, but only 72.0 GiB of 80.0 GiB of memory are for "
        "weights and KV"
    )
    with pytest.raises(UsageError, match=r"only 0\.0 GiB"):
        left_for_kv(80 * GIB, find_shape("phi-4"), activation_bytes=100 * GIB)


@pytest.mark.parametrize("share", [Fraction(0), Fraction(-1), Fraction(11, 10)])
def test_what_is_no_utilization(share: Fraction) -> None:
    with pytest.raises(UsageError, match="not a share"):
        ServerMemory(GIB, utilization=share)


@given(st.sampled_from(shapes()), st.integers(0, 2**50), st.sampled_from(["bf16", "fp8", "fp4"]))
def test_there_and_back(shape: Shape, memory: int, dtype: str) -> None:
    tokens = kv_tokens(memory, shape, dtype)
    assert bytes_for_tokens(tokens, shape, dtype) <= memory < bytes_for_tokens(tokens + 1, shape, dtype)
