"""An eviction policy. In: a node of a radix tree. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class DeepestFirst:
    """Evicts the leaf that begins deepest in its prompt: what many prompts share stays longest."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> tuple[int, int]:
        """Depth, deepest first; then last use."""
        return (-node.depth, node.last)
