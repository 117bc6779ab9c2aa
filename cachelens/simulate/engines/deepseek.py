"""DeepSeek's disk cache: whole prefix units, written at the ends of prompts and answers and where prompts part.

In: a workload. Out: tokens read. A request that shares a prefix with an earlier one, but no whole unit, reads
nothing and makes the shared part a unit for those after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cachelens.simulate.api.entries import Entries, no_idle
from cachelens.simulate.api.moments import moments
from cachelens.simulate.api.setup import require_unsized, without
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.options import engine_options
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """`ttl_s`: seconds after its last use at which a unit expires; none is published, by default none does."""

    ttl_s: int | None = None


class Deepseek:
    """Context caching on disk."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="deepseek",
        title="DeepSeek context caching",
        kind="api",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=True,
        order="system-first",
        sized=False,
        sources=(
            Source(
                "Context caching, DeepSeek API documentation",
                "https://api-docs.deepseek.com/guides/kv_cache",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Units at fixed intervals of long prompts and answers are not modeled: the interval is not published.",
            "When a common prefix is detected is not published: it is taken to be at the second request that has it.",
            "No lifetime is published: nothing expires unless `ttl_s` is given.",
            "Units are taken to be readable when the response begins, those of an answer when it ends.",
            "A unit at the end of an answer is taken to lack its last token, as elsewhere.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        require_unsized(setup, self.facts)
        self._work = workload
        self._moments = moments(workload, setup.concurrent)
        self._ttl_us = None if options.ttl_s is None else options.ttl_s * 1_000_000
        self._concurrent = setup.concurrent
        self._explain = setup.explain

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without expiry, where there is any."""
        given = {name.replace("-", "_") for name in setup.options}
        return (("expiry", without(setup, "ttl_s")),) if "ttl_s" in given else ()

    def replay(self) -> Replay:
        """Tokens read by each request."""
        work, times = self._work, self._moments
        parent: list[int] = work.forest.parent.tolist()
        end: list[int] = work.forest.end.tolist()
        prompt: list[int] = work.prompt.tolist()
        kept: list[int] = work.kept.tolist()
        shared: list[int] = work.reusable(1, keeps_output=True).tolist()
        ended = self._ended()
        units = Entries(self._ttl_us is not None and times.timed)
        ttl = self._ttl_us or 0
        hit = np.zeros(len(work), dtype=np.int64)
        idle_us = no_idle(work, self._explain)
        for request in work.order.tolist():
            now, ready = times.start[request], times.ready[request]
            common = -1
            at = prompt[request]
            # Paths part only at nodes of the forest, so each unit ends at one.
            while at >= 0 and end[at] > 0:
                if end[at] == shared[request]:
                    common = at
                if units.readable(at, now):
                    hit[request] = end[at]
                    units.use(at, now, ready, ttl)
                    break
                if idle_us is not None and idle_us[request] < 0:
                    idle_us[request] = units.idle(at, now)
                at = parent[at]
            if common >= 0:
                units.use(common, now, ready, ttl)
            if work.prompt_tokens[request] > 0:
                units.use(prompt[request], now, ready, ttl)
            if kept[request] != prompt[request]:
                units.use(kept[request], now, ended[request], ttl)
        silent = not times.timed and self._ttl_us is None
        return Replay(hit=hit, notes=() if silent else times.notes, idle_us=idle_us)

    def _ended(self) -> list[int]:
        """When the answer of each request is complete, or begins where its end is not known."""
        times = self._moments
        if not times.timed or not self._concurrent:
            return times.ready
        column = self._work.trace.requests["ended_at"].to_physical().to_list()
        return [
            begun if end is None else max(end, begun) for begun, end in zip(times.ready, column, strict=True)
        ]
