"""Engines whose callers mark what is cached: `MarkedEngine`. In: a workload and options. Out: replays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np

from cachelens.simulate.api.breakpoints import Marked, Rules, total
from cachelens.simulate.api.entries import no_idle
from cachelens.simulate.api.moments import Moments, moments
from cachelens.simulate.api.places import Places, places
from cachelens.simulate.api.rules import Lookup
from cachelens.simulate.api.scopes import Scopes
from cachelens.simulate.api.setup import models_of, require_unsized, with_options
from cachelens.simulate.engine import Facts, Replay, Setup
from cachelens.simulate.options import engine_options
from cachelens.simulate.workload import Workload

#: Lifetimes from here on are written at the price of an hour.
HOUR_S = 3600
_TTLS = {"5m": 300, "1h": HOUR_S}


@dataclass(frozen=True)
class MarkOptions:
    """`marks`: as `captured`, or `everywhere`, after every segment and in reach of all that follow.

    `expiry` False: nothing expires. `minimum`: tokens below which nothing is cached, for every model. `model`:
    whose rules hold, in place of the captured one's.
    """

    marks: Literal["captured", "everywhere"] = "captured"
    expiry: bool = True
    minimum: int | None = None
    model: str = ""


@dataclass(frozen=True)
class TtlOptions(MarkOptions):
    """`ttl`: lifetimes as `captured`, or one for all markers. The others as in `MarkOptions`."""

    ttl: Literal["captured", "5m", "1h"] = "captured"


MarksT = TypeVar("MarksT", bound=MarkOptions)


class MarkedEngine(ABC, Generic[MarksT]):
    """What engines have in common whose callers mark what is cached. `MarksT` is the type of their options."""

    Options: ClassVar[type]
    facts: ClassVar[Facts]

    def __init__(self, workload: Workload, setup: Setup) -> None:
        self._options: MarksT = engine_options(self.Options, setup, self.facts)
        require_unsized(setup, self.facts)
        self._work = workload
        self._explain = setup.explain
        self._moments = moments(workload, setup.concurrent)
        self._lookup = Lookup(self.facts.name, models_of(workload, self._options.model))

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without expiry, then with a marker after every segment as well."""
        lasting = with_options(setup, expiry="false")
        return (("expiry", lasting), ("unmarked", with_options(lasting, marks="everywhere")))

    @abstractmethod
    def replay(self) -> Replay:
        """Tokens read and written by each request."""


class MarkedByModel(MarkedEngine[TtlOptions]):
    """A cache of marked prefixes after the rules of the table; lifetimes may differ by model."""

    Options = TtlOptions

    def replay(self) -> Replay:
        """Tokens read and written by each request."""
        work, options, lookup = self._work, self._options, self._lookup
        kinds: dict[str, list[int]] = {}
        for request in work.order.tolist():
            kinds.setdefault(lookup.text("lifetimes_s", request), []).append(request)
        where = places(work)
        replays = [
            marked_replay(
                work, requests, where, Scopes(work), self._moments, lookup, options, lifetimes, self._explain
            )
            for lifetimes, requests in kinds.items()
        ]
        if not replays:
            return Replay(hit=work.spread(work.order), idle_us=no_idle(work, self._explain))
        return total(replays, (*self._moments.notes, *lookup.notes))


def marked_replay(
    work: Workload,
    requests: Sequence[int],
    where: Places,
    scopes: Scopes,
    times: Moments,
    lookup: Lookup,
    options: TtlOptions,
    lifetimes: str,
    explain: bool = False,
) -> Replay:
    """One replay of `requests` after the rules of `lookup`; `explain` as in `Marked`."""
    minimum = lookup.numbers("minimum_tokens") if options.minimum is None else [options.minimum] * len(work)
    lifetimes_s = tuple(int(one) for one in lifetimes.split())
    rules = Rules(
        minimum=minimum,
        reach=lookup.numbers("lookback_positions"),
        most=lookup.number("breakpoints"),
        lifetimes_s=lifetimes_s,
        ttl_s=_TTLS.get(options.ttl),
        everywhere=options.marks == "everywhere",
        expires=options.expiry,
        long_s=HOUR_S if max(lifetimes_s) >= HOUR_S or options.ttl == "1h" else 0,
    )
    part = replace(work, order=np.array(requests, dtype=np.int64))
    return Marked(part, where, scopes, times, rules, explain).replay()
