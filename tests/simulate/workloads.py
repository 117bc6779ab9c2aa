"""Small workloads of token ids. In: lists of (prompt, output, options). Out: `Workload`s, by way of a trace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from cachelens.model.options import IngestOptions
from cachelens.pipeline.loading import load
from cachelens.simulate.workload import Workload, workload


class Call(NamedTuple):
    """One request: token ids, and its start and duration in seconds (None: no times)."""

    prompt: list[int]
    output: Sequence[int] = ()
    namespace: str = ""
    priority: int = 0
    start: float | None = None
    duration: float | None = None
    session: str | None = None


def work_of(calls: Sequence[Call], folder: Path) -> Workload:
    """The workload of `calls`, read through a token trace in `folder`."""
    path = folder / "calls.jsonl"
    with open(path, "w") as stream:
        for number, call in enumerate(calls):
            record: dict[str, Any] = {
                "request_id": f"r{number}",
                "tokens": call.prompt,
                "output_tokens": list(call.output),
                "namespace": call.namespace,
                "priority": call.priority,
            }
            if call.start is not None:
                record |= {"timestamp": 1_700_000_000 + call.start, "duration_s": call.duration}
            if call.session is not None:
                record["session_id"] = call.session
            stream.write(json.dumps(record) + "\n")
    return workload(load([str(path)], IngestOptions()))


@st.composite
def calls(draw: st.DrawFn, timed: bool = False, most: int = 24) -> list[Call]:
    """Requests over few token ids, many of which extend or share a prefix of earlier ones."""
    token = st.integers(0, 2)
    texts: list[list[int]] = []
    found: list[Call] = []
    clock = 0.0
    for _ in range(draw(st.integers(1, most))):
        base: list[int] = []
        if texts and draw(st.booleans()):
            base = draw(st.sampled_from(texts))
            base = base[: draw(st.integers(0, len(base)))]
        prompt = [*base, *draw(st.lists(token, min_size=1, max_size=12))]
        output = draw(st.lists(token, max_size=5))
        texts.append([*prompt, *output])
        clock += draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
        found.append(
            Call(
                prompt,
                output,
                namespace=draw(st.sampled_from(["", "", "b"])),
                priority=draw(st.integers(0, 2)),
                start=clock if timed else None,
                duration=draw(st.sampled_from([0.0, 0.5, 2.0, 5.0])) if timed else None,
                session=None,
            )
        )
    return found
