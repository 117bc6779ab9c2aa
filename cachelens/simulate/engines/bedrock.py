"""Amazon Bedrock's prompt cache: prefixes up to `cachePoint` or `cache_control` markers.

In: a workload with the markers that were captured. Out: tokens read and written. Claude looks back from a
checkpoint, Nova finds a prefix only where it is marked again. Rules: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from typing import ClassVar

from cachelens.simulate.api.explicit import MarkedByModel
from cachelens.simulate.engine import Facts, Source


class Bedrock(MarkedByModel):
    """Claude and Nova behind Bedrock's Converse and InvokeModel."""

    facts: ClassVar[Facts] = Facts(
        name="bedrock",
        title="Amazon Bedrock prompt caching",
        kind="api",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=False,
        order="tools-first",
        sized=False,
        sources=(
            Source(
                "Prompt caching, Amazon Bedrock user guide",
                "https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html",
                "2026-11-24",
            ),
            Source(
                "Prompt caching, agent toolkit for AWS",
                "https://github.com/aws/agent-toolkit-for-aws/blob/main/skills/core-skills/amazon-bedrock/"
                "references/prompt-caching.md",
                "2026-11-24",
            ),
            Source(
                "Prompt caching, Claude platform documentation (minimums of Claude)",
                "https://platform.claude.com/docs/en/build-with-claude/prompt-caching",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Claude is said to look back about 20 blocks from a checkpoint: 20 places are taken, that one included.",
            "Which Claude models have the lifetime of an hour here was not read: all are taken to have it.",
            "Nova's automatic caching saves time and no money: only what is marked counts.",
            "Refreshing, entries inside what is read and mixed lifetimes are taken to be as on Anthropic's platform.",
            "Regions that an inference profile spreads requests over are not modeled.",
        ),
    )
