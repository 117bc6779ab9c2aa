"""What every report says about a trace. In: a Trace and its workload. Out: `TraceFacts`."""

from __future__ import annotations

import numpy as np

from cachelens.model.rows import TraceFacts
from cachelens.model.trace import Trace
from cachelens.simulate.workload import Workload


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 of nothing."""
    return part / whole if whole else 0.0


def facts(trace: Trace, work: Workload) -> TraceFacts:
    """What every report says about a trace."""
    frame = trace.requests
    return TraceFacts(
        requests=len(trace),
        sessions=frame["session_id"].n_unique(),
        lineages=frame["lineage_id"].n_unique(),
        prompt_tokens=int(frame["prompt_tokens"].sum()),
        unique_tokens=_unique_tokens(trace),
        working_set_tokens=work.working_set(),
        output_tokens=int(frame["output_tokens"].sum()),
        encoding=trace.encoding,
        render=trace.render,
        sources=trace.sources,
        harnesses=tuple(sorted(frame["harness"].drop_nulls().unique())),
        models=tuple(sorted(frame["model"].drop_nulls().unique())),
        dialects=tuple(sorted(frame["dialect"].drop_nulls().unique())),
        skipped=trace.skipped,
        skipped_records=sum(report.records for report in trace.skipped),
        notes=trace.notes,
    )


def _unique_tokens(trace: Trace) -> int:
    """Tokens of the distinct contents that stand in some prompt."""
    in_prompt = np.zeros(len(trace.segments), dtype=bool)
    for row in trace.last_segment.tolist():
        while row >= 0 and not in_prompt[row]:
            in_prompt[row] = True
            row = int(trace.segments.parent[row])
    contents = np.unique(trace.segments.content[in_prompt])
    return int(trace.contents.tokens[contents].sum())
