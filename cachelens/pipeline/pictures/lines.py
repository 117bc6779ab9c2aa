"""Hit rate over cache size, for a picture. In: a case, remedies. Out: a `Curve` of few points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

import cachelens
from cachelens.advise.case import Case
from cachelens.advise.plan import join
from cachelens.model.curve import Curve, CurvePoint, Series
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Int64
from cachelens.pipeline.facts import facts
from cachelens.pipeline.remedies import Found
from cachelens.pipeline.savings import rewritten
from cachelens.pipeline.sizes import Sizes
from cachelens.prefix.minimum import min_curve
from cachelens.prefix.queries import curve_at
from cachelens.simulate.options import chosen as in_force
from cachelens.simulate.workload import workload

#: Sizes at which LRU is known, perfect eviction is, and policies are replayed: log-spaced up to the working set.
_LRU, _OPTIMAL, _REPLAYED = 193, 25, 9
#: Requests replayed for all policies together, at most.
_BUDGET = 30_000


def lines(
    case: Case, remedies: Sequence[Found], options: AnalyzeOptions, progress: Progress = silent
) -> Curve:
    """The curve of a case at a choice of sizes, with today's cache, all remedies and the engine's policies."""
    work, engine, setup = case.work, case.engine, case.setup
    page, _ = in_force(setup, engine.facts)
    working_set = work.working_set()
    runs = work.runs(page)
    today = setup.capacity_tokens
    exact = {today} if today is not None else set()
    best = sorted({*_spaced(working_set, page, _OPTIMAL), *exact})
    sizes = sorted({*_spaced(working_set, page, _LRU), *best})
    optimal = dict(zip(best, min_curve(runs, len(case), best).tolist(), strict=True))
    remedied, sent = _remedied(case, remedies, page, sizes)
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(case.trace, work),
        working_set=working_set,
        page_size=page,
        prompt_tokens=int(work.prompt_tokens.sum()),
        ideal_hit_tokens=int(runs.tokens.sum()),
        points=tuple(
            CurvePoint(size, hits, optimal.get(size))
            for size, hits in zip(sizes, curve_at(runs, sizes).tolist(), strict=True)
        ),
        marked_capacity_tokens=today,
        series=_policies(case, _spaced(working_set, page, _REPLAYED), progress),
        kv_bytes_per_token=Sizes(options.kv).kv_bytes_per_token,
        remedied=remedied,
        remedied_prompt_tokens=sent,
        today=(today, int(case.replay.hit.sum())),
    )


def _spaced(working_set: int, page: int, count: int) -> list[int]:
    """`count` sizes, equal factors apart, from a hundredth of the working set to a little more than all of it."""
    low = max(page, working_set // 100, 1)
    high = max(working_set * 1.25, low * 1.25)
    spaced: npt.NDArray[np.float64] = np.geomspace(low, high, count)
    return sorted({int(size) for size in spaced.round().tolist()})


def _remedied(
    case: Case, remedies: Sequence[Found], page: int, sizes: Sequence[int]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """LRU at these sizes once all remedies are followed, and the prompt tokens then sent."""
    plan = join(one.plan for one in remedies)
    if plan.empty:
        return (), 0
    work = workload(rewritten(case, plan), case.work) if plan.rewrites else case.work
    hits: Int64 = curve_at(work.runs(page), sizes)
    return tuple(zip(sizes, hits.tolist(), strict=True)), int(work.prompt_tokens.sum())


def _policies(case: Case, sizes: Sequence[int], progress: Progress) -> tuple[Series, ...]:
    """The engine by each of its policies, as many as the budget allows, its own first."""
    facts, setup = case.engine.facts, case.setup
    page, own = in_force(setup, facts)
    if not facts.sized or setup.tiers:
        return ()
    affordable = _BUDGET // max(len(case) * len(sizes), 1)
    names = [own, *(name for name in facts.policies if name != own)][:affordable]
    found = []
    for number, policy in enumerate(names):
        progress("replaying policies", number, len(names))
        points = tuple(
            (size, int(case.engine(case.work, cell).replay().hit.sum()))
            for size in sizes
            if size >= page
            for cell in (replace(setup, capacity_tokens=size, policy=policy),)
        )
        found.append(Series(engine=case.engine_name, policy=policy, page_size=page, points=points))
    return tuple(found)
