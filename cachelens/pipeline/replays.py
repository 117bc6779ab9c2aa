"""One cache on one trace. In: a workload and options. Out: a replay, what each limit of the cache cost, bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions
from cachelens.model.trace import Int64, Trace
from cachelens.pipeline.provider_engines import engine_of_trace
from cachelens.pipeline.sizes import Sizes
from cachelens.prefix.minimum import min_hits
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.options import chosen, own_options, require_times
from cachelens.simulate.workload import Workload


def engine_setup(trace: Trace, work: Workload, options: AnalyzeOptions) -> tuple[str, Setup]:
    """The engine that is replayed, and how.

    Without a name it is the one that most of the traffic talked to, the stack model where a size is given,
    and an infinite cache for traffic of a provider that is not modeled.
    """
    name = options.engine
    anywhere = options.capacity == "inf" and options.page_size is None and options.kv.memory is None
    if name is None and anywhere:
        name = engine_of_trace(trace) or "ideal"
    name = name or "lru"
    engine: type[Engine] = ENGINES.load(name)
    own = own_options({name: engine}, options.engine_options)[name]
    setup = Setup(None, options.page_size, options.policy, (), own, options.concurrent)
    page = chosen(setup, engine.facts).page_size
    sizes, working_set = Sizes(options.kv), work.working_set()
    capacities = sizes.capacities([options.capacity], working_set, page)
    if len(capacities) > 1:
        raise UsageError("analyze replays one size of cache", "cachelens simulate takes several")
    return name, replace(
        setup,
        capacity_tokens=capacities[0].tokens,
        tiers=sizes.tiers(options.tiers, working_set, page),
    )


@dataclass(frozen=True, eq=False)
class Replays:
    """A replay, what would have been served as one limit after the other is lifted, and the bounds."""

    replay: Replay
    limits: list[tuple[str, Int64]]
    reusable: Int64
    optimal: Int64


def replays(work: Workload, engine: type[Engine], setup: Setup) -> Replays:
    """Replay `work` by `engine`, and again without each of its limits. Raises UsageError without needed times."""
    facts = engine.facts
    require_times(setup, work.start_us is not None)
    replay = engine(work, replace(setup, explain=True)).replay()
    limits = [(cause, engine(work, relaxed).replay().hit) for cause, relaxed in engine.relaxed(setup)]
    reusable = work.reusable(1, facts.keeps_output)
    if setup.capacity_tokens is None:
        optimal = reusable
    else:
        # Token by token, as in a grid: some engines serve parts of pages.
        whole = setup.capacity_tokens + sum(tier.capacity_tokens for tier in setup.tiers)
        optimal = min_hits(work.runs(1, facts.keeps_output), len(work.order), whole)
    return Replays(replay, [*limits, ("alignment", reusable)], reusable, optimal)
