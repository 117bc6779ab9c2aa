"""How long attribution, all rules and their replays take beside the ingestion of the same file.

In: files. Out: a Markdown row for each: seconds of both in one process (best of three), their ratio, the number of
findings, and the seconds of each part of the analysis: the case (forest, replay, edits, labels, ledger), the rules with
their remedies replayed, and the layouts.

    python -m tests.bench.bench_findings trace.jsonl
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline import load
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.findings import advise
from cachelens.pipeline.layouts import layouts
from cachelens.pipeline.savings import Bench

HEADER = (
    "| file | MB | requests | ingest s | attribution and rules s | ratio | findings | case s | rules s | layouts s |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def once(path: Path) -> tuple[float, float, float, float, int, int]:
    """Seconds of ingestion, case, rules and layouts; findings and requests."""
    marks = [time.perf_counter()]
    trace = load([str(path)], IngestOptions())
    marks.append(time.perf_counter())
    case, _ = build_case(trace, AnalyzeOptions())
    case.content.labels  # noqa: B018 - computed when first asked for
    marks.append(time.perf_counter())
    found = advise(case, Bench(case, None)).findings
    marks.append(time.perf_counter())
    layouts(trace, case.work)
    marks.append(time.perf_counter())
    ingest, own, rules, other = (end - start for start, end in pairwise(marks))
    return ingest, own, rules, other, len(found), len(trace)


def row(path: Path, rounds: int = 3) -> str:
    """The Markdown row of one file; each round in a process of its own."""
    runs = []
    for _ in range(rounds):
        code = f"import pathlib, tests.bench.bench_findings as b; print(*b.once(pathlib.Path({str(path)!r})))"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        *seconds, found, requests = done.stdout.split()
        runs.append((*map(float, seconds), int(found), int(requests)))
    ingest, own, rules, other = (min(run[at] for run in runs) for at in range(4))
    return (
        f"| {path.name} | {path.stat().st_size / 1e6:.1f} | {runs[0][5]} | {ingest:.2f} | {own + rules:.2f} "
        f"| {(own + rules) / ingest:.2f} | {runs[0][4]} | {own:.2f} | {rules:.2f} | {other:.2f} |"
    )


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(HEADER)
    for path in chosen.files:
        print(row(path, chosen.rounds), flush=True)


if __name__ == "__main__":
    main()
