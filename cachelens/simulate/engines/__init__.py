"""Engines: models of real caches, name -> class. In: nothing. Out: `ENGINES`."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

_HERE = "cachelens.simulate.engines"

ENGINES = Registry(
    "engine",
    {
        "sglang": Entry(f"{_HERE}.sglang:Sglang", "SGLang's radix tree: whole leaves, eight policies"),
    },
    "cachelens.engines",
)
