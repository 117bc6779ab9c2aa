"""OpenAI's prompt cache, both generations.

In: a workload. Out: tokens read and, from GPT-5.6 on, written. Models before it cache every prefix in
increments; later ones at breakpoints, one of which the provider sets at the end of each prompt. Which rules a
model has: `cachelens/simulate/api/rules.tsv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cachelens.simulate.api.automatic import automatic_hits, automatic_idle_us
from cachelens.simulate.api.breakpoints import Marked, Rules, total
from cachelens.simulate.api.entries import no_idle
from cachelens.simulate.api.explicit import MarkedEngine, MarkOptions
from cachelens.simulate.api.places import places
from cachelens.simulate.api.scopes import Scopes
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options(MarkOptions):
    """`idle_s`: seconds after its last use at which a prefix in memory expires (before GPT-5.6).

    By default the shortest that is published; 86400 stands for `prompt_cache_retention: "24h"`. A captured
    retention goes before it. The others are as for Anthropic (docs/engines/anthropic.md); `marks` and written
    tokens exist from GPT-5.6 on.
    """

    idle_s: int | None = None


class Openai(MarkedEngine[Options]):
    """Chat Completions and Responses."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="openai",
        title="OpenAI prompt caching",
        kind="api",
        page_size=128,
        page_sizes=(128,),
        policies=(),
        keeps_output=False,
        sized=False,
        sources=(
            Source(
                "Prompt caching guide",
                "https://developers.openai.com/api/docs/guides/prompt-caching",
                "2026-11-24",
            ),
            Source(
                "API reference of `prompt_cache_options`, as rendered in a client",
                "https://docs.rs/async-openai/0.42.0/async_openai/types/responses/struct.PromptCacheOptionsParam.html",
                "2026-11-24",
            ),
        ),
        unknown=(
            "In memory a prefix lives for 5 to 10 minutes after its last use, an hour at most: 5 minutes are taken.",
            "Requests are taken to reach a server that has their prefix; above about 15 a minute some do not.",
            "Prefixes are taken to be readable as soon as a request starts, before GPT-5.6.",
            "From GPT-5.6 on the guide and the API reference word the search differently: the latest 80 breakpoints "
            "of the conversation are taken, those that earlier requests wrote included.",
            "Every prompt is taken to end in a message that can have the implicit breakpoint.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        super().__init__(workload, setup)
        modes = workload.trace.requests["cache_mode"].to_list()
        self._explicit_only = [request for request, mode in enumerate(modes) if mode == "explicit"]

    def replay(self) -> Replay:
        """Tokens read and written by each request."""
        work, lookup = self._work, self._lookup
        kinds: dict[tuple[str, str], list[int]] = {}
        for request in work.order.tolist():
            generation = lookup.text("generation", request)
            increment = lookup.text("increment", request) if generation == "automatic" else ""
            kinds.setdefault((generation, increment), []).append(request)
        minimum = (
            lookup.numbers("minimum_tokens")
            if self._options.minimum is None
            else [self._options.minimum] * len(work)
        )
        scopes = Scopes(work, whole=True)
        replays = []
        notes: list[str] = []
        for (generation, increment), requests in kinds.items():
            part = work.only(np.array(requests, dtype=np.int64))
            if generation == "automatic":
                replays.append(self._automatic(part, int(increment), minimum, scopes))
                notes += [] if self._moments.timed else self._moments.notes
            else:
                replays.append(self._marked(part, minimum, scopes))
                notes += self._moments.notes
        if not replays:
            return Replay(hit=work.spread(work.order), idle_us=no_idle(work, self._explain))
        return total(replays, (*notes, *lookup.notes))

    def _automatic(self, work: Workload, increment: int, minimum: Sequence[int], scopes: Scopes) -> Replay:
        idle_s, scope = self._idle_s() if self._options.expiry else None, scopes.of[0]
        return Replay(
            hit=automatic_hits(work, increment, minimum, idle_s, scope),
            idle_us=automatic_idle_us(work, increment, minimum, idle_s, scope) if self._explain else None,
        )

    def _idle_s(self) -> list[int]:
        """How long what each request leaves in memory lives after its last use."""
        given = self._options.idle_s
        idle = self._lookup.number("idle_s") if given is None else given
        kept = self._work.trace.requests["cache_retention_s"].fill_null(idle)
        return [int(value) for value in kept.to_list()]

    def _marked(self, work: Workload, minimum: Sequence[int], scopes: Scopes) -> Replay:
        lookup, options = self._lookup, self._options
        rules = Rules(
            minimum=minimum,
            reach=lookup.numbers("matched_breakpoints"),
            most=lookup.number("breakpoints"),
            lifetimes_s=(lookup.number("lifetimes_s"),),
            counted="breakpoints",
            implicit=True,
            explicit_only=frozenset(self._explicit_only),
            everywhere=options.marks == "everywhere",
            expires=options.expiry,
        )
        return Marked(work, places(work), scopes, self._moments, rules, self._explain).replay()
