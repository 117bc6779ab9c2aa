"""Anthropic's prompt cache: prefixes up to marked blocks, read at a tenth of the price and written above it.

In: a workload with the markers that were captured. Out: tokens read and written. Rules by model and their
sources: `cachelens/simulate/api/rules.tsv`; worked examples: docs/engines/anthropic.md.
"""

from __future__ import annotations

from typing import ClassVar

from cachelens.simulate.api.explicit import MarkedByModel
from cachelens.simulate.engine import Facts, Source


class Anthropic(MarkedByModel):
    """Explicit and automatic `cache_control` of the Messages API."""

    facts: ClassVar[Facts] = Facts(
        name="anthropic",
        title="Anthropic prompt caching",
        kind="api",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=False,
        order="tools-first",
        sized=False,
        sources=(
            Source(
                "Prompt caching, Claude platform documentation",
                "https://platform.claude.com/docs/en/build-with-claude/prompt-caching",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Whether a breakpoint looks back at 20 or 21 places is not settled: 20 are taken, itself included.",
            "A use is taken to refresh the entry that is read and those at the request's own breakpoints, no others.",
            "A breakpoint inside what is read is taken to make an entry there, at no price.",
            "An entry that is alive is taken to keep the lifetime it was written with, whatever later markers say.",
            "Thinking blocks that some models strip, and eviction before the lifetime ends, are not modeled.",
        ),
    )
