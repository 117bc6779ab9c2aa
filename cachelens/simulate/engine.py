"""The contract of an engine: the model of one server's or provider's cache.

In: a `Workload` and a `Setup`. Out: a `Replay`, tokens served per request. An engine is one module in
`cachelens.simulate.engines` and one line in its registry; third parties add theirs by entry points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from cachelens.model.trace import Int64
from cachelens.simulate.workload import Workload

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """Where a rule was read: a document, a source file or a recorded run, and on which day (ISO)."""

    what: str
    where: str
    date: str


@dataclass(frozen=True)
class Facts:
    """What an engine is, as data that reports and docs show.

    `kind`: `server` (a capacity and a policy), `api` (a provider's rules and lifetimes) or `bound`.
    `page_size`: default unit of caching in tokens; `page_sizes`: those it can have, empty for any.
    `policies`: what it can evict by, its default first; `any_policy`: also by those that other packages add.
    `keeps_output`: generated text that is sent back
    unchanged is found. `tiers`: how many slower tiers it can have. `order`: how it puts prompts together,
    `tools-first` or `system-first`; empty for as they were captured. `sized`: it has a capacity.
    `unknown`: sentences about what is not published or not modeled; every report of the engine shows them.
    """

    name: str
    title: str
    kind: str
    page_size: int
    policies: tuple[str, ...]
    keeps_output: bool
    page_sizes: tuple[int, ...] = ()
    tiers: int = 0
    order: str = ""
    sized: bool = True
    any_policy: bool = False
    sources: tuple[Source, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tier:
    """A slower tier below the device: `name` such as `host` or `disk`, capacity in tokens."""

    name: str
    capacity_tokens: int


@dataclass(frozen=True)
class Setup:
    """How an engine is run; None stands for the engine's own default.

    `capacity_tokens` None: unlimited. `options` are the engine's own, by name, as text: its `Options`
    says which there are. `concurrent`: requests whose times overlap run at the same time. `explain`: the
    replay also says why requests missed (`Replay.evictor`, `Replay.idle_us`), which takes longer.
    """

    capacity_tokens: int | None = None
    page_size: int | None = None
    policy: str | None = None
    tiers: tuple[Tier, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    concurrent: bool = True
    explain: bool = False


@dataclass(frozen=True, eq=False)
class Replay:
    """What each request of the trace got; arrays have one entry per request, 0 where it was not replayed.

    `hit`: tokens served, whatever the tier. `tiers`: of those, the tokens that came from each slower tier.
    `written_5m`, `written_1h`: tokens written into the cache at a price (APIs that have one), or None.
    `rejected`: requests that this cache can never hold; they are served nothing and leave nothing.
    `waited`: requests that had to wait until others had finished. `evicted_tokens`: dropped in all.
    `notes`: sentences about this replay.

    Only where the setup says `explain`, and about the first token that a request was not served, -1 where
    they do not apply. `evictor` (servers and `lru`): the request for whose sake the cache lost that token
    last, be it when it started, generated or was published; with slower tiers, when the last of them lost
    it. -1: the cache never held it, or the last-token rule or a page or chunk that the prompt does not fill
    keep it from being served; so also for requests that were rejected. What lies out of reach counts as lost
    with what it needs: a chunk when one before it left the store, what is on a host but not worth loading,
    or without room for it, when it left the device. `idle_us` (provider APIs): microseconds between the last
    use of the expired prefix that would have served it and the start of the request.
    """

    hit: Int64
    tiers: Mapping[str, Int64] = field(default_factory=dict)
    written_5m: Int64 | None = None
    written_1h: Int64 | None = None
    rejected: Bool | None = None
    waited: int = 0
    evicted_tokens: int = 0
    notes: tuple[str, ...] = ()
    evictor: Int64 | None = None
    idle_us: Int64 | None = None


class Engine(Protocol):
    """One engine. Constructed as `Class(workload, setup)`; raises UsageError for a setup it cannot have.

    `Options` is a frozen dataclass of the engine's own options with their defaults.
    """

    facts: ClassVar[Facts]
    Options: ClassVar[type]

    def __init__(self, workload: Workload, setup: Setup) -> None: ...

    def replay(self) -> Replay:
        """Replay the requests of the workload through a cache that is empty at the start."""
        ...

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Setups in which one limit after the other is lifted, each with the outcome that it explains.

        A token that is a hit in the k-th of them and in none before was lost to the k-th outcome. Only
        limits that `setup` has; the last-token rule, pages and minimum lengths are no such limit.
        """
        ...


class Cache(Protocol):
    """An engine that serves one request at a time from a capacity; `serve` replays it.

    `lookup` says how many tokens of a request would be served now, and changes nothing unless the real
    engine's does. `start` looks up, pins, evicts and allocates what the prompt needs, and returns the
    tokens served, or None when running requests leave no room: nothing has changed then. `finish`
    publishes what was generated and unpins. `fits` tells whether the cache could ever hold a request.
    """

    @property
    def evicted_tokens(self) -> int:
        """Tokens dropped so far."""
        ...

    def fits(self, request: int) -> bool:
        """Whether an idle cache could hold the request."""
        ...

    def lookup(self, request: int) -> int:
        """Tokens that would be served now."""
        ...

    def start(self, request: int) -> int | None:
        """Tokens served; None when there is no room now."""
        ...

    def finish(self, request: int) -> None:
        """The request has ended."""
        ...
