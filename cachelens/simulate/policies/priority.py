"""By priority. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Priority:
    """Evicts the leaf of the lowest priority that any of its requests had."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> tuple[int, int]:
        """Priority, then last use."""
        return (node.priority, node.last)
