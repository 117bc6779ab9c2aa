"""How long `cachelens analyze FILE` takes beside a bare `for line in f: orjson.loads(line)` over the same file.

In: files. Out: a Markdown row for each: seconds of both (start of the process to its end, best of three,
runs taken in turn), their ratio, and the peak memory of both.

    python -m tests.bench.bench_analyze trace.jsonl
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

LOOP = "import orjson, sys\nfor line in open(sys.argv[1], 'rb'):\n    orjson.loads(line)\n"
HEADER = (
    "| file | MB | requests | analyze s | orjson loop s | ratio | analyze MiB | orjson loop MiB |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|"
)


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one run. Raises RuntimeError when it fails."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … ended with status {process.returncode}")
    return seconds, usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def row(path: Path, rounds: int = 3) -> str:
    """The Markdown row of one file."""
    analyze = [sys.executable, "-m", "cachelens", "analyze", str(path)]
    loop = [sys.executable, "-c", LOOP, str(path)]
    runs = [(measure(loop), measure(analyze)) for _ in range(rounds)]
    loop_s, analyze_s = (min(run[which][0] for run in runs) for which in (0, 1))
    loop_mib, analyze_mib = (max(run[which][1] for run in runs) for which in (0, 1))
    with path.open("rb") as stream:
        requests = sum(1 for _ in stream)
    megabytes = path.stat().st_size / 1e6
    return (
        f"| {path.name} | {megabytes:.1f} | {requests} | {analyze_s:.2f} | {loop_s:.2f} "
        f"| {analyze_s / loop_s:.2f} | {analyze_mib:.0f} | {loop_mib:.0f} |"
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
