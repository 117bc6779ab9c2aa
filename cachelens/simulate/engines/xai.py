"""xAI's automatic cache: every prefix, best effort, on the server that a conversation is routed to.

In: a workload. Out: tokens read. Rules: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from typing import ClassVar

from cachelens.simulate.api.implicit import AutomaticEngine
from cachelens.simulate.engine import Facts, Source


class Xai(AutomaticEngine):
    """Grok models; all requests are taken to reach one server."""

    facts: ClassVar[Facts] = Facts(
        name="xai",
        title="xAI automatic caching",
        kind="api",
        page_size=128,
        page_sizes=(128,),
        policies=(),
        keeps_output=False,
        sized=False,
        sources=(
            Source("automatic, best effort, per server", "https://docs.x.ai", "2026-11-24"),
            Source("increments of 128 tokens", "measurements published by a third party", "2026-11-24"),
        ),
        unknown=(
            "The increment of 128 tokens was measured by a third party.",
            "Caches are kept per server, and routing is best effort: what is counted is the most that can be served.",
            "No lifetime and no minimum length are published: nothing expires unless `ttl_s` is given.",
            "Whether generated text is found when it is sent back is not known: it is taken not to be.",
        ),
    )
