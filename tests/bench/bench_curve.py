"""How long the exact hit-rate curve of a synthetic agent trace takes, step by step.

In: number of requests (default 100,000). Out: seconds for forest, reuse runs, curve and MIN, and peak memory.
Sessions of 20 to 120 turns run 16 at a time under one shared system prompt; one turn in twelve starts a
sub-agent that drops the history, one in forty rewrites it from some point on.
"""

from __future__ import annotations

import random
import resource
import sys
import time

import numpy as np

from cachelens.model.trace import Contents, Int64, Segments
from cachelens.prefix.forest import place
from cachelens.prefix.minimum import min_hits
from cachelens.prefix.queries import curve, hits_at, infinite_hits
from cachelens.prefix.runs import reuse_runs


def agent_trace(requests: int, seed: int = 1) -> tuple[Segments, Contents, Int64, Int64]:
    """Segments, contents, prompt ends and output ends of `requests` agent requests."""
    rng = random.Random(seed)
    parent: list[int] = []
    content: list[int] = []
    lengths: list[int] = []

    def append(after: int, tokens: int) -> int:
        parent.append(after)
        content.append(len(lengths))
        lengths.append(tokens)
        return len(parent) - 1

    system = append(append(-1, 9_000), 6_000)
    running: list[tuple[int, int]] = []
    prompts: list[int] = []
    outputs: list[int] = []
    while len(prompts) < requests:
        while len(running) < 16:
            running.append((append(system, rng.randint(50, 2_000)), rng.randint(20, 120)))
        slot = rng.randrange(16)
        end, turns = running[slot]
        chance = rng.random()
        if chance < 1 / 40:
            for _ in range(rng.randint(1, 12)):
                end = parent[end] if parent[parent[end]] > system else end
            end = append(end, rng.randint(20, 400))
        elif chance < 1 / 40 + 1 / 12:
            side = append(system, rng.randint(500, 5_000))
            prompts.append(side)
            outputs.append(append(side, rng.randint(50, 900)))
            continue
        prompts.append(end)
        answer = append(end, rng.randint(30, 1_200))
        outputs.append(answer)
        running[slot] = (append(answer, rng.randint(20, 3_000)), turns - 1)
        if turns == 0:
            running.pop(slot)
    tokens = np.array(lengths, dtype=np.int64)
    count = len(lengths)
    contents = Contents(
        kind=np.zeros(count, np.uint8),
        bytes=tokens * 4,
        tokens=tokens,
        framing=np.zeros(count, np.int32),
        offsets=np.concatenate([[0], np.cumsum(tokens)]).astype(np.int64),
        ids=np.random.default_rng(seed).integers(0, 200_000, int(tokens.sum()), dtype=np.uint32),
    )
    rows = len(parent)
    none = np.full(rows, -1, np.int32)
    segments = Segments(
        parent=np.array(parent, np.int32),
        content=np.array(content, np.int32),
        kind=np.zeros(rows, np.uint8),
        role=np.zeros(rows, np.uint8),
        name=none,
        call_id=none,
        breakpoint_s=np.zeros(rows, np.int32),
        message=none,
        field=none,
        strings=(),
    )
    return segments, contents, np.array(prompts, np.int64), np.array(outputs, np.int64)


def main(requests: int) -> None:
    """Time each step and print it."""
    segments, contents, prompts, outputs = agent_trace(requests)
    n = len(prompts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock = time.perf_counter()

    def lap(step: str, note: str = "") -> None:
        nonlocal clock
        now = time.perf_counter()
        print(f"{step:<34}{now - clock:7.2f} s   {note}")
        clock = time.perf_counter()

    forest, (lookup, touch) = place(segments, contents, [prompts, outputs], ["bench"] * n)
    lap("forest", f"{len(forest):,} nodes, {len(contents.ids) / 1e6:.0f} M unique tokens")
    _ = forest.heads
    lap("heavy paths")
    runs = reuse_runs(forest, lookup)
    total = int(forest.end[lookup].sum())
    lap("reuse runs, prompts kept", f"{len(runs):,} rows, {n:,} requests, {total / 1e9:.2f} G prompt tokens")
    capacities, _ = curve(runs)
    lap("curve, every capacity", f"{len(capacities):,} breakpoints")
    best = infinite_hits(runs, n).sum()
    lap("infinite cache", f"{best / total:.4f} of prompt tokens hit")
    hits = hits_at(runs, n, 2_000_000).sum()
    lap("LRU at 2 M tokens", f"{hits / total:.4f}")
    hits = min_hits(runs, n, 2_000_000).sum()
    lap("MIN at 2 M tokens", f"{hits / total:.4f}")
    runs = reuse_runs(forest, lookup, touch)
    lap("reuse runs, generated text kept", f"{len(runs):,} rows")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB, of which {before:,.0f} MiB held the input")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
