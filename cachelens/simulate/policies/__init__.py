"""Eviction policies of radix trees: name -> class. In: nothing. Out: `POLICIES`."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

_HERE = "cachelens.simulate.policies"

POLICIES = Registry(
    "policy",
    {
        "lru": Entry(f"{_HERE}.lru:Lru", "least recently used first"),
        "lfu": Entry(f"{_HERE}.lfu:Lfu", "fewest requests first, then least recently used"),
        "fifo": Entry(f"{_HERE}.fifo:Fifo", "oldest first"),
        "mru": Entry(f"{_HERE}.mru:Mru", "most recently used first"),
        "filo": Entry(f"{_HERE}.filo:Filo", "newest first"),
        "priority": Entry(f"{_HERE}.priority:Priority", "lowest priority first, then least recently used"),
        "slru": Entry(
            f"{_HERE}.slru:Slru", "used once first, then the others, each least recently used first"
        ),
        "tlru": Entry(f"{_HERE}.tlru:Tlru", "ends that the next prompt hardly needs first (tail-optimized)"),
    },
    "cachelens.policies",
)
