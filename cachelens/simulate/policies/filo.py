"""First in, last out. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Filo:
    """Evicts the leaf that was created last."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> int:
        """Creation, newest first."""
        return -node.created
