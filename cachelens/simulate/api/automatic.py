"""Caches that hold every prefix of every prompt. In: a workload, increment, minimum, lifetimes. Out: tokens read.

A request reads the longest prefix it shares with an earlier prompt, in whole increments, if that is long
enough and was used lately; reading it starts its lifetime anew. Computed from the reuse-run table, not
replayed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.queries import infinite_hits, ttl_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs
from cachelens.simulate.workload import Workload


def automatic_hits(
    work: Workload,
    increment: int,
    minimum: Sequence[int],
    idle_s: Sequence[int] | None,
    scope: Sequence[int] | None = None,
) -> Int64:
    """Tokens read by each request of `work.order`; the arguments have one entry per request.

    `idle_s` is how long a prefix of a request lives after its last use by one with the same number; None, or
    a trace without times: for good. Requests of different `scope` share nothing.
    """
    hits = _longest(work, increment, idle_s, scope)
    hits[hits < np.array(minimum, dtype=np.int64)] = 0
    return hits


def automatic_idle_us(
    work: Workload,
    increment: int,
    minimum: Sequence[int],
    idle_s: Sequence[int] | None,
    scope: Sequence[int] | None = None,
) -> Int64:
    """How long ago what has expired was last used: microseconds from start to start, -1 where expiry lost nothing.

    Arguments as for `automatic_hits`. It is about the first increment that was not alive.
    """
    idle_us = np.full(len(work), -1, dtype=np.int64)
    if idle_s is None or work.start_us is None:
        return idle_us
    least = np.array(minimum, dtype=np.int64)
    alive = _longest(work, increment, idle_s, scope)
    ever = _longest(work, increment, None, scope)
    lost = np.where(alive < least, 0, alive) < np.where(ever < least, 0, ever)
    for chosen in _by_scope(work, scope):
        runs = _runs(work, chosen, chosen, increment)
        depth = alive[chosen][runs.request]
        row = np.flatnonzero((runs.lo <= depth) & (depth < runs.hi) & lost[chosen][runs.request])
        asker, last = chosen[runs.request[row]], chosen[runs.last_request[row]]
        idle_us[asker] = work.start_us[asker] - work.start_us[last]
    return idle_us


def _by_scope(work: Workload, scope: Sequence[int] | None) -> list[Int64]:
    """The requests of `work.order` that may share something."""
    scopes: dict[int, list[int]] = {}
    for request in work.order.tolist():
        scopes.setdefault(scope[request] if scope is not None else 0, []).append(request)
    return [np.array(requests, dtype=np.int64) for requests in scopes.values()]


def _longest(
    work: Workload, increment: int, idle_s: Sequence[int] | None, scope: Sequence[int] | None
) -> Int64:
    """Tokens that each request shares with what is alive, however short."""
    hits = np.zeros(len(work), dtype=np.int64)
    for chosen in _by_scope(work, scope):
        lives = {0: chosen}
        if idle_s is not None and work.start_us is not None:
            idle = np.array(idle_s, dtype=np.int64)[chosen]
            lives = {int(one): chosen[idle == one] for one in np.unique(idle)}
        for idle_time, writers in lives.items():
            found = _hits(work, chosen, writers, increment, None if idle_s is None else idle_time)
            hits[chosen] = np.maximum(hits[chosen], found)
    return hits


def _hits(work: Workload, chosen: Int64, writers: Int64, increment: int, idle_s: int | None) -> Int64:
    """What each of `chosen` finds of the prompts of `writers`, which are among them."""
    runs = _runs(work, chosen, writers, increment)
    if idle_s is None or work.start_us is None:
        return infinite_hits(runs, len(chosen))
    start = work.start_us[chosen]
    return ttl_hits(runs, len(chosen), start, start, idle_s * 1_000_000)


def _runs(work: Workload, chosen: Int64, writers: Int64, increment: int) -> ReuseRuns:
    if len(chosen) == len(work.order) and len(writers) == len(chosen):
        return work.runs(increment, keeps_output=False)
    prompts = work.prompt[chosen]
    if len(writers) == len(chosen):
        return reuse_runs(work.forest, prompts, None, increment)
    # Those that are no writers leave nothing: they touch the root of their tree.
    names = work.trace.requests["namespace"].to_list()
    roots = dict(zip(work.forest.namespaces, work.forest.roots.tolist(), strict=True))
    touched = np.where(
        np.isin(chosen, writers),
        prompts,
        np.array([roots[names[at]] for at in chosen.tolist()], dtype=np.int64),
    )
    return reuse_runs(work.forest, prompts, touched, increment)
