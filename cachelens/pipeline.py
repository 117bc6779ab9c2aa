"""The whole way from captures to a Result; the one place that sees every stage.

In: what to read and frozen options. Out: `load` gives a Trace, `analyze` a Result, `curve` a Curve.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

import cachelens
from cachelens.attribute.align import Span, retransmitted, same_prefix
from cachelens.attribute.breaks import Decode, Prompts, describe, shared_contents
from cachelens.attribute.outcomes import outcomes
from cachelens.errors import InputError, UsageError
from cachelens.ingest import load as ingest
from cachelens.ingest import store
from cachelens.ingest.formats.detect import is_capture_folder
from cachelens.ingest.source import Source, expand
from cachelens.model.kinds import OUTCOMES
from cachelens.model.options import AnalyzeOptions, CurveOptions, IngestOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.result import (
    Break,
    Curve,
    CurvePoint,
    EngineFacts,
    RequestRow,
    Result,
    Totals,
    TraceFacts,
    check,
)
from cachelens.model.trace import Int64, Trace
from cachelens.prefix.forest import Forest, place
from cachelens.prefix.minimum import min_curve
from cachelens.prefix.queries import curve as exact_curve
from cachelens.prefix.queries import curve_at
from cachelens.prefix.runs import reuse_runs
from cachelens.simulate import blocks
from cachelens.simulate.lru import LruReplay, replay
from cachelens.tokens.images import image_tokens
from cachelens.tokens.tokenizer import Tokenizer

#: Breaks named in `Result.worst_breaks`.
_WORST = 25


def load(arguments: list[str], options: IngestOptions, progress: Progress = silent) -> Trace:
    """Read captures, or one table folder, as a trace.

    Raises InputError for what cannot be read at all, UsageError for options that do not fit.
    """
    sources = expand(arguments, is_capture_folder)
    folders = [source for source in sources if source.path and (source.path / store.MANIFEST).exists()]
    if folders:
        return _stored(sources, options, progress)
    return ingest.load(sources, options, Tokenizer(options.encoding), _image_tokens, progress)


def _image_tokens(provider: str, media_type: str, payload: str, size: int) -> int:
    """The provider's rule, from the dimensions inside the payload; `size` in bytes plays no part in any."""
    return image_tokens(provider, media_type, payload)


def _stored(sources: list[Source], options: IngestOptions, progress: Progress) -> Trace:
    if len(sources) > 1:
        raise UsageError("a table folder is a whole trace and cannot be mixed with other inputs")
    progress("reading tables", 0, None)
    path = sources[0].path
    trace = store.read(path if path is not None else Path(sources[0].name))
    defaults = IngestOptions()
    if options.strict and trace.skipped:
        raise InputError(
            f"{path}: records were skipped when these tables were written",
            "leave --strict out to go on without them",
        )
    if options.input_format is not None:
        raise UsageError("tables have one format only", "leave --input-format out")
    if options.encoding not in (trace.encoding, defaults.encoding):
        raise UsageError(f"these tables are encoded as {trace.encoding}", "ingest the captures again")
    if options.render is not None and options.render != trace.render:
        raise UsageError("the prompt order of tables is fixed", "ingest the captures again with --render")
    return trace


def analyze(trace: Trace, options: AnalyzeOptions, progress: Progress = silent) -> Result:
    """Account for every prompt token of `trace` under one cache model."""
    progress("building the prefix forest", 0, None)
    forest, prompts = _forest(trace)
    progress("replaying", 0, None)
    cache = replay(forest, prompts, options.capacity_tokens, options.page_size)
    progress("finding breaks", 0, None)
    breaks, sent_before = _breaks(trace, forest, prompts, cache.reusable)
    prompt_tokens: Int64 = trace.requests["prompt_tokens"].to_numpy()
    rows = outcomes(
        prompt_tokens.tolist(),
        cache.hit.tolist(),
        cache.paged.tolist(),
        cache.reusable.tolist(),
        sent_before,
    )
    totals = rows.totals(len(trace))
    requests = _request_rows(trace, totals, cache.reusable, breaks)
    result = Result(
        cachelens=cachelens.__version__,
        trace=facts(trace, forest),
        engine=EngineFacts(
            name="ideal" if options.capacity_tokens is None else "lru",
            policy="lru",
            capacity_tokens=options.capacity_tokens,
            page_size=options.page_size,
        ),
        totals=_totals(trace, prompt_tokens, totals, cache),
        requests=requests,
        worst_breaks=tuple(
            row.request_id
            for row in sorted(
                (row for row in requests if row.break_ is not None),
                key=lambda row: -row.break_.lost_tokens if row.break_ else 0,
            )[:_WORST]
        ),
    )
    check(result)
    return result


