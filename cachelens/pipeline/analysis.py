"""One trace under one cache. In: a Trace and the cache to replay. Out: a Result, checked to the last token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cachelens
from cachelens.advise.case import Case
from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.result import Result, Totals, check
from cachelens.model.rows import EngineFacts, RequestRow
from cachelens.model.trace import Int64, Trace
from cachelens.pipeline.accounts import buckets
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.costs import cost_of
from cachelens.pipeline.facts import facts, share
from cachelens.pipeline.findings import advise
from cachelens.pipeline.layouts import layouts
from cachelens.pipeline.pictures import pictures
from cachelens.pipeline.provider_engines import BY_PROVIDER, engine_of
from cachelens.pipeline.replays import Replays
from cachelens.pipeline.reported import confusion
from cachelens.pipeline.savings import Bench
from cachelens.pipeline.sizes import Sizes
from cachelens.simulate.engine import Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.options import chosen

#: Breaks named in `Result.worst_breaks`.
_WORST = 25


def analyze(trace: Trace, options: AnalyzeOptions, progress: Progress = silent) -> Result:
    """Account for every prompt token of `trace` under one cache model, and say what was wasted and why.

    Raises UsageError for an engine that is not registered or cannot be had like that, for unknown rules,
    thresholds and tools.
    """
    return examine(trace, options, progress).result


@dataclass(frozen=True, eq=False)
class Analysis:
    """A result, and the case it was drawn from."""

    result: Result
    case: Case


def examine(trace: Trace, options: AnalyzeOptions, progress: Progress = silent) -> Analysis:
    """As `analyze`, and keeps what every figure was made of."""
    case, outcome = build_case(trace, options, progress)
    requests = request_rows(case, options.pictures)
    sizes = Sizes(options.kv)
    bench = Bench(case, sizes.shape)
    advice = advise(case, bench, options.what_if, options.show_text, progress)
    progress("comparing layouts", 0, None)
    result = Result(
        cachelens=cachelens.__version__,
        trace=facts(trace, case.work),
        engine=engine_facts(trace, case.engine_name, case.setup, case.replay),
        totals=_totals(case, outcome),
        requests=requests,
        worst_breaks=tuple(
            row.request_id
            for row in sorted(
                (row for row in requests if row.break_ is not None),
                key=lambda row: -row.break_.lost_tokens if row.break_ else 0,
            )[:_WORST]
        ),
        engines=layouts(trace, case.work),
        labels=dict(zip(LABELS, case.ledger.labels.sum(axis=0).tolist(), strict=True)),
        buckets=buckets(case, sizes.shape, sizes.kv_bytes_per_token),
        findings=advice.findings,
        remedies=advice.remedies,
        confusion=confusion(case),
        shows_text=options.show_text,
        pictures=pictures(case, bench, advice, options, progress) if options.pictures else None,
    )
    check(result)
    return Analysis(result, case)


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


def engine_facts(trace: Trace, name: str, setup: Setup, replay: Replay) -> EngineFacts:
    """The cache that was replayed, and what that replay came to."""
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


def request_rows(case: Case, with_runs: bool = False) -> tuple[RequestRow, ...]:
    """What became of each request, in order of start; `with_runs` also where in its prompt."""
    trace, past, told = case.trace, case.past, case.told
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
        "reported_miss_reason",
        "output_tokens",
    )
    times = {name: _seconds(trace, name) for name in ("started_at", "first_token_at", "ended_at")}
    runs = _runs(case) if with_runs else [()] * len(trace)
    wasted = case.ledger.computed[:, 1:].sum(axis=1).tolist()
    reported = told.prompt.tolist()
    expected = told.expected.tolist()
    ids = trace.requests["request_id"]
    evictor, idle = case.evictor.tolist(), case.idle_us
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
            outcomes=_named(OUTCOMES, case.outcome_tokens[at]),
            reusable_tokens=int(case.reusable[at]),
            reported_cached_tokens=cached,
            labels=_named(LABELS, case.ledger.labels[at], first=1),
            buckets=_named(BUCKETS, case.ledger.carried[at], first=1),
            wasted_tokens=wasted[at],
            expected=told.verdict[at] or None,
            miss_reason=reason,
            evicted_by=ids[evictor[at]] if evictor[at] >= 0 and case.lost(at, "capacity") else None,
            idle_s=idle[at] / 1e6 if idle is not None and case.lost(at, "expiry") else None,
            output_tokens=output,
            reported_prompt_tokens=reported[at] if reported[at] >= 0 else None,
            expected_cached_tokens=expected[at] if reported[at] >= 0 else None,
            started_s=times["started_at"][at],
            first_token_s=times["first_token_at"][at],
            ended_s=times["ended_at"][at],
            runs=runs[at],
            echo=past.echoes.get(at),
            break_=past.breaks.get(at),
        )
        for at, (
            name,
            session,
            lineage,
            previous,
            source,
            record,
            model,
            tokens,
            cached,
            reason,
            output,
        ) in enumerate(columns.iter_rows())
    )


def _seconds(trace: Trace, column: str) -> list[float | None]:
    """A column of times as seconds since the first request of the trace started; None where unknown."""
    first = trace.requests["started_at"].min()
    if first is None:
        return [None] * len(trace)
    micros = (
        trace.requests[column].to_physical() - trace.requests["started_at"].to_physical().min()
    ).to_list()
    return [None if value is None else value / 1e6 for value in micros]


def _runs(case: Case) -> list[tuple[tuple[str, int], ...]]:
    """Outcomes of each prompt by place; neighbors that are alike are one."""
    rows = case.ledger.outcomes
    found: list[list[tuple[str, int]]] = [[] for _ in range(len(case))]
    for request, lo, hi, outcome in zip(
        rows.request.tolist(), rows.lo.tolist(), rows.hi.tolist(), rows.outcome.tolist(), strict=True
    ):
        own, name = found[request], OUTCOMES[outcome]
        if own and own[-1][0] == name:
            own[-1] = (name, own[-1][1] + hi - lo)
        elif hi > lo:
            own.append((name, hi - lo))
    return [tuple(own) for own in found]


def _named(names: Sequence[str], tokens: Int64, first: int = 0) -> dict[str, int]:
    """Those of `names` from index `first` on that have tokens."""
    return {name: t for name, t in zip(names[first:], tokens[first:].tolist(), strict=True) if t}


def _totals(case: Case, outcome: Replays) -> Totals:
    trace, work = case.trace, case.work
    sums = dict(zip(OUTCOMES, case.outcome_tokens.sum(axis=0).tolist(), strict=True))
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
        cost_usd=cost_of(work, case.engine_name, case.replay)[0],
    )
