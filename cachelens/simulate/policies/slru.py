"""Segmented least recently used. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Slru:
    """Evicts leaves of fewer than `protected_threshold` requests (probation) before all others."""

    def __init__(self, options: PolicyOptions) -> None:
        self._threshold = options.protected_threshold

    def key(self, node: Evictable) -> tuple[bool, int]:
        """Whether it is protected, then last use."""
        return (node.hits >= self._threshold, node.last)
