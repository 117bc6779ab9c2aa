"""What servers said against what was simulated. In: a trace, hits. Out: sums over the same requests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cachelens.model.trace import Int64, Trace

#: Half of what vocabularies and framing make of a cached share on captures that hold whole prompts.
TOLERANCE = Fraction(2, 100)


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

    def verdicts(self, hit: Int64, prompt_tokens: Int64) -> list[str]:
        """For each of these requests `as expected`, `less` or `more` than simulated.

        Both are compared as shares of their own count of prompt tokens, since encodings differ; TOLERANCE
        apart is as expected.
        """
        found = []
        for request, cached, prompt in zip(self.told, self.cached, self.prompt, strict=True):
            ours = int(prompt_tokens[request])
            if not ours or not prompt:
                found.append("as expected" if not cached else "more")
                continue
            above = Fraction(int(cached), int(prompt)) - Fraction(int(hit[request]), ours)
            found.append("as expected" if abs(above) <= TOLERANCE else "more" if above > 0 else "less")
        return found


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
