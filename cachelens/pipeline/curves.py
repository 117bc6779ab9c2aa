"""Hit rate over cache size. In: a Trace and what to evaluate. Out: a Curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import cachelens
from cachelens.errors import UsageError
from cachelens.model.curve import Curve, CurvePoint, Series
from cachelens.model.options import CurveOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Trace
from cachelens.pipeline.facts import facts, share
from cachelens.pipeline.sizes import Sizes
from cachelens.prefix.minimum import min_curve
from cachelens.prefix.queries import curve as exact_curve
from cachelens.prefix.queries import curve_at
from cachelens.simulate import blocks
from cachelens.simulate.engine import Engine, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.options import chosen, own_options
from cachelens.simulate.workload import Workload, workload


def curve(trace: Trace, options: CurveOptions, progress: Progress = silent) -> Curve:
    """The exact hit-rate curve of `trace` under LRU, with perfect eviction beside it.

    Raises UsageError for sizes that are none, and for `options.blocks` on anything but a hash trace.
    """
    if options.blocks:
        return _block_curve(trace, options, progress)
    progress("building the prefix forest", 0, None)
    work = workload(trace)
    progress("computing the curve", 0, None)
    page = options.page_size
    runs = work.runs(page)
    exact = exact_curve(runs)
    working_set = work.working_set()
    sizes = _Chosen(options, working_set)
    optimal = dict(zip(sizes.all, min_curve(runs, len(trace), sizes.all).tolist(), strict=True))
    lru = dict(zip(exact.capacities.tolist(), exact.hits.tolist(), strict=True))
    lru.update(zip(sizes.all, curve_at(runs, sizes.all).tolist(), strict=True))
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        working_set=working_set,
        page_size=page,
        prompt_tokens=int(trace.requests["prompt_tokens"].sum()),
        ideal_hit_tokens=int(runs.tokens.sum()),
        points=tuple(CurvePoint(c, hits, optimal.get(c)) for c, hits in sorted(lru.items())),
        marked_capacity_tokens=sizes.marked,
        capacities=tuple(sizes.asked),
        series=_series(work, options, sizes.all, progress),
        kv_bytes_per_token=Sizes(options.kv).kv_bytes_per_token,
    )


def _series(
    work: Workload, options: CurveOptions, sizes: list[int], progress: Progress
) -> tuple[Series, ...]:
    """One line per engine and policy, replayed at each of `sizes` that it can have."""
    engines: dict[str, type[Engine]] = {name: ENGINES.load(name) for name, _ in options.lines}
    own = own_options(engines, options.engine_options)
    lines = []
    for number, (name, policy) in enumerate(options.lines):
        progress("replaying", number, len(options.lines))
        engine = engines[name]
        if not engine.facts.sized:
            raise UsageError(f"{name} has no size: a curve is over sizes", "leave it out, or --curve")
        page_size = options.page_size if options.page_size > 1 else None
        setup = Setup(None, page_size, policy, (), own[name], options.concurrent)
        page, evicts_by = chosen(setup, engine.facts)
        points = [
            (size, int(engine(work, replace(setup, capacity_tokens=size)).replay().hit.sum()))
            for size in sizes
            if size >= page
        ]
        lines.append(Series(engine=name, policy=evicts_by, page_size=page, points=tuple(points)))
    return tuple(lines)


def _block_curve(trace: Trace, options: CurveOptions, progress: Progress) -> Curve:
    if trace.requests["dialect"].unique().to_list() != ["hashes"]:
        raise UsageError("only hash traces are counted in blocks", "leave --blocks out")
    if options.page_size != 1:
        raise UsageError("blocks have the size that the trace gave them", "leave --page-size out")
    progress("replaying blocks", 0, None)
    work = workload(trace)
    cache = blocks.replay(trace)
    sizes = _Chosen(options, cache.unique)
    optimal = cache.optimal(sizes.all)
    prompt_tokens = int(trace.requests["prompt_tokens"].sum())
    in_tokens = int(work.runs(keeps_output=False).tokens.sum())
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        working_set=cache.unique,
        page_size=1,
        prompt_tokens=cache.references,
        ideal_hit_tokens=cache.ideal,
        points=tuple(CurvePoint(c, cache.lru(c), best) for c, best in zip(sizes.all, optimal, strict=True)),
        marked_capacity_tokens=sizes.marked,
        capacities=tuple(sizes.asked),
        unit="blocks",
        definitions={
            "share of all block references": share(cache.ideal, cache.references),
            "share of all prompt tokens": share(in_tokens, prompt_tokens),
            "blocks served over whole blocks sent": share(cache.ideal, cache.full_sent),
        },
    )


class _Chosen:
    """Capacities at which perfect eviction is evaluated: those `asked` for one by one, the one to be `marked`,
    and log-spaced ones up to the working set; `all` of them ascending."""

    def __init__(self, options: CurveOptions, working_set: int) -> None:
        self._sizes = Sizes(options.kv)
        self._page, self._working_set = options.page_size, working_set
        self.asked = self._tokens(options.capacities)
        marked = () if options.marked is None else self._tokens([options.marked])
        if len(marked) > 1:
            raise UsageError("--curve marks one capacity", "leave --curve out for a table of sizes")
        self.marked = marked[0] if marked else None
        spaced: list[int] = []
        if options.points > 0:
            low = max(options.page_size, working_set // 100, 1)
            spaced = (
                np.geomspace(low, max(working_set, low), max(options.points, 2)).round().astype(int).tolist()
            )
        self.all = sorted({*self.asked, *marked, *spaced})

    def _tokens(self, texts: Sequence[str]) -> list[int]:
        found = self._sizes.capacities(texts, self._working_set, self._page) if texts else []
        return [max(self._working_set, self._page) if size.tokens is None else size.tokens for size in found]
