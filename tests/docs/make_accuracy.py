"""Writes docs/accuracy.md. In: ../shared/public, real traffic with reported cached tokens. Out: the page.

Each source is replayed by the engine of its provider; what the provider reported stands beside it. Only counts
are taken from the captures, no text.
"""

from __future__ import annotations

import glob
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline.loading import load
from cachelens.pipeline.provider_engines import engine_of_trace
from cachelens.pipeline.reported import TOLERANCE, Reported, reported
from cachelens.simulate.engine import Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload, workload
from tests.shared import SHARED

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
#: What was found by hand, and stays until somebody looks again.
REVIEWED = Path(__file__).parent / "findings_reviewed.md"
COMMAND = "python -m tests.docs.make_accuracy"
#: A capture that holds less than this share of the prompt that the provider counted is partial.
_WHOLE = 0.9

HEAD = f"""# Accuracy: reported against simulated

Real traffic of `../shared/public` whose responses say how many prompt tokens came from a cache, replayed by
the engine of its provider, unlimited. Made by `{COMMAND}`; a test makes it again where those captures
are. Shares are of each side's own count of prompt tokens, since encodings differ. A request is `as expected`
when the simulated tokens, in the provider's count, are within {float(TOLERANCE):.0%} of its prompt of the reported
ones; prompts that the request goes on from are prefixes that the provider has counted itself.

`whole` captures hold nearly all of the prompt that the provider counted (at least {_WHOLE:.0%}); `partial` ones
lack the system prompt, the tools or server-side content, so that what they lack cannot be simulated: their
figures say what can be known, not how good the engine is. `marks assumed`: the capture is a transcript without
cache markers, replayed as if there were one after every block.

| source | engine | requests | prompt ours | theirs | simulated | reported | as expected | more | less | capture |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
"""

EXPLAINED = """
## What explains the differences

Each request that is not as expected, by the first explanation that holds:

| explanation | requests | tokens reported | tokens simulated |
|---|--:|--:|--:|
"""

WHY = {
    "partial": "the capture lacks part of the prompt",
    "warm": "read what was written before the capture began",
    "not modeled": "the provider has no engine here",
    "best effort": "the provider gives no guarantee: a prefix that was there was not served",
    "less": "unexplained: less was served than the provider's rules promise",
    "unexplained": "unexplained: more was served",
}


@dataclass(frozen=True, eq=False)
class Compared:
    """One source, replayed."""

    name: str
    trace: Trace
    work: Workload
    engine: str | None
    hit: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    said: Reported

    @property
    def whole(self) -> bool:
        ours = int(self.work.prompt_tokens[self.said.told].sum())
        return ours >= _WHOLE * int(self.said.prompt.sum())


def sources() -> list[Path]:
    public = SHARED / "public"
    return [
        public / "pi-mono" / "large-session.jsonl",
        public / "tracelab" / "claude_session.jsonl",
        public / "tracelab" / "codex_session.jsonl",
        *sorted((public / "pydantic-ai-cassettes").glob("*.yaml")),
    ]


def compare(path: Path) -> Compared | None:
    """The comparison of one source, None when it reports nothing."""
    trace = load([glob.escape(str(path))], IngestOptions())
    said = reported(trace)
    if not len(said.told) or not int(said.prompt.sum()):
        return None
    work = workload(trace)
    engine = engine_of_trace(trace)
    if engine is None:
        hit = np.zeros(len(work), dtype=np.int64)
    else:
        # Transcripts do not keep cache markers. The harness set them, or nothing would have been cached.
        assumed = engine in ("anthropic", "bedrock") and not _marked(trace) and int(said.cached.sum()) > 0
        setup = Setup(options={"marks": "everywhere"} if assumed else {})
        hit = ENGINES.load(engine)(work, setup).replay().hit
        engine += ", marks assumed" if assumed else ""
    return Compared(_short(path), trace, work, engine, hit, said)


def _marked(trace: Trace) -> bool:
    automatic = trace.requests["auto_breakpoint_ttl_s"].fill_null(0).max() or 0
    return bool((trace.segments.breakpoint_s > 0).any()) or int(automatic) > 0  # type: ignore[call-overload]


def _short(path: Path) -> str:
    if path.suffix != ".yaml":
        return f"{path.parent.name}/{path.stem}"
    return path.stem.rpartition("__")[2].removeprefix("test_").replace("|", " ")


def explain(one: Compared) -> list[tuple[str, int, int]]:
    """(explanation, tokens reported, tokens simulated) of each request that is not as expected."""
    found = []
    reusable = one.work.reusable(1, keeps_output=False)
    verdicts = one.said.verdicts(one.hit, one.work)
    for verdict, request, cached, prompt in zip(
        verdicts, one.said.told.tolist(), one.said.cached.tolist(), one.said.prompt.tolist(), strict=True
    ):
        if verdict == "as expected":
            continue
        hit = int(one.hit[request])
        if one.engine is None:
            why = "not modeled"
        elif verdict == "more" and int(one.work.prompt_tokens[request]) < _WHOLE * prompt:
            why = "partial"
        elif verdict == "more" and not reusable[request]:
            why = "warm"
        elif verdict == "less" and not cached and one.engine in ("openai", "gemini", "xai", "kimi"):
            why = "best effort"
        else:
            why = "less" if verdict == "less" else "unexplained"
        found.append((why, cached, hit))
    return found


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    why: Counter[str] = Counter()
    tokens: dict[str, list[int]] = {}
    silent = 0
    for path in sources():
        one = compare(path)
        if one is None:
            silent += 1
            continue
        ours = int(one.work.prompt_tokens[one.said.told].sum())
        theirs, cached = int(one.said.prompt.sum()), int(one.said.cached.sum())
        hit = int(one.hit[one.said.told].sum())
        count = Counter(one.said.verdicts(one.hit, one.work))
        lines.append(
            f"| {one.name} | {one.engine or '-'} | {len(one.said.told)} | {ours:,} | {theirs:,} "
            f"| {hit / ours if ours else 0:.1%} | {cached / theirs:.1%} | {count['as expected']} | {count['more']} "
            f"| {count['less']} | {'whole' if one.whole else 'partial'} |"
        )
        for name, reported_tokens, simulated in explain(one):
            why[name] += 1
            sums = tokens.setdefault(name, [0, 0])
            sums[0] += reported_tokens
            sums[1] += simulated
    lines.append(f"\n{silent} sources report nothing about caching.")
    lines.append(EXPLAINED.rstrip("\n"))
    for name, text in WHY.items():
        if why[name]:
            lines.append(f"| {text} | {why[name]} | {tokens[name][0]:,} | {tokens[name][1]:,} |")
    return "\n".join(lines) + "\n" + REVIEWED.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
