"""One trace under one cache. In: a Trace and the cache to replay. Out: a Result, checked to the last token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cachelens
from cachelens.attribute.outcomes import outcomes
from cachelens.errors import UsageError
from cachelens.model.kinds import OUTCOMES
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.result import Break, EngineFacts, RequestRow, Result, Totals, check
from cachelens.model.trace import Int64, Trace
from cachelens.pipeline.breaks import find_breaks
from cachelens.pipeline.facts import facts, share
from cachelens.pipeline.layouts import layouts
from cachelens.pipeline.provider_engines import BY_PROVIDER, engine_of, engine_of_trace
from cachelens.pipeline.sizes import Sizes
from cachelens.prefix.minimum import min_hits
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.options import chosen, own_options, require_times
from cachelens.simulate.workload import Workload, workload

#: Breaks named in `Result.worst_breaks`.
_WORST = 25


def analyze(trace: Trace, options: AnalyzeOptions, progress: Progress = silent) -> Result:
    """Account for every prompt token of `trace` under one cache model.

    Raises UsageError for an engine that is not registered or cannot be had like that.
    """
    progress("building the prefix forest", 0, None)
    work = workload(trace)
    name, setup = engine_setup(trace, work, options)
    progress("replaying", 0, None)
    outcome = _replays(work, ENGINES.load(name), setup)
    progress("finding breaks", 0, None)
    breaks, sent_before = find_breaks(trace, work.forest, work.prompt, outcome.reusable)
    rows = outcomes(
        work.prompt_tokens.tolist(),
        outcome.replay.hit.tolist(),
        [(name, hits.tolist()) for name, hits in outcome.limits],
        sent_before,
    )
    totals = rows.totals(len(trace))
    requests = _request_rows(trace, totals, outcome.reusable, breaks)
    progress("comparing layouts", 0, None)
    result = Result(
        cachelens=cachelens.__version__,
        trace=facts(trace, work),
        engine=_engine_facts(trace, name, setup, outcome.replay),
        totals=_totals(trace, work, totals, outcome),
        requests=requests,
        worst_breaks=tuple(
            row.request_id
            for row in sorted(
                (row for row in requests if row.break_ is not None),
                key=lambda row: -row.break_.lost_tokens if row.break_ else 0,
            )[:_WORST]
        ),
        engines=layouts(trace, work),
    )
    check(result)
    return result


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


def _others(trace: Trace, name: str) -> tuple[str, ...]:
    """A sentence about requests that met another provider than the one whose cache is replayed."""
    if name not in BY_PROVIDER.values():
        return ()
    frame = trace.requests
    pairs = zip(frame["provider"].to_list(), frame["model"].to_list(), strict=True)
    others = sum(engine_of(provider, model) != name for provider, model in pairs)
    if not others:
        return ()
    return (f"{others:,} of {len(trace):,} requests went elsewhere; they are replayed by the same rules",)


@dataclass(frozen=True, eq=False)
class _Replays:
    """A replay, what would have been served as one limit after the other is lifted, and the bounds."""

    replay: Replay
    limits: list[tuple[str, Int64]]
    reusable: Int64
    optimal: Int64


def _replays(work: Workload, engine: type[Engine], setup: Setup) -> _Replays:
    facts = engine.facts
    require_times(setup, work.start_us is not None)
    replay = engine(work, setup).replay()
    limits = [(cause, engine(work, relaxed).replay().hit) for cause, relaxed in engine.relaxed(setup)]
    reusable = work.reusable(1, facts.keeps_output)
    if setup.capacity_tokens is None:
        optimal = reusable
    else:
        # Token by token, as in a grid: some engines serve parts of pages.
        whole = setup.capacity_tokens + sum(tier.capacity_tokens for tier in setup.tiers)
        optimal = min_hits(work.runs(1, facts.keeps_output), len(work.order), whole)
    return _Replays(replay, [*limits, ("alignment", reusable)], reusable, optimal)


def _engine_facts(trace: Trace, name: str, setup: Setup, replay: Replay) -> EngineFacts:
    known = ENGINES.load(name).facts
    page, policy = chosen(setup, known)
    return EngineFacts(
        name=name,
        title=known.title,
        policy=policy,
        capacity_tokens=setup.capacity_tokens,
        page_size=page,
        options=dict(setup.options),
        tiers={tier.name: tier.capacity_tokens for tier in setup.tiers},
        tier_hit_tokens={name: int(tokens.sum()) for name, tokens in replay.tiers.items()},
        rejected_requests=0 if replay.rejected is None else int(replay.rejected.sum()),
        waited_requests=replay.waited,
        notes=(*_others(trace, name), *replay.notes),
        unknown=known.unknown,
    )


def _request_rows(
    trace: Trace, totals: Int64, reusable: Int64, breaks: dict[int, Break]
) -> tuple[RequestRow, ...]:
    columns = trace.requests.select(
        "request_id",
        "session_id",
        "lineage_id",
        "previous_request_id",
        "source_file",
        "source_record",
        "model",
        "prompt_tokens",
        "reported_cache_read_tokens",
    )
    return tuple(
        RequestRow(
            request_id=name,
            session_id=session,
            lineage_id=lineage,
            previous_request_id=previous,
            source_file=source,
            source_record=record,
            model=model,
            prompt_tokens=tokens,
            outcomes={o: t for o, t in zip(OUTCOMES, totals[at].tolist(), strict=True) if t},
            reusable_tokens=int(reusable[at]),
            reported_cached_tokens=cached,
            break_=breaks.get(at),
        )
        for at, (name, session, lineage, previous, source, record, model, tokens, cached) in enumerate(
            columns.iter_rows()
        )
    )


def _totals(trace: Trace, work: Workload, totals: Int64, outcome: _Replays) -> Totals:
    sums = dict(zip(OUTCOMES, totals.sum(axis=0).tolist(), strict=True))
    prompt_tokens = work.prompt_tokens
    prompt, hit = int(prompt_tokens.sum()), sums["hit"]
    some = prompt_tokens > 0
    ratios = outcome.replay.hit[some] / prompt_tokens[some]
    reported = trace.requests.filter(trace.requests["reported_cache_read_tokens"].is_not_null())
    reusable = int(outcome.reusable.sum())
    return Totals(
        prompt_tokens=prompt,
        hit_tokens=hit,
        prefilled_tokens=prompt - hit,
        fresh_tokens=sums["fresh"],
        reusable_tokens=reusable,
        outcomes=sums,
        hit_rate=share(hit, prompt),
        ideal_hit_rate=share(reusable, prompt),
        optimal_hit_rate=share(int(outcome.optimal.sum()), prompt),
        mean_hit_ratio=float(ratios.mean()) if len(ratios) else 0.0,
        prefill_amplification=(prompt - hit) / sums["fresh"] if sums["fresh"] else None,
        reported_cached_tokens=int(reported["reported_cache_read_tokens"].sum()) if len(reported) else None,
        reported_prompt_tokens=int(reported["reported_prompt_tokens"].sum()) if len(reported) else None,
    )
