"""What servers said against what was simulated. In: a trace, hits. Out: sums over the same requests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cachelens.model.trace import Int64, Trace


@dataclass(frozen=True, eq=False)
class Reported:
    """`told`: requests whose server reported both counts; their `cached` and `prompt` tokens as it counts them."""

    told: Int64
    cached: Int64
    prompt: Int64

    def gap(self, hit: Int64, prompt_tokens: Int64) -> float | None:
        """Simulated less reported hit rate over these requests; None when there is nothing to compare."""
        ours, theirs = int(prompt_tokens[self.told].sum()), int(self.prompt.sum())
        if not ours or not theirs:
            return None
        return float(Fraction(int(hit[self.told].sum()), ours) - Fraction(int(self.cached.sum()), theirs))


def reported(trace: Trace) -> Reported:
    """The requests of `trace` whose server reported prompt and cached tokens."""
    frame = trace.requests
    cached, prompt = frame["reported_cache_read_tokens"], frame["reported_prompt_tokens"]
    told = np.flatnonzero((cached.is_not_null() & prompt.is_not_null()).to_numpy())
    return Reported(
        told=told.astype(np.int64),
        cached=cached.fill_null(0).to_numpy()[told].astype(np.int64),
        prompt=prompt.fill_null(0).to_numpy()[told].astype(np.int64),
    )
