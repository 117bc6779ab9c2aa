"""Least-recently-used caching at one capacity and page size, from the reuse-run table.

In: a forest with the requests on it. Out: hits of that cache, of an infinite one and of perfect eviction.
The model: a request matches the longest resident prefix of its prompt, then the whole prompt becomes the
most recently used; within a prompt deeper tokens are older. Requests are replayed in order of start.
"""

from __future__ import annotations

from dataclasses import dataclass

from cachelens.model.trace import Int64
from cachelens.prefix.forest import Forest
from cachelens.prefix.minimum import min_hits
from cachelens.prefix.queries import hits_at, infinite_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs


@dataclass(frozen=True)
class LruReplay:
    """Hit tokens per request: `hit` at the capacity, `paged` with unlimited capacity and the same pages,
    `reusable` with unlimited capacity token by token, `optimal` with perfect eviction at the capacity."""

    hit: Int64
    paged: Int64
    reusable: Int64
    optimal: Int64
    runs: ReuseRuns


def replay(forest: Forest, prompts: Int64, capacity_tokens: int | None, page_size: int) -> LruReplay:
    """Replay `prompts` (the forest node where each request's prompt ends) through an LRU cache.

    `capacity_tokens` None: unlimited. Raises ValueError for a capacity below one page.
    """
    if page_size < 1:
        raise ValueError("page_size must be at least 1")
    if capacity_tokens is not None and capacity_tokens < page_size:
        raise ValueError("the capacity must hold at least one page")
    count = len(prompts)
    runs = reuse_runs(forest, prompts)
    reusable = infinite_hits(runs, count)
    paged_runs = runs if page_size == 1 else reuse_runs(forest, prompts, page=page_size)
    paged = reusable if page_size == 1 else infinite_hits(paged_runs, count)
    if capacity_tokens is None:
        return LruReplay(paged, paged, reusable, paged, paged_runs)
    hit = hits_at(paged_runs, count, capacity_tokens)
    return LruReplay(hit, paged, reusable, min_hits(paged_runs, count, capacity_tokens), paged_runs)
