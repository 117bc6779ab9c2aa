"""SGLang's HiCache: the radix tree with a second tier in host memory.

In: a workload, capacity, page size, policy, and as a tier the host's capacity. Out: tokens served, and which
of them came from the host. Everything else is as in `sglang`: this is the same tree, whose nodes stay when
the device evicts them and the host has a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from cachelens.errors import UsageError
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.engines import sglang
from cachelens.simulate.host_tree import HostTree, WritePolicy
from cachelens.simulate.options import engine_options
from cachelens.simulate.radix import Node
from cachelens.simulate.workload import Workload

#: Tokens below which a host hit is not worth a transfer and is computed again (load_back_threshold).
LOAD_BACK_THRESHOLD = 10
_SOURCE = Source(
    "sglang 0.5.23, mem_cache/unified_radix_cache.py and mem_cache/unified_cache",
    "Python package sglang 0.5.23",
    "2026-11-24",
)
_DESIGN = Source(
    "HiCache system design and optimization",
    "https://docs.sglang.io/docs/advanced_features/hicache_design",
    "2026-11-24",
)


@dataclass(frozen=True)
class Options(sglang.Options):
    """Those of `sglang`, of which `tree` and `protocol` can only be the defaults, and:

    `write_policy`: when a node is copied to the host. `ratio`: the host's size as a multiple of the device's,
    unless a tier says it. `load_back_threshold`: the fewest tokens that are loaded from the host.
    """

    write_policy: Literal["write_through", "write_through_selective", "write_back"] = "write_through"
    ratio: float = 2.0
    load_back_threshold: int = LOAD_BACK_THRESHOLD


class Hicache(sglang.Sglang):
    """SGLang's UnifiedRadixCache with --enable-hierarchical-cache, for models with full attention."""

    Options = Options
    facts: ClassVar[Facts] = replace(
        sglang.Sglang.facts,
        name="hicache",
        title="SGLang HiCache (host memory as second tier)",
        tiers=1,
        sources=(_SOURCE, _DESIGN),
        unknown=(
            "The tiers are read from the source; recorded runs are of the tree without a host.",
            "Copies take no time: in the server a node that is being written stays on the device until that is done.",
            "The third tier (storage) is not modeled, nor host memory as a buffer for it: prefetching at least "
            "256 tokens from it runs against time.",
            "A server with little memory makes its host smaller than the default.",
            *sglang.Sglang.facts.unknown,
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        if options.tree != "unified" or options.protocol != "engine":
            raise UsageError(
                "hicache has the unified tree and the protocol of the engine only",
                "leave tree and protocol out, or choose sglang",
            )
        if not options.ratio >= 0 or options.ratio == float("inf"):
            raise UsageError("the ratio of host to device is a number from 0 on", "such as --set ratio=2.0")
        super().__init__(workload, setup)
        host: int | None = None
        if setup.tiers:
            host = setup.tiers[0].capacity_tokens // self._page
        elif self._pages is not None:
            # The pool has one page more than the ratio says (pool_host/base.py).
            host = int(self._pages * self._page * options.ratio) // self._page + 1
        self._name = setup.tiers[0].name if setup.tiers else "host"
        self._threshold = max(1, options.load_back_threshold)
        writes = WritePolicy(options.write_policy)
        self._tiered = HostTree(self._page, self._policy, host, writes, self._losses)
        self.tree = self._tiered
        self._loaded = np.zeros(len(workload), dtype=np.int64)

    def replay(self) -> Replay:
        """Tokens served to each request, and how many of them came from the host."""
        return replace(super().replay(), tiers={self._name: self._loaded})

    def start(self, request: int) -> int | None:
        """As in `sglang`; what was loaded from the host is settled when the prompt is computed."""
        served = super().start(request)
        if served is not None:
            self._tiered.settle(self._running[request].node)
        return served

    def _present(self, request: int, found: Node) -> Node:
        """Load what is on the host only: all of it, or nothing if it is little or finds no room."""
        tree = self._tiered
        device = tree.on_device(found)
        pages = found.end - device.end
        if pages == 0 or pages * self._page < self._threshold:
            return device
        # Making room may push other nodes to the host, and nodes out of it: not these.
        tree.lock(found)
        tree.lock(device)
        room = self._make_room(pages)
        if room:
            tree.load(found)
            self._loaded[request] = pages * self._page
        tree.unlock(device)
        tree.unlock(found)
        return found if room else device
