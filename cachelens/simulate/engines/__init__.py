"""Engines: models of real caches, name -> class. In: nothing. Out: `ENGINES`."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

_HERE = "cachelens.simulate.engines"

ENGINES = Registry(
    "engine",
    {
        "sglang": Entry(f"{_HERE}.sglang:Sglang", "SGLang's radix tree: whole leaves, eight policies"),
        "vllm": Entry(f"{_HERE}.vllm:Vllm", "vLLM's block pool: chained hashes, freed back to front"),
        "lru": Entry(f"{_HERE}.bounds:Lru", "least recently used, token by token: the stack model"),
        "optimal": Entry(f"{_HERE}.bounds:Optimal", "perfect eviction: what no policy can beat at a capacity"),
        "ideal": Entry(f"{_HERE}.bounds:Ideal", "an infinite cache, token by token: what no cache can beat"),
    },
    "cachelens.engines",
)
