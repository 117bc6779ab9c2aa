"""Recorded answers of real engines. In: the folder of ../shared/golden. Out: workloads and answers."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cachelens.model.options import IngestOptions
from cachelens.model.trace import Int64
from cachelens.pipeline import load as load_trace
from cachelens.simulate.engine import Setup
from cachelens.simulate.workload import Workload, workload

_NAME = re.compile(
    r"(?P<workload>\w+)\.(?P<impl>[\w-]+)\.(?P<protocol>\w+)\.(?P<policy>\w+)"
    r"\.ps(?P<page>\d+)\.cap(?P<capacity>\d+)(\.chunk(?P<chunk>\d+))?\.jsonl\.gz"
)


@dataclass(frozen=True)
class Recording:
    """One file of answers: the engine and setup that made it."""

    path: Path
    workload: Path
    engine: str
    setup: Setup

    def hits(self) -> Int64:
        with gzip.open(self.path) as lines:
            return np.array([json.loads(line)["hit_tokens"] for line in lines], dtype=np.int64)


def recordings(folder: Path) -> list[Recording]:
    found = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        options: dict[str, str] = {}
        engine = "vllm"
        if match["impl"] != "vllm":
            engine = "sglang"
            options["tree"] = "classic" if match["impl"] == "radix" else "unified"
            options["protocol"] = match["protocol"]
            if match["policy"] == "tlru":
                options |= {"tlru_threshold": "256", "tlru_next_prompt": "32"}
            # vLLM allocates and hashes chunk by chunk with the same result; it has no such option here.
            if match["chunk"]:
                options["chunk"] = match["chunk"]
        setup = Setup(
            capacity_tokens=int(match["capacity"]),
            page_size=int(match["page"]),
            policy=match["policy"],
            options=options,
        )
        found.append(Recording(path, folder / f"{match['workload']}.jsonl.gz", engine, setup))
    return found


@cache
def golden_workload(path: Path, priorities: bool) -> Workload:
    from dataclasses import replace

    work = workload(load_trace([str(path)], IngestOptions()))
    if not priorities:
        return work
    return replace(work, priority=np.arange(len(work), dtype=np.int64) * 7919 % 3)
