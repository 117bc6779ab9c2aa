"""Hash traces replayed block by block, as studies of them do. In: a trace of block hashes. Out: hits in blocks.

Plain block LRU: a request touches its blocks from the first to the last, so that its first block is the
oldest of them; a hit is the leading run of resident blocks. A run of blocks that lie together in the
recency order is served whole or not at all. The capacity is a number of blocks, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cachelens.model.trace import Contents, Int64, Trace
from cachelens.prefix.forest import place
from cachelens.prefix.minimum import min_curve
from cachelens.prefix.queries import block_lru_hits, infinite_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs


@dataclass(frozen=True)
class BlockReplay:
    """`references`: blocks sent, `unique`: distinct ones, `ideal`: those an infinite cache would serve.

    `full_sent`: whole blocks among those sent. Per request: `runs` in blocks.
    """

    references: int
    unique: int
    ideal: int
    full_sent: int
    requests: int
    runs: ReuseRuns

    def lru(self, capacity: int) -> int:
        """Blocks served by block LRU of `capacity` blocks."""
        return int(block_lru_hits(self.runs, self.requests, capacity).sum())

    def optimal(self, capacities: Sequence[int]) -> list[int]:
        """Blocks served by perfect eviction at each capacity."""
        found: list[int] = min_curve(self.runs, self.requests, list(capacities)).tolist()
        return found


def replay(trace: Trace) -> BlockReplay:
    """Prepare a hash trace for replays in blocks. Every segment of it is one block."""
    contents = _of_one(trace.contents)
    forest, (prompts,) = place(
        trace.segments, contents, [trace.last_segment], trace.requests["namespace"].to_list()
    )
    runs = reuse_runs(forest, prompts)
    size = int(trace.contents.tokens.max()) if len(trace.contents) else 1
    whole = (trace.contents.tokens == size).astype(np.int64)
    return BlockReplay(
        references=_sum_over_prompts(trace, np.ones(len(trace.contents), dtype=np.int64)),
        unique=int((forest.end - forest.start).sum()),
        ideal=int(infinite_hits(runs, len(trace)).sum()),
        full_sent=_sum_over_prompts(trace, whole),
        requests=len(trace),
        runs=runs,
    )


def _of_one(contents: Contents) -> Contents:
    """The same contents, each one token long and atomic: a token of the forest is then a block."""
    ones = np.ones(len(contents), dtype=np.int64)
    nothing = np.zeros(len(contents) + 1, dtype=np.int64)
    return replace(contents, tokens=ones, offsets=nothing, ids=np.zeros(0, dtype=np.uint32))


def _sum_over_prompts(trace: Trace, weight: Int64) -> int:
    """Sum of a weight per content over all segments of all prompts."""
    depth = [0] * (len(trace.segments) + 1)
    weights = weight[trace.segments.content].tolist()
    for row, (before, own) in enumerate(zip(trace.segments.parent.tolist(), weights, strict=True)):
        depth[row] = depth[before] + own
    return sum(depth[row] for row in trace.last_segment.tolist())
