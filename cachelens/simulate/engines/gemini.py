"""Gemini's implicit cache: prefixes of 2.5 and later models, from a minimum length on.

In: a workload. Out: tokens read. Rules by model: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from cachelens.model.trace import Int64
from cachelens.simulate.api.implicit import AutomaticEngine
from cachelens.simulate.engine import Facts, Source


class Gemini(AutomaticEngine):
    """Implicit caching; explicit `cachedContents` are not modeled."""

    facts: ClassVar[Facts] = Facts(
        name="gemini",
        title="Gemini implicit caching",
        kind="api",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=False,
        sized=False,
        sources=(
            Source(
                "Context caching, Gemini API documentation",
                "https://ai.google.dev/gemini-api/docs/caching",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Implicit caching gives no guarantee: what is counted is the most it can serve.",
            "Its lifetime is not published: nothing expires unless `ttl_s` is given.",
            "Its increment is not published: single tokens are counted.",
            "The minimum is taken to hold for the part that is read.",
            "Explicit caches (`cachedContents`), their lifetimes and storage prices are not modeled.",
        ),
    )

    def _increment(self) -> int:
        return self.facts.page_size

    def _minimum(self) -> Sequence[int]:
        given = self._options.minimum
        return self._lookup.numbers("minimum_tokens") if given is None else [given] * len(self._work)

    def _served(self, hit: Int64) -> Int64:
        caches = np.array(self._lookup.numbers("automatic"), dtype=np.bool_)
        return np.where(caches, hit, 0)
