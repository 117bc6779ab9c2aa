"""Least recently used. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Lru:
    """Evicts the leaf whose last use lies longest ago."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> int:
        """Last use."""
        return node.last
