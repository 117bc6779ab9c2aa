"""A hash ring. In: the first tokens of prompts, or sessions. Out: for each the next replica on the ring.

When a replica is added or taken away most keys stay where they are. A key is hashed by the order of its first
appearance in the trace, not by its token ids, so that the same traffic is routed alike under any tokenizer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cachelens.errors import UsageError
from cachelens.prefix.paths import page_ids
from cachelens.simulate.options import convert
from cachelens.simulate.routers.base import number_hash, sessions
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """`key`: `prefix`, the first `prefix_tokens` tokens of a prompt (all of a shorter one), or `session`.

    `virtual_nodes`: points that each replica has on the ring. `seed`: another ring and other keys.
    """

    key: Literal["prefix", "session"] = "prefix"
    prefix_tokens: int = 256
    virtual_nodes: int = 160
    seed: int = 0


class ConsistentHash:
    """Requests with the same key go to the same replica, whatever runs there."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        chosen = convert(Options, options, "consistent-hash")
        if chosen.prefix_tokens < 1 or chosen.virtual_nodes < 1:
            raise UsageError("consistent-hash: prefix_tokens and virtual_nodes must be at least 1")
        self._options = chosen
        self._workload = workload
        self._sessions = sessions(workload)
        self._replica: dict[Hashable, int] = {}
        ring = sorted(
            (number_hash(chosen.seed, 0, replica, point), replica)
            for replica in range(replicas)
            for point in range(chosen.virtual_nodes)
        )
        self._points = [point for point, _ in ring]
        self._owners = [replica for _, replica in ring]

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The owner of the first point of the ring at or after the hash of the request's key."""
        key = self._sessions[request] if self._options.key == "session" else self._prefix(request)
        replica = self._replica.get(key)
        if replica is None:
            at = bisect_left(self._points, number_hash(self._options.seed, 1, len(self._replica)))
            replica = self._replica[key] = self._owners[at % len(self._owners)]
        return replica

    def _prefix(self, request: int) -> Hashable:
        """Equal for prompts, of one namespace, that begin with the same tokens."""
        work = self._workload
        tokens = min(int(work.prompt_tokens[request]), self._options.prefix_tokens)
        if not tokens:
            return None
        return int(page_ids(work.paths(1).ranges(int(work.prompt[request]), tokens), tokens - 1)[0])
