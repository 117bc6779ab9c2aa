"""What no server can beat, and the cache that studies assume: all read off the reuse-run table.

In: a workload, capacity and page size. Out: tokens served. `ideal` holds everything, token by token;
`optimal` evicts what is needed last (MIN); `lru` is a stack: the capacity's worth of tokens used last.
None of them computes the last prompt token again, and none minds that requests run at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cachelens.errors import UsageError
from cachelens.model.trace import Int64
from cachelens.prefix.minimum import min_hits
from cachelens.prefix.queries import hits_at
from cachelens.prefix.runs import ReuseRuns
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.options import chosen, engine_options, unbounded
from cachelens.simulate.stack import stack_evictors
from cachelens.simulate.workload import Workload

_THEORY = Source(
    "R. L. Mattson et al., Evaluation techniques for storage hierarchies, IBM Systems Journal 9(2), 1970",
    "https://doi.org/10.1147/sj.92.0078",
    "2026-11-24",
)
_BELADY = Source(
    "L. A. Belady, A study of replacement algorithms, IBM Systems Journal 5(2), 1966",
    "https://doi.org/10.1147/sj.52.0078",
    "2026-11-24",
)


@dataclass(frozen=True)
class Options:
    """`keep_output`: what was generated stays in the cache, without its last token."""

    keep_output: bool = True


class _Bound:
    """What the three have in common: a workload and its reuse runs."""

    Options = Options
    facts: ClassVar[Facts]

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        self._work = workload
        self._setup = setup
        self._page = chosen(setup, self.facts).page_size
        self._keeps_output = options.keep_output
        self._runs = workload.runs(self._page, options.keep_output)

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without a bound of capacity."""
        return unbounded(setup)

    @property
    def runs(self) -> ReuseRuns:
        """The reuse runs that all its figures are read off."""
        return self._runs

    def _at(self, capacity: int | None) -> Int64:
        """Hits under LRU; `capacity` None: unlimited."""
        if capacity is None:
            return self._work.reusable(self._page, self._keeps_output)
        return self._work.spread(hits_at(self._runs, len(self._work.order), capacity))


class Ideal(_Bound):
    """Everything stays, and every token that some earlier request left behind is served."""

    facts: ClassVar[Facts] = Facts(
        name="ideal",
        title="Infinite cache, token by token",
        kind="bound",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=True,
        sized=False,
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        if setup.capacity_tokens is not None:
            raise UsageError("the ideal cache has no size", "leave --capacity out, or choose optimal")
        super().__init__(workload, setup)

    def replay(self) -> Replay:
        """Tokens served to each request."""
        return Replay(hit=self._at(None))


class Optimal(_Bound):
    """Belady's MIN on a prefix tree: the most hit tokens that any eviction can give at a capacity."""

    facts: ClassVar[Facts] = Facts(
        name="optimal",
        title="Perfect eviction (MIN)",
        kind="bound",
        page_size=1,
        policies=(),
        keeps_output=True,
        sources=(_BELADY,),
    )

    def replay(self) -> Replay:
        """Tokens served to each request; which of several equal choices is made is not fixed by MIN."""
        if self._setup.capacity_tokens is None:
            return Replay(hit=self._at(None))
        hits = min_hits(self._runs, len(self._work.order), self._setup.capacity_tokens)
        return Replay(hit=self._work.spread(hits))


class Lru(_Bound):
    """Least recently used, page by page: a stack of which the top `capacity` tokens are held.

    Slower tiers lie below it in the same stack, each holding what the one above let go.
    """

    facts: ClassVar[Facts] = Facts(
        name="lru",
        title="Least recently used (stack model)",
        kind="bound",
        page_size=1,
        policies=("lru",),
        keeps_output=True,
        tiers=8,
        sources=(_THEORY,),
    )

    def replay(self) -> Replay:
        """Tokens served to each request, and how many of them came from each tier."""
        capacity = self._setup.capacity_tokens
        device = self._at(capacity)
        tiers: dict[str, Int64] = {}
        held = device
        for tier in self._setup.tiers:
            if capacity is None:
                tiers[tier.name] = np.zeros_like(held)
                continue
            capacity += tier.capacity_tokens
            below = self._at(capacity)
            tiers[tier.name] = below - held
            held = below
        return Replay(
            hit=held, tiers=tiers, evictor=self._evictors(capacity) if self._setup.explain else None
        )

    def _evictors(self, capacity: int | None) -> Int64:
        """`capacity`: of all tiers together."""
        work, keeps = self._work, self._keeps_output
        found = np.full(len(work), -1, dtype=np.int64)
        if capacity is None or not len(work.order):
            return found
        ends = work.kept_tokens if keeps else work.prompt_tokens
        by = stack_evictors(self._runs, work.touched_runs(self._page, keeps), ends[work.order], capacity)
        some = by >= 0
        found[work.order[some]] = work.order[by[some]]
        return found
