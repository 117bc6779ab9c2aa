"""One request token by token. In: a trace, the cache to replay, which request. Out: an `Inspection`, checked."""

from __future__ import annotations

from dataclasses import dataclass

import cachelens
from cachelens.errors import UsageError
from cachelens.model.inspection import (
    Inspection,
    Step,
    check,
)
from cachelens.model.kinds import OUTCOMES
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Trace
from cachelens.pipeline.analysis import engine_facts, request_rows
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.closeup import Closeup
from cachelens.pipeline.facts import facts
from cachelens.pipeline.findings import advise
from cachelens.pipeline.savings import Bench
from cachelens.pipeline.selection import by_finding, by_name, most_wasteful
from cachelens.pipeline.sizes import Sizes

#: Requests of the lineage that are shown, the inspected one included.
STEPS = 11


def inspect(
    trace: Trace,
    options: AnalyzeOptions,
    request: str | None = None,
    finding: str | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Look at one request of `trace` under one cache model.

    `request`: an id, how one begins, or a number in order of start from 1. `finding`: code or name of a rule, or
    the fingerprint of a finding: the request where it is worst. Neither: the request that wastes most. Raises
    UsageError for a request or finding that is not there, and as `analyze` does.
    """
    if request is not None and finding is not None:
        raise UsageError("a request and a finding were asked for", "leave one of them out")
    ids = trace.requests["request_id"].to_list()
    if request is not None:
        by_name(ids, request)  # before the replay: a wrong name should not take long
    case, _ = build_case(trace, options, progress)
    if request is not None:
        chosen, why = by_name(ids, request), "asked for"
    elif finding is not None:
        found = advise(case, Bench(case, Sizes(options.kv).shape), progress=progress).findings
        chosen, why = by_finding(found, ids, finding)
    else:
        chosen, why = most_wasteful(case)
    progress("looking at one request", 0, None)
    made = _View(case, chosen, options.show_text).inspection(why)
    check(made)
    return made


@dataclass(eq=False)
class _View(Closeup):
    """One request of a case, in its lineage."""

    def inspection(self, why: str) -> Inspection:
        case, request = self.case, self.request
        trace = case.trace
        row = request_rows(case)[request]
        started = trace.requests["started_at"][request]
        prompt = int(case.told.prompt[request])
        lineage, earlier = self._lineage()
        return Inspection(
            cachelens=cachelens.__version__,
            trace=facts(trace, case.work),
            engine=engine_facts(trace, case.engine_name, case.setup, case.replay),
            chosen_by=why,
            number=request + 1,
            started_at=None if started is None else started.isoformat(),
            request=row,
            segments=self.segments(),
            edits=self.edit_rows,
            divergence_edit=self.divergence_edit,
            break_=self.broken,
            echo=self.echo,
            lineage=lineage,
            earlier_steps=earlier,
            spawned_by=self._spawner(),
            reported_prompt_tokens=prompt if prompt >= 0 else None,
            shows_text=self.show_text,
        )

    # -- the lineage

    def _lineage(self) -> tuple[tuple[Step, ...], int]:
        """The last requests of the lineage up to this one, and how many stand before them."""
        case = self.case
        whole = [at for at in case.requests_of_lineage[case.lineages[self.request]] if at <= self.request]
        shown = whole[-STEPS:]
        earlier = len(whole) - len(shown)
        befores = [whole[earlier - 1] if earlier else None, *shown[:-1]]
        return tuple(self._step(at, before) for at, before in zip(shown, befores, strict=True)), earlier

    def _step(self, at: int, before: int | None) -> Step:
        case, frame = self.case, self.case.trace.requests
        start = case.started_us[at]
        earlier = case.started_us[before] if before is not None else None
        broken, unfaithful = case.past.breaks.get(at), case.past.echoes.get(at)
        tokens = case.outcome_tokens[at].tolist()
        return Step(
            number=at + 1,
            request_id=frame["request_id"][at],
            previous_request_id=frame["previous_request_id"][at],
            gap_s=None if start is None or earlier is None else (start - earlier) / 1e6,
            prompt_tokens=int(case.work.prompt_tokens[at]),
            outcomes={name: number for name, number in zip(OUTCOMES, tokens, strict=True) if number},
            break_kind=None if broken is None else broken.kind,
            echo_kind=None if unfaithful is None else unfaithful.kind,
        )

    def _spawner(self) -> str | None:
        """The request that began the lineage, where it is known."""
        case = self.case
        first = case.requests_of_lineage[case.lineages[self.request]][0]
        frame = case.trace.requests
        if frame["previous_request_id"][first] is not None:
            return None
        spawner: str | None = frame["parent_request_id"][first]
        return spawner
