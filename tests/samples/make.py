"""Write `sample_traces/` anew: `python -m tests.samples.make`. In: nothing. Out: the captures and their README.

The figures in the README come from `cachelens analyze --format json` on the files just written.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.samples.variants import Sample, samples

FOLDER = Path(__file__).parents[2] / "sample_traces"

HEAD = """# Sample traces

Small captures of a made-up coding agent at work on a made-up tide-table library. All of them are written by
`python -m tests.samples.make`, which also fills the table below; a test makes them again and compares every
byte. Replies are scripted, and reported usage comes from a simple model of a provider with a vocabulary of
its own, so use neither to judge a tokenizer or a provider.

Try `cachelens analyze sample_traces/nonce-in-system.jsonl`.

| file | what it shows | requests | sessions | lineages | prompt tokens | ideal hit | breaks | amplification |
|---|---|--:|--:|--:|--:|--:|--:|--:|
"""

TAIL = """
Lineages are growing prompts: a main thread, a sub-agent. The ideal hit is the share of prompt tokens served by
an infinite cache that works token by token. A break is a request whose prompt does not start with the whole
prompt of the request before it in its lineage. Amplification is tokens computed per token that was new; here
too the cache is infinite, so whatever is computed again was lost to a break.
"""


def analyze(path: Path) -> dict[str, Any]:
    """The result of `cachelens analyze` on one capture, under an infinite cache."""
    command = [
        sys.executable,
        "-m",
        "cachelens",
        "analyze",
        str(path),
        "--engine",
        "ideal",
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{path.name}: {done.stderr.decode()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row(sample: Sample, result: dict[str, Any]) -> str:
    """One line of the table."""
    trace, totals = result["trace"], result["totals"]
    breaks = sum(request["break"] is not None for request in result["requests"])
    amplification = totals["prefill_amplification"]
    cells = [
        f"`{sample.name}`",
        sample.shows,
        trace["requests"],
        trace["sessions"],
        trace["lineages"],
        f"{trace['prompt_tokens']:,}",
        f"{100 * totals['ideal_hit_rate']:.1f} %",
        breaks,
        "-" if amplification is None else f"{amplification:.2f}",
    ]
    return f"| {' | '.join(map(str, cells))} |\n"


def readme(results: Mapping[str, dict[str, Any]]) -> str:
    """The text of `sample_traces/README.md`, from the result of each capture by file name."""
    return HEAD + "".join(row(sample, results[sample.name]) for sample in samples()) + TAIL


def main() -> None:
    """Write every capture, then the README."""
    FOLDER.mkdir(exist_ok=True)
    for sample in samples():
        (FOLDER / sample.name).write_bytes(sample.data)
        print(f"{len(sample.data):9,d}  {sample.name}")
    results = {sample.name: analyze(FOLDER / sample.name) for sample in samples()}
    (FOLDER / "README.md").write_text(readme(results), encoding="utf-8")


if __name__ == "__main__":
    main()
