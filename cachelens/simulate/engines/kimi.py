"""Kimi's automatic cache: every prefix, in chunks; markers are ignored.

In: a workload. Out: tokens read. Rules: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from typing import ClassVar

from cachelens.simulate.api.implicit import AutomaticEngine
from cachelens.simulate.engine import Facts, Source


class Kimi(AutomaticEngine):
    """Moonshot's platform, as measured at its coding endpoint."""

    facts: ClassVar[Facts] = Facts(
        name="kimi",
        title="Kimi (Moonshot) automatic caching",
        kind="api",
        page_size=256,
        page_sizes=(256,),
        policies=(),
        keeps_output=False,
        order="system-first",
        sized=False,
        sources=(
            Source(
                "chunks of 256 tokens, markers ignored",
                "measurements of the coding endpoint, published by a third party",
                "2026-11-24",
            ),
        ),
        unknown=(
            "The chunk of 256 tokens was measured by a third party at the coding endpoint only.",
            "No lifetime is published: nothing expires unless `ttl_s` is given.",
            "Some models list prices of writes; which requests pay them is not known: no write is counted.",
            "Whether generated text is found when it is sent back is not known: it is taken not to be.",
        ),
    )