def curve(trace: Trace, options: CurveOptions, progress: Progress = silent) -> Curve:
    """The exact hit-rate curve of `trace` under LRU, with perfect eviction beside it.

    Raises UsageError for `options.blocks` on anything but a hash trace.
    """
    if options.blocks:
        return _block_curve(trace, options, progress)
    progress("building the prefix forest", 0, None)
    forest, prompts = _forest(trace)
    progress("computing the curve", 0, None)
    runs = reuse_runs(forest, prompts, page=options.page_size)
    exact = exact_curve(runs)
    summary = facts(trace, forest)
    working_set = summary.working_set_tokens
    chosen = _capacities(options, working_set)
    optimal = dict(zip(chosen, min_curve(runs, len(trace), chosen).tolist(), strict=True))
    lru = dict(zip(exact.capacities.tolist(), exact.hits.tolist(), strict=True))
    lru.update(zip(chosen, curve_at(runs, chosen).tolist(), strict=True))
    return Curve(
        cachelens=cachelens.__version__,
        trace=summary,
        working_set=working_set,
        page_size=options.page_size,
        prompt_tokens=int(trace.requests["prompt_tokens"].sum()),
        ideal_hit_tokens=int(runs.tokens.sum()),
        points=tuple(CurvePoint(c, hits, optimal.get(c)) for c, hits in sorted(lru.items())),
        marked_capacity_tokens=options.marked_capacity_tokens,
        capacities=tuple(_asked(options, working_set)),
    )


