"""Chunks of KV kept outside the device, behind vLLM. In: numbers of chunks on paths. Out: leading runs, evictions.

A chunk is named by its number on the paths of the forest, which is the same as its chained prefix hash. A
store has no tree: it may hold a chunk without the ones before it, which then is out of reach.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from cachelens.errors import UsageError
from cachelens.prefix.paths import page_ids
from cachelens.simulate.engine import Replay, Setup
from cachelens.simulate.engines.vllm import Vllm
from cachelens.simulate.losses import Latest
from cachelens.simulate.workload import Workload


class ChunkStore:
    """At most `capacity` chunks (None: unlimited). `evicted` chunks were dropped so far.

    `policy`: `lru` and `mru` evict what was put or used longest ago or last, `fifo` what was put first, `lfu`
    what was used least often and, of those, what got there first. `latest`, if given, is told what is evicted.
    """

    def __init__(self, capacity: int | None, policy: str = "lru", latest: Latest | None = None) -> None:
        self.evicted = 0
        self._latest = latest
        self._capacity = capacity
        self._policy = policy
        # Chunk -> uses (counted for lfu), in the order of lru, mru or fifo. A plain dict looks for its first
        # entry among all those that were deleted before it.
        self._held: OrderedDict[int, int] = OrderedDict()
        # For lfu: uses -> chunks in the order they got there.
        self._by_uses: dict[int, OrderedDict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, chunk: int) -> bool:
        return chunk in self._held

    def leading(self, chunks: Sequence[int]) -> int:
        """How many chunks are held before the first that is not; changes nothing."""
        held = self._held
        for number, chunk in enumerate(chunks):
            if chunk not in held:
                return number
        return len(chunks)

    def use(self, chunks: Iterable[int]) -> None:
        """Tell that these chunks were used, one after the other. Raises KeyError for one that is not held."""
        held = self._held
        if self._policy == "lfu":
            for chunk in chunks:
                uses = held[chunk]
                self._forget_uses(chunk, uses)
                held[chunk] = uses + 1
                self._by_uses.setdefault(uses + 1, OrderedDict())[chunk] = None
        elif self._policy != "fifo":
            for chunk in chunks:
                held.move_to_end(chunk)

    def put(self, chunks: Sequence[int], spare: frozenset[int] = frozenset()) -> None:
        """Make room for all of `chunks`, then keep those that are not held yet, in this order.

        Room is made for held ones too, and may cost them their own place. When the next to go is one of
        `spare`, or nothing is left to evict, the remaining chunks are not kept.
        """
        room = len(chunks)
        if self._capacity is not None:
            for number in range(len(chunks)):
                if len(self._held) + number >= self._capacity and not self._evict(spare):
                    room = number
                    break
        for chunk in chunks[:room]:
            if chunk not in self._held:
                self._held[chunk] = 1
                if self._policy == "lfu":
                    self._by_uses.setdefault(1, OrderedDict())[chunk] = None

    def _evict(self, spare: frozenset[int]) -> bool:
        if not self._held:
            return False
        if self._policy == "lfu":
            victim = next(iter(self._by_uses[min(self._by_uses)]))
        else:
            victim = next(reversed(self._held) if self._policy == "mru" else iter(self._held))
        if victim in spare:
            return False
        uses = self._held.pop(victim)
        if self._policy == "lfu":
            self._forget_uses(victim, uses)
        self.evicted += 1
        if self._latest is not None:
            self._latest.evicted(victim)
        return True

    def _forget_uses(self, chunk: int, uses: int) -> None:
        among = self._by_uses[uses]
        del among[chunk]
        if not among:
            del self._by_uses[uses]


class VllmWithStore(Vllm, ABC):
    """vLLM with a store behind it: what a prompt does not find on the device may be loaded from the store.

    The device does the same with and without a store, since it allocates and hashes the blocks of a prompt
    whether they are computed or loaded. What differs between stores is in `_found` and `_keep`.
    Raises UsageError when the device has a size and the store has none.
    """

    def __init__(self, workload: Workload, setup: Setup, chunk: int, policy: str = "lru") -> None:
        super().__init__(workload, setup)
        if chunk < 1:
            raise UsageError("a chunk holds at least 1 token", "give a larger chunk_size")
        if not setup.tiers and setup.capacity_tokens is not None:
            raise UsageError(
                f"{self.facts.name} needs the size of its store, which has no default in tokens",
                "give --tier host:SIZE, such as --tier host:2m",
            )
        self._chunk = chunk
        self._tier = setup.tiers[0].name if setup.tiers else "host"
        self._chunk_paths = workload.paths(chunk)
        self._store_latest = Latest(self._chunk_paths.size, self._turns) if setup.explain else None
        room = setup.tiers[0].capacity_tokens // chunk if setup.tiers else None
        self.store = ChunkStore(room, policy, self._store_latest)
        self._loaded = np.zeros(len(workload), dtype=np.int64)

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without a bound on the device and on the store."""
        if setup.capacity_tokens is None and not setup.tiers:
            return ()
        return (("capacity", replace(setup, capacity_tokens=None, tiers=())),)

    def replay(self) -> Replay:
        """Tokens served to each request, and how many of them came from the store."""
        return replace(super().replay(), tiers={self._tier: self._loaded})

    @property
    def evicted_tokens(self) -> int:
        """Tokens evicted so far, from the device and from the store: each counts."""
        return super().evicted_tokens + self.store.evicted * self._chunk

    def lookup(self, request: int) -> int:
        """Tokens that would be served now; changes nothing."""
        return max(super().lookup(request), self._servable(request, self._run(request)))

    def start(self, request: int) -> int | None:
        """What the device has is served from there, what goes on in the store is loaded, the rest computed."""
        served = super().start(request)
        if served is None:
            return None
        chunks = self._chunks(request, self._prompt[request])
        run = self.store.leading(chunks)
        self._found(chunks, run)
        loaded = max(self._servable(request, run) - served, 0)
        self._loaded[request] = loaded
        if self._store_latest is not None:
            lost = self._lost(request, served + loaded)
            of_store = self._lost_in_store(request, served + loaded, chunks, run)
            self._evictor[request] = self._turns.request(max(lost, of_store))
        self._keep(chunks, run)
        return served + loaded

    def _lost_in_store(self, request: int, served: int, chunks: list[int], run: int) -> int:
        """The stamp at which the store lost token `served`, or what it needs to be reached, or -1."""
        if self._store_latest is None or served >= self._servable(request, len(chunks)):
            return -1
        chunk = chunks[served // self._chunk]
        return int(self._store_latest.at[chunks[run] if chunk in self.store else chunk])

    def _chunks(self, request: int, tokens: int) -> list[int]:
        """The whole chunks of the first `tokens` tokens of a path."""
        chunks = page_ids(self._chunk_paths.ranges(self._nodes[request], tokens // self._chunk))
        found: list[int] = chunks.tolist()
        return found

    def _run(self, request: int) -> int:
        return self.store.leading(self._chunks(request, self._prompt[request]))

    @abstractmethod
    def _servable(self, request: int, run: int) -> int:
        """Tokens that `run` leading chunks in the store are good for."""

    @abstractmethod
    def _found(self, chunks: list[int], run: int) -> None:
        """The first `run` of the chunks of a prompt were found."""

    @abstractmethod
    def _keep(self, chunks: list[int], run: int) -> None:
        """The prompt is computed: keep what is to be kept of its chunks."""
