"""Replicas behind a router. In: a workload, an engine and its setup, replicas, a router. Out: one replay.

Where requests go depends on the traffic alone, never on an engine's cache, so it is settled first; each
replica then replays its own requests with a cache of its own. Capacity is that of each replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from cachelens.errors import UsageError
from cachelens.model.trace import Int64
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.options import chosen
from cachelens.simulate.routers import ROUTERS
from cachelens.simulate.routers.base import Router
from cachelens.simulate.workload import Workload

DEFAULT_ROUTER = "round-robin"


def route(
    work: Workload, replicas: int, router: str = DEFAULT_ROUTER, options: Mapping[str, str] | None = None
) -> Int64:
    """The replica of each request of the trace; -1 for those that are not in `work.order`.

    What runs at a replica is taken from the times of the trace; without times every request has ended
    before the next begins. Raises UsageError for an unknown router, bad options, or a workload that the
    router cannot route.
    """
    if replicas < 1:
        raise UsageError(f"a fleet of {replicas} replicas cannot serve anything", "give --replicas 1 or more")
    kind: type[Router] = ROUTERS.load(router)
    chooser = kind(work, replicas, options or {})
    found = np.full(len(work), -1, dtype=np.int64)
    running = [0] * replicas
    ends: list[tuple[int, int]] = []  # heap of (end, replica)
    timed = work.start_us is not None and work.end_us is not None
    start: list[int] = work.start_us.tolist() if work.start_us is not None else []
    end: list[int] = work.end_us.tolist() if work.end_us is not None else []
    for request in work.order.tolist():
        if timed:
            while ends and ends[0][0] <= start[request]:
                running[heappop(ends)[1]] -= 1
        replica = chooser.choose(request, running)
        found[request] = replica
        if timed:
            running[replica] += 1
            heappush(ends, (end[request], replica))
    return found


class Reach(NamedTuple):
    """Tokens of each request that had been computed before: `own` by its own replica, `fleet` by any.

    As in caches without bounds that keep whole pages; `fleet - own` was lost to routing. An engine that
    computes the last token of a prompt in any case serves one page less at most, of either.
    """

    own: Int64
    fleet: Int64


def reach(work: Workload, replica: Int64, page: int = 1, keeps_output: bool = True) -> Reach:
    """What routing leaves of the reusable tokens; `replica` as `route` returns it."""
    own = np.zeros(len(work), dtype=np.int64)
    for part in _parts(work, replica):
        own += part.reusable(page, keeps_output)
    return Reach(own, work.reusable(page, keeps_output))


@dataclass(frozen=True, eq=False)
class Share:
    """What each replica did: arrays with one entry per replica, in tokens except `requests`."""

    requests: Int64
    prompt_tokens: Int64
    hit_tokens: Int64

    @property
    def computed_tokens(self) -> Int64:
        """Prompt tokens that were prefilled."""
        return self.prompt_tokens - self.hit_tokens

    @property
    def imbalance(self) -> float:
        """Prefilled tokens of the busiest replica over the mean of all; 1 is even, 0 where nothing was prefilled."""
        computed = self.computed_tokens
        mean = float(computed.mean())
        return float(computed.max()) / mean if mean else 0.0


@dataclass(frozen=True)
class Summary:
    """A fleet in numbers. Rates are hit tokens over prompt tokens, 0 where there are none.

    `pooled_hit_rate`: of one replica with the capacity of all, tiers included. `routing_tokens`: what some
    other replica had computed before and the own one had not, in an infinite cache.
    """

    replicas: int
    router: str
    hit_rate: float
    pooled_hit_rate: float
    routing_tokens: int
    share: Share


@dataclass(frozen=True, eq=False)
class Fleet:
    """`replicas` copies of an engine behind a router. `router` None: in turn. `options`: the router's own, as text.

    Raises UsageError as `route` and as the engine do.
    """

    engine: type[Engine]
    work: Workload
    setup: Setup
    replicas: int
    router: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def replica(self) -> Int64:
        """The replica of each request of the trace; -1 for those that are not replayed."""
        return route(self.work, self.replicas, self.router or DEFAULT_ROUTER, self.options)

    def replay(self) -> Replay:
        """The replays of all replicas as one; each sentence of theirs is said once."""
        return _merged(self.work, [self.engine(part, self.setup).replay() for part in self._parts()])

    def reach(self) -> Reach:
        """Reusable tokens in the own replica and in the fleet, in pages and with outputs as the engine has them."""
        known = self.engine.facts
        return reach(self.work, self.replica, chosen(self.setup, known).page_size, known.keeps_output)

    def routing(self) -> Int64:
        """Tokens of each request that were lost to routing."""
        own, fleet = self.reach()
        return fleet - own

    def share(self, replay: Replay) -> Share:
        """What each replica did in `replay`."""
        sent = self.replica >= 0
        where = self.replica[sent]

        def total(values: Int64) -> Int64:
            sums = np.zeros(self.replicas, dtype=np.int64)
            np.add.at(sums, where, values[sent])
            return sums

        ones = np.ones(len(self.work), dtype=np.int64)
        return Share(total(ones), total(self.work.prompt_tokens), total(replay.hit))

    def summary(self, replay: Replay) -> Summary:
        """The fleet in numbers, from its `replay`; replays one large cache as well."""
        prompt = int(self.work.prompt_tokens[self.work.order].sum())
        pooled = self.engine(self.work, self.pooled()).replay()
        return Summary(
            replicas=self.replicas,
            router=self.router or DEFAULT_ROUTER,
            hit_rate=int(replay.hit.sum()) / prompt if prompt else 0.0,
            pooled_hit_rate=int(pooled.hit.sum()) / prompt if prompt else 0.0,
            routing_tokens=int(self.routing().sum()),
            share=self.share(replay),
        )

    def pooled(self) -> Setup:
        """The setup of one replica that has the capacity and the tiers of all."""
        tiers = tuple(
            replace(tier, capacity_tokens=tier.capacity_tokens * self.replicas) for tier in self.setup.tiers
        )
        capacity = self.setup.capacity_tokens
        return replace(
            self.setup,
            capacity_tokens=None if capacity is None else capacity * self.replicas,
            tiers=tiers,
        )

    def _parts(self) -> list[Workload]:
        """The workload of each replica that is sent anything; of the first one if none is."""
        return _parts(self.work, self.replica) or [self.work]


def _parts(work: Workload, replica: Int64) -> list[Workload]:
    """The workloads of the replicas that are sent anything, in order."""
    sent = replica[work.order]
    return [work.only(work.order[sent == number]) for number in np.unique(sent).tolist()]


def _merged(work: Workload, replays: list[Replay]) -> Replay:
    """One replay of replays that have no request in common."""

    def total(arrays: list[Int64]) -> Int64:
        return np.sum(arrays, axis=0, dtype=np.int64) if arrays else np.zeros(len(work), dtype=np.int64)

    written_5m = [r.written_5m for r in replays if r.written_5m is not None]
    written_1h = [r.written_1h for r in replays if r.written_1h is not None]
    rejected = [r.rejected for r in replays if r.rejected is not None]
    evictor = [r.evictor for r in replays if r.evictor is not None]
    idle_us = [r.idle_us for r in replays if r.idle_us is not None]
    names = dict.fromkeys(name for r in replays for name in r.tiers)
    return Replay(
        hit=total([r.hit for r in replays]),
        tiers={name: total([r.tiers[name] for r in replays if name in r.tiers]) for name in names},
        written_5m=total(written_5m) if written_5m else None,
        written_1h=total(written_1h) if written_1h else None,
        rejected=np.any(rejected, axis=0) if rejected else None,
        waited=sum(r.waited for r in replays),
        evicted_tokens=sum(r.evicted_tokens for r in replays),
        notes=tuple(dict.fromkeys(note for r in replays for note in r.notes)),
        # -1 in all replays but the one that has the request.
        evictor=np.max(evictor, axis=0) if evictor else None,
        idle_us=np.max(idle_us, axis=0) if idle_us else None,
    )