def _block_curve(trace: Trace, options: CurveOptions, progress: Progress) -> Curve:
    if trace.requests["dialect"].unique().to_list() != ["hashes"]:
        raise UsageError("only hash traces are counted in blocks", "leave --blocks out")
    if options.page_size != 1:
        raise UsageError("blocks have the size that the trace gave them", "leave --page-size out")
    progress("replaying blocks", 0, None)
    forest, prompts = _forest(trace)
    cache = blocks.replay(trace)
    chosen = _capacities(options, cache.unique)
    optimal = cache.optimal(chosen)
    prompt_tokens = int(trace.requests["prompt_tokens"].sum())
    in_tokens = int(reuse_runs(forest, prompts).tokens.sum())
    return Curve(
        cachelens=cachelens.__version__,
        trace=facts(trace, forest),
        working_set=cache.unique,
        page_size=1,
        prompt_tokens=cache.references,
        ideal_hit_tokens=cache.ideal,
        points=tuple(CurvePoint(c, cache.lru(c), best) for c, best in zip(chosen, optimal, strict=True)),
        marked_capacity_tokens=options.marked_capacity_tokens,
        capacities=tuple(_asked(options, cache.unique)),
        unit="blocks",
        definitions={
            "share of all block references": _share(cache.ideal, cache.references),
            "share of all prompt tokens": _share(in_tokens, prompt_tokens),
            "blocks served over whole blocks sent": _share(cache.ideal, cache.full_sent),
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


def _capacities(options: CurveOptions, working_set: int) -> list[int]:
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


def _forest(trace: Trace) -> tuple[Forest, Int64]:
    forest, (prompts,) = place(
        trace.segments, trace.contents, [trace.last_segment], trace.requests["namespace"].to_list()
    )
    return forest, prompts


def _breaks(
    trace: Trace, forest: Forest, prompts: Int64, reusable: Int64
) -> tuple[dict[int, Break], dict[int, list[Span]]]:
    """Breaks by request, and the spans that the predecessors of broken requests had sent."""
    breaks: dict[int, Break] = {}
    sent_before: dict[int, list[Span]] = {}
    ids = trace.requests["request_id"].to_list()
    namespaces = trace.requests["namespace"].to_list()
    tokens = trace.requests["prompt_tokens"].to_list()
    decode = _decoder(trace)
    kind = trace.contents.kind
    dialects = trace.requests["dialect"].to_list()
    for request, before in enumerate(trace.predecessor.tolist()):
        if before < 0 or dialects[request] == "hashes":
            continue
        shared = forest.common_depth(int(prompts[before]), int(prompts[request]))
        if shared == tokens[before]:
            continue
        then = trace.segments.path(int(trace.last_segment[before]))
        now = trace.segments.path(int(trace.last_segment[request]))
        content = trace.segments.content
        same = same_prefix(content[then].astype(np.int64), content[now].astype(np.int64))
        spans = retransmitted(
            content[then].tolist(), content[now].tolist(), trace.contents, lambda c: int(kind[c]), same
        )
        sent_before[request] = spans
        lost = sum(max(0, span.hi - max(span.lo, int(reusable[request]))) for span in spans)
        if namespaces[request] != namespaces[before]:
            shared = shared_contents(trace, then.tolist(), now.tolist())
        if shared == tokens[before]:
            breaks[request] = _model_changed(ids[before], lost)
        else:
            parts = Prompts(then.tolist(), now.tolist(), shared)
            breaks[request] = describe(trace, parts, ids[before], lost, decode)
    return breaks, sent_before


def _model_changed(previous_request_id: str, lost: int) -> Break:
    return Break(
        kind="model-changed",
        previous_request_id=previous_request_id,
        segment=0,
        component="other",
        message=None,
        path="model",
        name=None,
        token_offset=0,
        segment_offset=0,
        char_offset=None,
        lost_tokens=lost,
    )


def _decoder(trace: Trace) -> Decode | None:
    if trace.encoding in ("exact", "hashes"):
        return None
    # Loads the encoding at the first break, once: append-only traces do not need it.
    return Tokenizer(trace.encoding).decode


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


def _totals(trace: Trace, prompt_tokens: Int64, totals: Int64, cache: LruReplay) -> Totals:
    sums = dict(zip(OUTCOMES, totals.sum(axis=0).tolist(), strict=True))
    prompt, hit = int(prompt_tokens.sum()), sums["hit"]
    some = prompt_tokens > 0
    ratios = cache.hit[some] / prompt_tokens[some]
    reported = trace.requests.filter(trace.requests["reported_cache_read_tokens"].is_not_null())
    return Totals(
        prompt_tokens=prompt,
        hit_tokens=hit,
        prefilled_tokens=prompt - hit,
        fresh_tokens=sums["fresh"],
        reusable_tokens=int(cache.reusable.sum()),
        outcomes=sums,
        hit_rate=_share(hit, prompt),
        ideal_hit_rate=_share(int(cache.reusable.sum()), prompt),
        optimal_hit_rate=_share(int(cache.optimal.sum()), prompt),
        mean_hit_ratio=float(ratios.mean()) if len(ratios) else 0.0,
        prefill_amplification=(prompt - hit) / sums["fresh"] if sums["fresh"] else None,
        reported_cached_tokens=int(reported["reported_cache_read_tokens"].sum()) if len(reported) else None,
        reported_prompt_tokens=int(reported["reported_prompt_tokens"].sum()) if len(reported) else None,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def facts(trace: Trace, forest: Forest) -> TraceFacts:
    """What every report says about a trace."""
    frame = trace.requests
    return TraceFacts(
        requests=len(trace),
        sessions=frame["session_id"].n_unique(),
        lineages=frame["lineage_id"].n_unique(),
        prompt_tokens=int(frame["prompt_tokens"].sum()),
        unique_tokens=_unique_tokens(trace),
        working_set_tokens=int((forest.end - forest.start).sum()),
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
