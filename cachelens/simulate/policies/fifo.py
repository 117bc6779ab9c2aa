"""First in, first out. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Fifo:
    """Evicts the leaf that was created first, used or not."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> int:
        """Creation."""
        return node.created
