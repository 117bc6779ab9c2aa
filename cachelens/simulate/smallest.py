"""How large a cache should have been. In: an engine, a workload, a setup with a capacity. Out: `Smallest`.

Of the stack model it is read off the exact curve; of other engines it is found by replays at capacities in
between, each twice as near, taking for granted that a larger cache does not lose more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, isqrt

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.queries import curve
from cachelens.prefix.runs import ReuseRuns
from cachelens.simulate.engine import Engine, Setup
from cachelens.simulate.engines.bounds import Lru
from cachelens.simulate.options import chosen
from cachelens.simulate.workload import Workload

#: How often the working set is doubled while it does not do: some engines need room beside what they keep.
_DOUBLINGS = 2


@dataclass(frozen=True)
class Smallest:
    """A capacity that does. All in tokens, `replays` beside what is known of the setup as it is.

    `hit_tokens` are served there. `lost_tokens`: lost to capacity as it is; `removed_tokens`: of these no
    more. No capacity below `capacity_tokens` does, or none at `fails_at_tokens` and below where that lies
    further away than one page.
    """

    capacity_tokens: int
    hit_tokens: int
    lost_tokens: int
    removed_tokens: int
    fails_at_tokens: int
    replays: int


def smallest_capacity(
    engine: type[Engine], work: Workload, setup: Setup, share: float = 0.9, replays: int = 12
) -> Smallest | None:
    """The smallest capacity that removes at least `share` of the capacity misses; slower tiers stay as they are.

    None when there are none to remove, the engine has no capacity, or no capacity that was tried does. At
    most `replays` replays at other capacities are made; the last answer has always been replayed, except for
    `lru`, whose curve is exact. Raises ValueError for a share outside 0 to 1 or less than one replay, UsageError
    as the engine does.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and not above 1, not at {share}")
    if replays < 1:
        raise ValueError("an answer takes at least one replay")
    setup = replace(setup, explain=False)
    free = dict(engine.relaxed(setup)).get("capacity")
    if free is None or setup.capacity_tokens is None:
        return None
    keeps = engine.facts.keeps_output
    best = np.minimum(engine(work, free).replay().hit, work.reusable(1, keeps))
    now = engine(work, setup).replay().hit
    lost = _lost(best, now)
    if not lost:
        return None
    wanted = ceil(Fraction(share).limit_denominator(10**6) * lost)
    if issubclass(engine, Lru):
        return _of_stack(engine, work, setup, int(now.sum()) + wanted, lost)
    return _Search(engine, work, setup, best, lost, wanted, replays).find()


def _lost(best: Int64, hit: Int64) -> int:
    """Tokens lost to capacity: some requests may be served more by a smaller cache, and make up for none."""
    return int(np.maximum(best - hit, 0).sum())


def _of_stack(engine: type[Lru], work: Workload, setup: Setup, hits: int, lost: int) -> Smallest:
    page = chosen(setup, engine.facts).page_size
    slower = sum(tier.capacity_tokens for tier in setup.tiers)
    runs = engine(work, setup).runs
    capacity = max(-(-(_where(runs, hits) - slower) // page) * page, page)
    # Tiers need not be whole pages; together they may just be so.
    while capacity > page and _fits(runs, capacity - page + slower, hits):
        capacity -= page
    served = engine(work, replace(setup, capacity_tokens=capacity)).replay().hit
    best = engine(work, replace(setup, capacity_tokens=None, tiers=())).replay().hit
    return Smallest(
        capacity_tokens=capacity,
        hit_tokens=int(served.sum()),
        lost_tokens=lost,
        removed_tokens=lost - _lost(best, served),
        fails_at_tokens=capacity - page,
        replays=1,
    )


def _where(runs: ReuseRuns, hits: int) -> int:
    """The smallest capacity of a stack that serves `hits` tokens; a multiple of the page."""
    line = curve(runs)
    at = int(np.searchsorted(line.hits, hits))
    have, from_ = int(line.hits[at - 1]), int(line.capacities[at - 1])
    slope = (int(line.hits[at]) - have) // (int(line.capacities[at]) - from_)
    return -(-(from_ + -(-(hits - have) // slope)) // runs.page) * runs.page


def _fits(runs: ReuseRuns, capacity: int, hits: int) -> bool:
    room = capacity // runs.page * runs.page
    return int(np.clip(room - runs.above, 0, runs.tokens).sum()) >= hits


@dataclass
class _Search:
    """Replays at capacities between one that fails and one that does, in pages."""

    engine: type[Engine]
    work: Workload
    setup: Setup
    best: Int64
    lost: int
    wanted: int
    replays: int
    done: int = 0

    def find(self) -> Smallest | None:
        page = chosen(self.setup, self.engine.facts).page_size
        low = (self.setup.capacity_tokens or 0) // page
        high = max(-(-self.work.working_set() // page), low + 1)
        found: tuple[int, int] | None = None
        for _ in range(_DOUBLINGS + 1):
            if self.done == self.replays:
                return None
            found = self._at(high * page)
            if found is not None:
                break
            low, high = high, 2 * high
        if found is None:
            return None
        while high - low > 1 and self.done < self.replays:
            # Halfway between them as a ratio: what matters is how many times as large the cache has to be.
            middle = min(max(isqrt(low * high), low + 1), high - 1)
            tried = self._at(middle * page)
            if tried is None:
                low = middle
            else:
                high, found = middle, tried
        hit, removed = found
        return Smallest(high * page, hit, self.lost, removed, low * page, self.done)

    def _at(self, capacity: int) -> tuple[int, int] | None:
        """Tokens served, and no longer lost, at a capacity; None when it does not do."""
        self.done += 1
        hit = self.engine(self.work, replace(self.setup, capacity_tokens=capacity)).replay().hit
        removed = self.lost - _lost(self.best, hit)
        return (int(hit.sum()), removed) if removed >= self.wanted else None
