"""Most recently used. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Mru:
    """Evicts the leaf that was used last."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> int:
        """Last use, newest first."""
        return -node.last
