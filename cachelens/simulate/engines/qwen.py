"""Qwen's context cache on Model Studio (DashScope): explicit where a request has markers, else implicit.

In: a workload with the markers that were captured. Out: tokens read and written. The two caches share
nothing: a request uses one of them. Rules: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cachelens.simulate.api.automatic import automatic_hits
from cachelens.simulate.api.breakpoints import total
from cachelens.simulate.api.entries import no_idle
from cachelens.simulate.api.explicit import MarkedEngine, TtlOptions, marked_replay
from cachelens.simulate.api.places import places
from cachelens.simulate.api.scopes import Scopes
from cachelens.simulate.engine import Facts, Replay, Source


class Qwen(MarkedEngine[TtlOptions]):
    """Explicit `cache_control`, and the implicit cache of requests without it."""

    Options = TtlOptions
    facts: ClassVar[Facts] = Facts(
        name="qwen",
        title="Qwen context cache (Model Studio)",
        kind="api",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=False,
        order="system-first",
        sized=False,
        sources=(
            Source(
                "Context cache, Model Studio documentation",
                "https://help.aliyun.com/zh/model-studio/context-cache",
                "2026-11-24",
            ),
        ),
        unknown=(
            "The lifetime and the increment of the implicit cache are not published: nothing expires, single tokens.",
            "The implicit cache gives no guarantee: what is counted is the most it can serve.",
            "Details of explicit entries that the page leaves open are taken to be as on Anthropic's platform.",
        ),
    )

    def replay(self) -> Replay:
        """Tokens read and written by each request."""
        work, lookup, options = self._work, self._lookup, self._options
        where = places(work)
        automatic = work.trace.requests["auto_breakpoint_ttl_s"].fill_null(0).to_list()
        explicit: list[int] = []
        implicit: list[int] = []
        for request in work.order.tolist():
            last = where.last[request]
            marked = automatic[request] or (last >= 0 and where.marked[last] >= 0)
            (explicit if marked else implicit).append(request)
        replays: list[Replay] = []
        notes = list(self._moments.notes) if explicit else []
        if explicit:
            lifetimes = lookup.text("lifetimes_s", explicit[0])
            replays.append(
                marked_replay(
                    work,
                    explicit,
                    where,
                    Scopes(work),
                    self._moments,
                    lookup,
                    options,
                    lifetimes,
                    self._explain,
                )
            )
        if implicit or not explicit:
            minimum = (
                lookup.numbers("implicit_minimum_tokens")
                if options.minimum is None
                else [options.minimum] * len(work)
            )
            hit = automatic_hits(work.only(np.array(implicit, dtype=np.int64)), 1, minimum, None)
            replays.append(Replay(hit=hit, idle_us=no_idle(work, self._explain)))
        return total(replays, (*notes, *lookup.notes))
