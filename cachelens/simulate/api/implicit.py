"""Engines that cache by themselves, every prefix in increments. In: a workload and options. Out: replays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cachelens.model.trace import Int64
from cachelens.simulate.api.automatic import automatic_hits, automatic_idle_us
from cachelens.simulate.api.moments import UNTIMED
from cachelens.simulate.api.rules import Lookup
from cachelens.simulate.api.setup import models_of, require_unsized, without
from cachelens.simulate.engine import Facts, Replay, Setup
from cachelens.simulate.options import engine_options
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class AutomaticOptions:
    """`ttl_s`: seconds after its last use at which a prefix expires; none is published, by default none does.

    `minimum`: tokens below which nothing is cached, for every model. `model`: whose rules hold, in place of
    the captured one's.
    """

    ttl_s: int | None = None
    minimum: int | None = None
    model: str = ""


class AutomaticEngine:
    """Every prefix is cached, no marker needed and no write priced. Pages are the provider's increments."""

    Options = AutomaticOptions
    facts: ClassVar[Facts]

    def __init__(self, workload: Workload, setup: Setup) -> None:
        self._options = engine_options(AutomaticOptions, setup, self.facts)
        require_unsized(setup, self.facts)
        self._work = workload
        self._explain = setup.explain
        self._lookup = Lookup(self.facts.name, models_of(workload, self._options.model))

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without expiry, where there is any."""
        given = {name.replace("-", "_"): value for name, value in setup.options.items()}
        return (("expiry", without(setup, "ttl_s")),) if "ttl_s" in given else ()

    def replay(self) -> Replay:
        """Tokens read by each request."""
        work, increment, minimum = self._work, self._increment(), self._minimum()
        idle_s = None if self._options.ttl_s is None else [self._options.ttl_s] * len(work)
        hit = self._served(automatic_hits(work, increment, minimum, idle_s))
        idle_us = None
        if self._explain:
            idle_us = automatic_idle_us(work, increment, minimum, idle_s)
            idle_us[self._served(np.ones_like(hit)) == 0] = -1
        return Replay(hit=hit, notes=self._notes(), idle_us=idle_us)

    def _increment(self) -> int:
        return self._lookup.number("increment")

    def _minimum(self) -> Sequence[int]:
        given = self._options.minimum
        return [0 if given is None else given] * len(self._work)

    def _served(self, hit: Int64) -> Int64:
        return hit

    def _notes(self) -> tuple[str, ...]:
        timed = self._options.ttl_s is None or self._work.start_us is not None
        return (*(() if timed else (UNTIMED,)), *self._lookup.notes)
