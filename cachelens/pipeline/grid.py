"""One trace through many caches. In: a Trace, engines, policies, capacities. Out: a Grid and its replays.

Every cell is a replay of its own, so cells can be spread over processes without changing a figure.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import cachelens
from cachelens.errors import UsageError
from cachelens.model.grid import Cell, Grid
from cachelens.model.options import GridOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Int64, Trace
from cachelens.pipeline.costs import cost_of
from cachelens.pipeline.facts import facts, share
from cachelens.pipeline.reported import Reported, reported
from cachelens.pipeline.sizes import Sizes
from cachelens.prefix.minimum import min_hits
from cachelens.simulate.capacity import Capacity
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.fleet import Fleet, Summary
from cachelens.simulate.models.cost import flop_hit_rate
from cachelens.simulate.models.shapes import Shape
from cachelens.simulate.options import chosen, own_options, policies_of, require_times
from cachelens.simulate.policies import POLICIES
from cachelens.simulate.workload import Workload, workload

_UNLIMITED = Capacity("unlimited", None)


@dataclass(frozen=True, eq=False)
class Simulation:
    """A grid, the replay behind each of its cells, and the workload they were made from."""

    grid: Grid
    replays: tuple[Replay, ...]
    work: Workload


@dataclass(frozen=True)
class _Task:
    """One cell to be: everything a process needs beside the workload."""

    engine: str
    setup: Setup
    capacity: Capacity
    replicas: int
    router: str | None
    router_options: tuple[tuple[str, str], ...] = ()


class _Outcome(NamedTuple):
    """What a cell came to; `fleet` where there are replicas."""

    replay: Replay
    fleet: Summary | None = None


def simulate(trace: Trace, options: GridOptions, progress: Progress = silent) -> Simulation:
    """Replay `trace` through every combination of engine, policy and capacity.

    Raises UsageError for names that are not registered and combinations that cannot be.
    """
    for policy in options.policies:
        POLICIES.require(policy)
    engines: dict[str, type[Engine]] = {name: ENGINES.load(name) for name in options.engines}
    progress("building the prefix forest", 0, None)
    work = workload(trace)
    sizes = Sizes(options.kv)
    tasks = _tasks(work, engines, options, sizes)
    found: list[_Outcome] = []
    for number, outcome in enumerate(_run(work, tasks, options.jobs)):
        progress("replaying", number, len(tasks))
        found.append(outcome)
    said = reported(trace)
    ideal = int(work.reusable().sum())
    best: dict[tuple[int | None, bool], int] = {}
    cells = tuple(
        _cell(work, task, engines[task.engine], outcome, ideal, best, sizes.shape, said)
        for task, outcome in zip(tasks, found, strict=True)
    )
    grid = Grid(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        working_set_tokens=work.working_set(),
        ideal_hit_tokens=ideal,
        reported_requests=len(said.told),
        reported_cached_tokens=int(said.cached.sum()) if len(said.told) else None,
        reported_prompt_tokens=int(said.prompt.sum()) if len(said.told) else None,
        timed=work.start_us is not None and work.end_us is not None,
        cells=cells,
        model=sizes.facts(),
        unknown={name: engine.facts.unknown for name, engine in engines.items() if engine.facts.unknown},
        notes=_notes(work, options),
    )
    return Simulation(grid, tuple(outcome.replay for outcome in found), work)


def _tasks(
    work: Workload, engines: dict[str, type[Engine]], options: GridOptions, sizes: Sizes
) -> list[_Task]:
    tasks: list[_Task] = []
    used: set[str] = set()
    own = own_options(engines, options.engine_options)
    working_set = work.working_set()
    routing = tuple(
        (given.removeprefix("router."), value)
        for given, value in options.engine_options.items()
        if given.startswith("router.")
    )
    for name, engine in engines.items():
        known = engine.facts
        page = options.page_size
        if page is not None and known.page_sizes and page not in known.page_sizes and len(engines) > 1:
            page = None  # asked of the engines that have pages
        plain = Setup(page_size=page, options=own[name], concurrent=options.concurrent)
        require_times(plain, work.start_us is not None)
        size = chosen(plain, known).page_size
        sized = known.sized and known.kind != "api"
        capacities: Sequence[Capacity] = (
            sizes.capacities(options.capacities, working_set, size) if sized else [_UNLIMITED]
        )
        tiers = sizes.tiers(options.tiers, working_set, size)
        policies = [policy for policy in options.policies if policy in policies_of(known)]
        used.update(policies)
        if options.policies and known.policies and not policies:
            if len(engines) == 1:
                chosen(Setup(policy=options.policies[0]), known)  # raises, naming what there is
            continue
        for policy in policies or (None,):
            for capacity in capacities:
                setup = Setup(capacity.tokens, page, policy, tiers, own[name], options.concurrent)
                chosen(setup, known)
                tasks.append(_Task(name, setup, capacity, options.replicas, options.router, routing))
    for policy in options.policies:
        if policy not in used:
            raise UsageError(f"none of the engines evicts by {policy!r}", "sglang has all policies")
    return tasks


def run_task(work: Workload, task: _Task) -> _Outcome:
    """The replay of one cell; with replicas also what their fleet comes to."""
    engine: type[Engine] = ENGINES.load(task.engine)
    if task.replicas == 1 and task.router is None:
        return _Outcome(engine(work, task.setup).replay())
    fleet = Fleet(engine, work, task.setup, task.replicas, task.router, dict(task.router_options))
    replay = fleet.replay()
    return _Outcome(replay, fleet.summary(replay))


#: The workload of a worker process, which is sent once and not with every task.
_shared: list[Workload] = []


def _share(work: Workload) -> None:
    _shared.append(work)


def _run(work: Workload, tasks: Sequence[_Task], jobs: int) -> Iterator[_Outcome]:
    if jobs <= 1 or len(tasks) < 2:
        for task in tasks:
            yield run_task(work, task)
        return
    # A fresh interpreter each: forking a process that holds threads of polars may deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(tasks)), mp_context=context, initializer=_share, initargs=(work,)
    ) as pool:
        yield from pool.map(_run_shared, tasks)


def _run_shared(task: _Task) -> _Outcome:
    return run_task(_shared[0], task)


def _cell(
    work: Workload,
    task: _Task,
    engine: type[Engine],
    outcome: _Outcome,
    ideal: int,
    best: dict[tuple[int | None, bool], int],
    shape: Shape | None,
    said: Reported,
) -> Cell:
    known, replay, fleet = engine.facts, outcome.replay, outcome.fleet
    page, policy = chosen(task.setup, known)
    prompt_tokens: Int64 = work.prompt_tokens
    prompt, hit = int(prompt_tokens.sum()), int(replay.hit.sum())
    capacity = task.setup.capacity_tokens
    total = (
        None
        if capacity is None
        else (capacity + sum(t.capacity_tokens for t in task.setup.tiers)) * task.replicas
    )
    key = (total, known.keeps_output)
    if key not in best:
        # Token by token, the same yardstick for all: some engines serve parts of pages.
        runs = work.runs(1, known.keeps_output)
        best[key] = (
            int(runs.tokens.sum()) if total is None else int(min_hits(runs, len(work.order), total).sum())
        )
    some = prompt_tokens > 0
    ratios = replay.hit[some] / prompt_tokens[some]
    cost, why = cost_of(work, task.engine, replay) if known.kind == "api" else (None, None)
    return Cell(
        engine=task.engine,
        policy=policy,
        capacity_tokens=capacity,
        capacity=task.capacity.label,
        page_size=page,
        prompt_tokens=prompt,
        hit_tokens=hit,
        hit_rate=share(hit, prompt),
        mean_hit_ratio=float(ratios.mean()) if len(ratios) else 0.0,
        flop_hit_rate=None if shape is None else flop_hit_rate(shape, replay.hit, prompt_tokens),
        of_ideal=share(hit, ideal),
        of_optimal=share(hit, best[key]),
        tiers={name: int(tokens.sum()) for name, tokens in replay.tiers.items()},
        written_5m_tokens=_sum(replay.written_5m),
        written_1h_tokens=_sum(replay.written_1h),
        cost_usd=cost,
        cost_note=why,
        evicted_tokens=replay.evicted_tokens,
        rejected=0 if replay.rejected is None else int(np.count_nonzero(replay.rejected)),
        waited=replay.waited,
        replicas=task.replicas,
        router=task.router,
        routing_tokens=0 if fleet is None else fleet.routing_tokens,
        pooled_hit_rate=None if fleet is None else fleet.pooled_hit_rate,
        imbalance=None if fleet is None else fleet.share.imbalance,
        above_reported=said.gap(replay.hit, prompt_tokens),
        options=dict(task.setup.options),
        notes=replay.notes,
    )


def _sum(tokens: Int64 | None) -> int | None:
    return None if tokens is None else int(tokens.sum())


def _notes(work: Workload, options: GridOptions) -> tuple[str, ...]:
    if work.start_us is None or work.end_us is None:
        return ("the trace does not say when requests ran: each ends before the next begins",)
    if not options.concurrent:
        return ("requests are replayed one after the other, whatever their times",)
    return ()
