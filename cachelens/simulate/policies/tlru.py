"""Tail-optimized least recently used. In: a node. Out: its key; smaller is evicted earlier."""

from __future__ import annotations

from cachelens.simulate.policies.base import Evictable, PolicyOptions


class Tlru:
    """Evicts first what lies so deep in its branch that losing it keeps the next prefill short.

    A branch once reached `high_water` tokens and its next prompt is expected `tlru_next_prompt` tokens
    longer; of that, `tlru_threshold` tokens may be computed again without harm.
    """

    def __init__(self, options: PolicyOptions) -> None:
        self._margin = options.tlru_next_prompt - options.tlru_threshold

    def key(self, node: Evictable) -> tuple[int, int]:
        """Whether it is needed, then last use."""
        needed = max(node.high_water + self._margin, 0)
        return (-1 if node.depth >= needed else 0, node.last)
