"""What prefill costs. In: a `Shape` and positions. Out: FLOPs. docs/algorithms.md has the derivation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachelens.model.trace import Int64
from cachelens.simulate.models.shapes import Shape

Float64 = NDArray[np.float64]


def prefill_flops(shape: Shape, lo: Int64, hi: Int64) -> Float64:
    """FLOPs of computing the tokens at positions [lo, hi) of a prompt, entry by entry (0 <= lo <= hi).

    A token at position p costs `2 * active_params + a * (p + 1/2)`: the half is the mean of what the first
    and the last of its layers' tiles see, and makes the cost of [lo, hi) exactly `2N(hi-lo) + a(hi²-lo²)/2`.
    Layers with a sliding window add the same up to the window and a constant per token from there on.
    The result is float64, good to a few units in the last place: nothing is subtracted that could cancel.
    """
    first, last = lo.astype(np.float64), hi.astype(np.float64)
    flops = 2.0 * shape.active_params * (last - first)
    flops += shape.attention_flops * _half_square(first, last)
    if shape.window_layers:
        edge = float(shape.window)
        ramp = _half_square(np.minimum(first, edge), np.minimum(last, edge))
        flat = edge * (np.maximum(last, edge) - np.maximum(first, edge))
        flops += shape.window_flops * (ramp + flat)
    return np.asarray(flops)


def _half_square(lo: Float64, hi: Float64) -> Any:
    """(hi² - lo²) / 2 without the cancellation of squares."""
    return (hi - lo) * (hi + lo) / 2


def doubling_position(shape: Shape) -> float:
    """The position at which a token costs twice what the weights alone cost, `4 * active_params` FLOPs."""
    return (2 * shape.active_params - shape.window_flops * shape.window) / shape.attention_flops


def flop_hit_rate(shape: Shape, hit: Int64, prompt_tokens: Int64) -> float:
    """The share of all prefill FLOPs that serving the first `hit` tokens of each prompt saves.

    Arrays run over requests, `0 <= hit <= prompt_tokens`. Early tokens are cheaper than late ones, so this is
    never above the token-weighted hit rate of a single request. 0 when there is nothing to compute.
    """
    nothing = np.zeros_like(hit)
    whole = float(prefill_flops(shape, nothing, prompt_tokens).sum())
    return float(prefill_flops(shape, nothing, hit).sum()) / whole if whole else 0.0
