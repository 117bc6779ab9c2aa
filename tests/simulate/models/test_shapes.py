"""Shapes: figures that were published, figures counted again, names, and where everything is from."""

from __future__ import annotations

from datetime import date

import pytest

from cachelens.errors import UsageError
from cachelens.simulate.models.cost import doubling_position
from cachelens.simulate.models.shapes import KV_DTYPES, MODELS, WEIGHT_DTYPES, Shape, find_shape, shapes

#: KV bytes per token in bf16 of full-attention layers, and thousands of tokens at which a token costs double.
PUBLISHED = {
    "llama-3.1-8b": (131_072, 30.5),
    "llama-3-70b": (327_680, 53.9),
    "qwen3-32b": (262_144, 31.3),
    "qwen3-30b-a3b": (98_304, 8.4),
    "qwen3-235b-a22b": (192_512, 14.3),
    "qwen3-coder-480b-a35b": (253_952, 23.0),
    "glm-4.5": (376_832, 14.2),
    "deepseek-v3": (70_272, 14.8),
    "kimi-k2": (70_272, 25.6),
    "gpt-oss-120b": (36_864, 34.7),
    "gpt-oss-20b": (24_576, 36.7),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_bytes_and_doubling_position(name: str) -> None:
    shape = find_shape(name)
    kv, doubling = PUBLISHED[name]
    assert shape.kv_bytes_per_token(windows=False) == kv
    assert shape.kv_bytes_per_token() == kv * (2 if shape.window_layers else 1)
    assert shape.kv_bytes_per_token("fp8", windows=False) * 2 == kv
    assert shape.kv_bytes_per_token("fp4", windows=False) * 4 == kv
    assert doubling_position(shape) / 1000 == pytest.approx(doubling, rel=0.005)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        # What model cards and checkpoints state, independent of the table's own count.
        ("llama-3.1-8b", 8.03),
        ("llama-3-70b", 70.6),
        ("llama-3.1-405b", 405.9),
        ("llama-3.2-3b", 3.21),
        ("mistral-7b", 7.25),
        ("mistral-small-24b", 23.6),
        ("mixtral-8x7b", 46.7),
        ("qwen2.5-72b", 72.7),
        ("qwen3-32b", 32.8),
        ("qwen3-30b-a3b", 30.5),
        ("deepseek-v3", 671),
        ("gpt-oss-120b", 116.8),
        ("gpt-oss-20b", 20.9),
        ("phi-4", 14.7),
        ("glm-4.5-air", 106.9),
    ],
)
def test_counted_parameters_are_those_stated(name: str, billions: float) -> None:
    assert find_shape(name).total_params / 1e9 == pytest.approx(billions, rel=0.003)


def test_published_weights() -> None:
    """Checkpoints of mixed types have their own size: OpenAI states 60.8 and 12.8 GiB."""
    assert find_shape("gpt-oss-120b").weight_bytes() / 2**30 == pytest.approx(60.8, abs=0.05)
    assert find_shape("gpt-oss-20b").weight_bytes() / 2**30 == pytest.approx(12.8, abs=0.05)
    deepseek = find_shape("deepseek-v3")
    assert deepseek.weight_bytes() == deepseek.total_params
    assert deepseek.weight_bytes("bf16") == 2 * deepseek.total_params
    with pytest.raises(UsageError, match=r"size of the published weights of kimi-k2\.5 is not known"):
        find_shape("kimi-k2.5").weight_bytes()
    assert find_shape("kimi-k2.5").weight_bytes("int4") * 2 == find_shape("kimi-k2.5").total_params


def test_ranks_repeat_heads_that_are_too_few_and_latent_caches_always() -> None:
    llama, deepseek = find_shape("llama-3-70b"), find_shape("deepseek-r1")
    assert [llama.kv_bytes_per_token(tp=tp) for tp in (1, 2, 8)] == [327_680] * 3
    assert [llama.kv_bytes_per_token(tp=tp) for tp in (16, 32)] == [2 * 327_680, 4 * 327_680]
    assert [deepseek.kv_bytes_per_token(tp=tp) for tp in (1, 8, 16)] == [70_272, 8 * 70_272, 16 * 70_272]


@pytest.mark.parametrize(
    ("name", "tp"), [("llama-3-70b", 3), ("phi-4", 4), ("llama-3-70b", 0), ("kimi-k2", 128)]
)
def test_heads_that_cannot_be_shared(name: str, tp: int) -> None:
    with pytest.raises(UsageError, match=rf"{tp} ranks cannot share the \d+ (query|KV) heads of {name}"):
        find_shape(name).kv_bytes_per_token(tp=tp)


def test_unknown_types() -> None:
    with pytest.raises(UsageError, match="unknown type of KV cache 'fp80'") as caught:
        find_shape("qwen3-32b").kv_bytes_per_token("fp80")
    assert caught.value.hint == "did you mean 'fp8'?"
    with pytest.raises(UsageError, match="unknown type of weights"):
        find_shape("qwen3-32b").weight_bytes("gguf")


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_rows_are_sound(shape: Shape) -> None:
    assert shape.name == shape.name.lower()
    assert shape.full_layers + shape.window_layers <= shape.layers
    assert shape.hybrid == (shape.full_layers + shape.window_layers < shape.layers)
    assert (shape.window > 0) == (shape.window_layers > 0)
    assert (shape.head_dim == 0) == (shape.kv_lora_rank > 0) == (shape.v_dim > 0)
    assert shape.query_heads % shape.kv_heads == 0
    assert 0 < shape.active_params <= shape.total_params
    assert shape.weights in {*WEIGHT_DTYPES, "unknown"}
    assert shape.source.startswith("https://")
    assert date(2026, 1, 1) <= date.fromisoformat(shape.date)
    assert shape.verified or shape.remark
    for dtype in KV_DTYPES:  # a token takes whole bytes in every type
        numbers = shape.kv_bytes_per_token("bf16") // 2
        assert numbers * KV_DTYPES[dtype] % 8 == 0


def test_names() -> None:
    names = [name.lower() for shape in shapes() for name in (shape.name, *shape.aliases)]
    assert len(names) == len(set(names))
    assert find_shape(" Meta-Llama/llama-3.3-70b-instruct ").name == "llama-3-70b"
    assert find_shape("DeepSeek-R1").name == "deepseek-v3"
    for unknown, hint in (
        ("qwen3-32", "did you mean 'qwen3-32b'?"),
        ("llama-3.3-70", "did you mean 'llama-3.3-70b'?"),
    ):
        with pytest.raises(UsageError, match=f"unknown model '{unknown}'") as caught:
            find_shape(unknown)
        assert caught.value.hint == hint


def test_what_is_doubtful_is_shown() -> None:
    assert MODELS.entries["qwen3-next-80b-a3b"].summary.endswith("; approximate")
    assert MODELS.entries["glm-4.6"].summary.endswith("; config not seen")
    assert "36,864 B without windowed layers" in MODELS.entries["gpt-oss-120b"].summary
    assert MODELS.entries["kimi-k2"].summary.startswith("1,026 B, 32 B active; 70,272 B of KV")
    assert MODELS.require("deepseek-r1") == MODELS.entries["deepseek-v3"]
