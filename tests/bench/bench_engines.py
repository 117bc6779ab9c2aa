"""How fast engines replay, against the speed that the real cache code reached on the same shape of workload.

In: which workload: `agent` (100,000 synthetic agent requests, or as many as given), or a capture (the
golden workloads, the Mooncake conversation trace). Out: requests and prompt tokens per second of sglang and
vllm at several capacities, of every engine on a capture, and a 20-point grid.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import polars as pl

from cachelens.model.options import IngestOptions
from cachelens.model.tables import REQUESTS
from cachelens.model.trace import Trace
from cachelens.pipeline.loading import load
from cachelens.simulate.engine import Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload, workload
from tests.bench.bench_curve import agent_trace

#: Prompt tokens per second of the real code on a CPU, replaying one request at a time.
REAL = {"sglang": 0.9e6, "vllm": 2.4e6}


def agents(requests: int) -> Workload:
    segments, contents, prompts, outputs = agent_trace(requests)
    depth = [0] * (len(segments) + 1)
    tokens = contents.tokens[segments.content].tolist()
    for row, (before, own) in enumerate(zip(segments.parent.tolist(), tokens, strict=True)):
        depth[row] = depth[before] + own
    lengths = np.array(depth)[prompts]
    whole = np.array(depth)[outputs]
    columns = {name: pl.Series(name, [None] * len(prompts), dtype=kind) for name, kind in REQUESTS.items()}
    frame = pl.DataFrame(columns).with_columns(
        pl.Series("prompt_tokens", lengths),
        pl.Series("output_tokens", whole - lengths),
        pl.lit("bench").alias("namespace"),
        *([pl.lit(0, dtype=pl.Int32).alias("priority")] if "priority" in REQUESTS else []),
    )
    trace = Trace(
        requests=frame,
        segments=segments,
        contents=contents,
        last_segment=prompts,
        last_output=outputs,
        predecessor=np.full(len(prompts), -1, dtype=np.int64),
        skipped=(),
        encoding="exact",
        render="as captured",
        sources=("bench",),
    )
    return workload(trace)


def every_engine(work: Workload) -> None:
    """One replay by each engine, servers at a tenth of the working set with as much again in a slower tier."""
    tokens = int(work.prompt_tokens.sum())
    capacity = max(int(work.working_set() * 0.1), int(work.kept_tokens.max()) + 1024)
    for name in ENGINES:
        facts = ENGINES.load(name).facts
        sized = facts.sized and facts.kind != "api"
        tiers = (Tier("host", capacity),) if sized and facts.tiers and name != "lru" else ()
        setup = Setup(capacity_tokens=capacity if sized else None, tiers=tiers)
        clock = time.perf_counter()
        ENGINES.load(name)(work, setup).replay()
        took = time.perf_counter() - clock
        print(
            f"{name:15}{took:8.2f} s  {len(work) / took:12,.0f} requests/s  {tokens / took / 1e6:10,.1f} M tokens/s"
        )


def main(what: str, requests: int) -> None:
    work = agents(requests) if what == "agent" else workload(load([what], IngestOptions()))
    tokens = int(work.prompt_tokens.sum())
    print(
        f"{len(work):,} requests, {tokens / 1e6:,.1f} M prompt tokens, working set {work.working_set() / 1e6:,.2f} M"
    )
    for name, page in (("sglang", 1), ("sglang", 16), ("vllm", 16)):
        paths_clock = time.perf_counter()
        work.paths(page)
        paths = time.perf_counter() - paths_clock
        for share in (0.01, 0.1, 1.0):
            capacity = max(int(work.working_set() * share), int(work.kept_tokens.max()) + 2 * page)
            clock = time.perf_counter()
            replay = ENGINES.load(name)(work, Setup(capacity_tokens=capacity, page_size=page)).replay()
            took = time.perf_counter() - clock
            print(
                f"{name:8} page {page:3} capacity {share:5.0%}  hit {replay.hit.sum() / tokens:.4f}  {took:6.2f} s"
                f"  {len(work) / took:9,.0f} requests/s  {tokens / took / 1e6:8,.1f} M tokens/s"
                f"  {tokens / took / REAL[name]:7,.0f}x the real code   (page numbers {paths:.2f} s)"
            )
    if what != "agent":
        every_engine(work)
    clock = time.perf_counter()
    for share in np.geomspace(0.01, 1, 20):
        capacity = max(int(work.working_set() * share), int(work.kept_tokens.max()) + 2)
        ENGINES.load("sglang")(work, Setup(capacity_tokens=capacity)).replay()
    print(f"sglang, 20 capacities: {time.perf_counter() - clock:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "agent", int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
