"""vLLM's prefix cache, request by request as its scheduler drives it.

In: a workload, capacity, block size. Out: tokens served. Equal to recorded runs of vllm 0.33.0 on every
request (tests/simulate/engines). Blocks are found by chained hashes from the first on, which is the same as
being the same page of the prefix forest; they are freed back to front when a request ends and lose
their hash only when the block is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.paths import page_ids
from cachelens.simulate.block_pool import BlockPool
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.losses import Latest, Turns
from cachelens.simulate.options import chosen, engine_options, unbounded
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """vLLM's cache has no options of its own. How a prefill is cut into chunks makes no difference to it."""


class Vllm:
    """vLLM V1's KVCacheManager and BlockPool for models with full attention."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="vllm",
        title="vLLM automatic prefix caching",
        kind="server",
        page_size=16,
        policies=("lru",),
        keeps_output=True,
        order="system-first",
        sources=(
            Source("vllm 0.33.0, v1/core", "Python package vllm 0.33.0", "2026-11-24"),
            Source("recorded runs of vllm 0.33.0", "tests/simulate/engines/recorded", "2026-11-24"),
        ),
        unknown=(
            "Preemption is not modeled: a request waits until it fits with all it will generate.",
            "Sliding windows, Mamba layers and KV connectors are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        engine_options(self.Options, setup, self.facts)
        self._size = chosen(setup, self.facts).page_size
        self._work = workload
        self._concurrent = setup.concurrent
        self._blocks = None if setup.capacity_tokens is None else setup.capacity_tokens // self._size
        self._paths = workload.paths(self._size)
        self._nodes: list[int] = workload.kept.tolist()
        self._prompt: list[int] = workload.prompt_tokens.tolist()
        self._kept: list[int] = workload.kept_tokens.tolist()
        self._turns = Turns(len(workload))
        self._latest = Latest(self._paths.size, self._turns) if setup.explain else None
        self._evictor = np.full(len(workload), -1, dtype=np.int64)
        self.pool = BlockPool(self._paths, self._nodes, self._blocks, self._latest)
        self._running: dict[int, tuple[Int64, Int64]] = {}  # request -> pages of its path, blocks it uses
        self._promised = 0  # blocks that running requests have yet to fill

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without a bound of capacity."""
        return unbounded(setup)

    def replay(self) -> Replay:
        """Tokens served to each request."""
        replay = serve(self._work, self, self._concurrent)
        return replay if self._latest is None else replace(replay, evictor=self._evictor)

    @property
    def evicted_tokens(self) -> int:
        """Tokens evicted so far."""
        return self.pool.evicted * self._size

    def fits(self, request: int) -> bool:
        """Whether the request fits an empty cache."""
        return self._blocks is None or -(-self._kept[request] // self._size) <= self._blocks

    def lookup(self, request: int) -> int:
        """Tokens that would be served now; changes nothing."""
        return len(self.pool.find(self._usable(request, self._path(request)))) * self._size

    def start(self, request: int) -> int | None:
        """Take what is cached, allocate the rest of the prompt, hash its full blocks."""
        size, pool = self._size, self.pool
        self._turns.begin(request)
        prompt, kept = self._prompt[request], self._kept[request]
        pages = self._path(request)
        found = pool.find(self._usable(request, pages))
        hit = len(found)
        now, later = -(-prompt // size), -(-kept // size)
        if later - hit > pool.free - pool.idle(found) - self._promised:
            return None
        pool.take(found)
        pool.allocate(now - hit)
        full = prompt // size
        used = np.concatenate([found, pool.fill(pages[hit:full])])
        self._promised += later - now
        self._running[request] = (pages, used)
        self._evictor[request] = self._turns.request(self._lost(request, hit * size))
        return hit * size

    def finish(self, request: int) -> None:
        """Allocate and hash what was generated, then free all blocks back to front."""
        size, pool = self._size, self.pool
        self._turns.begin(request)
        pages, used = self._running.pop(request)
        prompt, kept = self._prompt[request], self._kept[request]
        now, later = -(-prompt // size), -(-kept // size)
        pool.allocate(later - now)
        self._promised -= later - now
        full = kept // size
        if full > len(used):
            used = np.concatenate([used, pool.fill(pages[len(used) : full])])
        pool.release(request, used, later - full)

    def _lost(self, request: int, served: int) -> int:
        """The stamp at which a request that starts lost token `served` of its prompt, or -1.

        Of one path the deeper blocks are always gone first: what comes after the first missing one is missing.
        """
        if self._latest is None:
            return -1
        pages = self._usable(request, self._running[request][0])
        page = served // self._size
        return int(self._latest.at[pages[page]]) if page < len(pages) else -1

    def _path(self, request: int) -> Int64:
        return page_ids(self._paths.ranges(self._nodes[request], self._kept[request] // self._size))

    def _usable(self, request: int, pages: Int64) -> Int64:
        """The pages of a prompt that may be served: never its last token."""
        return pages[: max(self._prompt[request] - 1, 0) // self._size]
