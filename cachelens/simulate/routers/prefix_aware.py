"""Cache-aware routing as SGLang's gateway does it. In: prompts and running requests. Out: replicas.

The router remembers, for each replica, the prompts it sent there. A prompt goes to the replica that was sent
the longest prefix of it, if that is more than `cache_threshold` of the prompt, otherwise to the replica that
was sent the fewest different tokens. When the load is uneven it goes to the replica that runs the fewest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cachelens.errors import UsageError
from cachelens.simulate.options import convert
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """As those of sglang_router, with its defaults.

    The load is uneven when the most running requests exceed the fewest by more than `balance_abs_threshold`
    and by more than the factor `balance_rel_threshold`.
    """

    cache_threshold: float = 0.3
    balance_abs_threshold: int = 64
    balance_rel_threshold: float = 1.5


class PrefixAware:
    """One approximate tree for all replicas, over the nodes of the forest; `_holders` has a bit per replica."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        chosen = convert(Options, options, "prefix-aware")
        if not 0 <= chosen.cache_threshold <= 1:
            raise UsageError("prefix-aware: cache_threshold is a share from 0 to 1")
        if chosen.balance_abs_threshold < 0 or chosen.balance_rel_threshold < 0:
            raise UsageError("prefix-aware: thresholds of the load must not be negative")
        self._options = chosen
        self._threshold = np.float32(chosen.cache_threshold)
        self._nodes: list[int] = workload.prompt.tolist()
        self._parent: list[int] = workload.forest.parent.tolist()
        self._start: list[int] = workload.forest.start.tolist()
        self._end: list[int] = workload.forest.end.tolist()
        self._holders = [0] * len(workload.forest)
        self._sent = [0] * replicas  # different tokens

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The replica by load if that is uneven, else by prefix."""
        options, node = self._options, self._nodes[request]
        most, least = max(running), min(running)
        if most - least > options.balance_abs_threshold and most > least * options.balance_rel_threshold:
            replica = running.index(least)
        else:
            replica = self._by_prefix(node)
        self._remember(node, replica)
        return replica

    def _by_prefix(self, node: int) -> int:
        tokens = self._end[node]
        if not tokens:
            return self._sent.index(min(self._sent))
        while not self._holders[node] and self._parent[node] >= 0:
            node = self._parent[node]
        holders = self._holders[node]
        # The gateway compares 32-bit floats.
        if holders and np.float32(self._end[node]) / np.float32(tokens) > self._threshold:
            return (holders & -holders).bit_length() - 1  # the first of those that were sent the most of it
        return self._sent.index(min(self._sent))

    def _remember(self, node: int, replica: int) -> None:
        bit = 1 << replica
        while node >= 0 and not self._holders[node] & bit:
            self._holders[node] |= bit
            self._sent[replica] += self._end[node] - self._start[node]
            node = self._parent[node]
