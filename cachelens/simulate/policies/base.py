"""The contract of an eviction policy. In: a node of a radix tree. Out: a key; smaller is evicted earlier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Evictable(Protocol):
    """What a policy may look at. Times are ticks of the tree's own clock, depths in tokens.

    `last`: last use; `created`; `hits`: requests that published through it; `priority`: the highest of
    them; `depth`: tokens before it; `high_water`: the deepest end that was ever published through it.
    """

    last: int
    created: int
    hits: int
    priority: int
    high_water: int

    @property
    def depth(self) -> int:
        """Tokens before the node."""
        ...


@dataclass(frozen=True)
class PolicyOptions:
    """Parameters that some policies have; see their classes."""

    protected_threshold: int = 2
    tlru_threshold: int = 0
    tlru_next_prompt: int = 0


class Policy(Protocol):
    """One eviction policy, constructed as `Class(options)`. Only leaves nobody uses are ever evicted."""

    def __init__(self, options: PolicyOptions) -> None: ...

    def key(self, node: Evictable) -> Any:
        """A comparable key; the leaf with the smallest is evicted first."""
        ...
