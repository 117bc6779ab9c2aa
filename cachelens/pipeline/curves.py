"""Hit rate over cache size. In: a Trace and what to evaluate. Out: a Curve."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

import cachelens
from cachelens.errors import UsageError
from cachelens.model.options import CurveOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.result import Curve, CurvePoint, Series
from cachelens.model.trace import Trace
from cachelens.pipeline.facts import facts, share
from cachelens.prefix.minimum import min_curve
from cachelens.prefix.queries import curve as exact_curve
from cachelens.prefix.queries import curve_at
from cachelens.simulate import blocks
from cachelens.simulate.engine import Engine, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.options import chosen
from cachelens.simulate.workload import Workload, workload


def curve(trace: Trace, options: CurveOptions, progress: Progress = silent) -> Curve:
    """The exact hit-rate curve of `trace` under LRU, with perfect eviction beside it.

    Raises UsageError for `options.blocks` on anything but a hash trace.
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
    sizes = capacities(options, working_set)
    optimal = dict(zip(sizes, min_curve(runs, len(trace), sizes).tolist(), strict=True))
    lru = dict(zip(exact.capacities.tolist(), exact.hits.tolist(), strict=True))
    lru.update(zip(sizes, curve_at(runs, sizes).tolist(), strict=True))
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        working_set=working_set,
        page_size=page,
        prompt_tokens=int(trace.requests["prompt_tokens"].sum()),
        ideal_hit_tokens=int(runs.tokens.sum()),
        points=tuple(CurvePoint(c, hits, optimal.get(c)) for c, hits in sorted(lru.items())),
        marked_capacity_tokens=options.marked_capacity_tokens,
        capacities=tuple(_asked(options, working_set)),
        series=_series(work, options, [c for c in sizes if c >= page], progress),
        kv_bytes_per_token=options.kv_bytes_per_token,
    )


def _series(
    work: Workload, options: CurveOptions, sizes: list[int], progress: Progress
) -> tuple[Series, ...]:
    """One line per engine and policy, replayed at each of `sizes`."""
    lines = []
    for number, (name, policy) in enumerate(options.lines):
        progress("replaying", number, len(options.lines))
        engine: type[Engine] = ENGINES.load(name)
        setup = Setup(page_size=options.page_size if options.page_size > 1 else None, policy=policy)
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
    chosen = capacities(options, cache.unique)
    optimal = cache.optimal(chosen)
    prompt_tokens = int(trace.requests["prompt_tokens"].sum())
    in_tokens = int(work.runs(keeps_output=False).tokens.sum())
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        working_set=cache.unique,
        page_size=1,
        prompt_tokens=cache.references,
        ideal_hit_tokens=cache.ideal,
        points=tuple(CurvePoint(c, cache.lru(c), best) for c, best in zip(chosen, optimal, strict=True)),
        marked_capacity_tokens=options.marked_capacity_tokens,
        capacities=tuple(_asked(options, cache.unique)),
        unit="blocks",
        definitions={
            "share of all block references": share(cache.ideal, cache.references),
            "share of all prompt tokens": share(in_tokens, prompt_tokens),
            "blocks served over whole blocks sent": share(cache.ideal, cache.full_sent),
        },
    )


def _asked(options: CurveOptions, working_set: int) -> list[int]:
    """The capacities asked for one by one, in tokens."""
    return [
        # The decimal that was written, not the nearest binary one: 7 % of 100 is 7.
        wanted
        if isinstance(wanted, int)
        else max(int(Fraction(str(wanted)) * working_set), options.page_size)
        for wanted in options.capacities
    ]


def capacities(options: CurveOptions, working_set: int) -> list[int]:
    """Capacities at which perfect eviction is evaluated: those asked for, and log-spaced ones up to the
    working set."""
    chosen = set(_asked(options, working_set))
    if options.marked_capacity_tokens is not None:
        chosen.add(options.marked_capacity_tokens)
    if options.points > 0:
        low = max(options.page_size, working_set // 100, 1)
        spaced = np.geomspace(low, max(working_set, low), max(options.points, 2)).round()
        chosen.update(spaced.astype(np.int64).tolist())
    return sorted(chosen)
