"""Least frequently used. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Lfu:
    """Evicts the leaf that fewest requests published through."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> tuple[int, int]:
        """Requests, then last use."""
        return (node.hits, node.last)
