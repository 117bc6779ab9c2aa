"""An analysis as a comment. In: a `Result`. Out: Markdown: verdict, accounting, waste, remedies; the rest folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from cachelens.model.findings import Finding, Location, Saving
from cachelens.model.result import Result
from cachelens.model.rows import EngineFacts, TraceFacts
from cachelens.report.markdown.comment import comment, folded, section, table
from cachelens.report.markdown.escape import code, prose
from cachelens.report.palette import BUCKET_LOOKS, OUTCOME_LOOKS
from cachelens.report.terminal.heading import cache_model
from cachelens.report.units import count, exact, factor, money, percent, plural, points, share

#: Findings that are not folded, and folded ones; breaks.
_FINDINGS, _MORE_FINDINGS, _BREAKS = 5, 25, 10
_LAYOUTS = 20
_TITLE, _NAME, _PATH = 200, 60, 120
_NOTES = 8
#: What the terminal calls these in one or two words needs more of them where nothing stands beside it.
_OUTCOMES = {
    "fresh": "fresh: never sent before",
    "divergence": "diverged: sent before, but something before it changed",
    "capacity": "evicted: its prefix had been cached",
    "expiry": "expired: its prefix had been cached",
    "alignment": "alignment: pages, minimum lengths, last token",
    "unmarked": "unmarked: no cache marker",
    "routing": "routing: another replica had it",
}


def result_comment(result: Result) -> str:
    """The comment."""
    wasteful = [item for item in result.findings if item.verdict != "diagnostic"]
    known = [item for item in result.findings if item.verdict == "diagnostic"]
    details = (
        section("More opportunities", _opportunities(wasteful[_FINDINGS : _FINDINGS + _MORE_FINDINGS])),
        section("Broken prefixes, most tokens lost first", _breaks(result)),
        section("The same trace elsewhere, in unlimited caches", _layouts(result)),
    )
    parts = (
        f"### {_verdict(result)}\n\n{scope(result.trace, result.engine)}",
        _accounting(result),
        section("Waste", _waste(result)),
        section("Opportunities, with savings by replay", _best(result, wasteful)),
        folded("More opportunities, broken prefixes, other caches", details),
    )
    return comment(parts, list(_notes(result, known)), result.cachelens)


def _verdict(result: Result) -> str:
    """The one line that is read."""
    totals, together = result.totals, result.remedies.all_together
    if not totals.prompt_tokens:
        return "cachelens: the requests hold no prompt tokens"
    said = (
        f"cachelens: {share(totals.prefilled_tokens, totals.prompt_tokens)} of {count(totals.prompt_tokens)} "
        "prompt tokens had to be computed"
    )
    saved = together or next((item.saving for item in result.findings if item.saving is not None), None)
    if saved is not None and saved.computed_tokens > 0:
        bound = "up to " if any(item.changes_input and item.saving for item in result.findings) else ""
        return f"{said}; remedies save {bound}{signed_share(saved.share)} of these"
    if totals.prefilled_tokens == totals.fresh_tokens:
        return f"{said}, none of them twice"
    return f"{said}, {count(totals.prefilled_tokens - totals.fresh_tokens)} of them again"


def scope(trace: TraceFacts, engine: EngineFacts) -> str:
    """What was read and which cache was replayed."""
    sources = trace.sources
    name = (
        code(sources[0].rstrip("/").rsplit("/", 1)[-1] or sources[0], _NAME, True) if sources else "no source"
    )
    more = f" and {len(sources) - 1:,} more" if len(sources) > 1 else ""
    return (
        f"{name}{more}: {plural(trace.sessions, 'session')}, {plural(trace.lineages, 'lineage')}, "
        f"{plural(trace.requests, 'request')}. Replayed: {code(cache_model(engine), 100)}."
    )


def _accounting(result: Result) -> str:
    totals, prompt = result.totals, result.totals.prompt_tokens
    rows = [("prompt tokens", exact(prompt), "")]

    def add(name: str, tokens: int) -> None:
        rows.append((name, exact(tokens), share(tokens, prompt)))

    add("**served from cache**", totals.hit_tokens)
    for name, hits in result.engine.tier_hit_tokens.items():
        add(f"of these from {code(name, 20)}", hits)
    add("**computed**", totals.prefilled_tokens)
    for name in OUTCOME_LOOKS:
        if name != "hit" and totals.outcomes.get(name):
            add(_OUTCOMES.get(name, code(name)), totals.outcomes[name])
    add("best possible: an infinite cache", totals.reusable_tokens)
    if result.engine.capacity_tokens is not None:
        rows.append(("this size with perfect eviction", "", percent(totals.optimal_hit_rate)))
    if totals.fresh_tokens:
        amplified = factor(totals.prefilled_tokens, totals.fresh_tokens)
        rows.append(("prefill amplification: computed over fresh", "", amplified))
    if totals.cost_usd is not None:
        rows.append(("input at list prices", "", f"{money(totals.cost_usd)} USD"))
    return table(("", "tokens", "share of prompt"), rows, right=(1, 2))


def _waste(result: Result) -> str:
    if not result.buckets:
        return ""
    found = [(name, bucket) for name, bucket in result.buckets.items() if bucket.carried_tokens]
    if not found:
        return "None: nothing was computed again, sent twice or carried along in vain."
    priced = any(bucket.cost_usd is not None for _, bucket in found)
    rows = [
        (
            BUCKET_LOOKS[name].label if name in BUCKET_LOOKS else code(name),
            exact(bucket.carried_tokens),
            exact(bucket.computed_tokens),
            share(bucket.computed_tokens, result.totals.prefilled_tokens),
            *((_cost(bucket.cost_usd),) if priced else ()),
        )
        for name, bucket in found
    ]
    header = ("", "carried", "computed", "of all computed", *(("USD",) if priced else ()))
    return table(header, rows, right=range(1, 5))


def _best(result: Result, wasteful: Sequence[Finding]) -> str:
    shown = wasteful[:_FINDINGS]
    if not shown:
        return ""
    said = [_opportunities(shown, _together(result, wasteful))]
    if any(item.changes_input and item.saving for item in shown):
        said.append("≤: the remedy changes what the model sees, so the saving is an upper bound.")
    if result.remedies.excluded:
        codes = ", ".join(code(name, 20) for name in result.remedies.excluded[:20])
        said.append(f"Not in all together, where it would cost: {codes}.")
    return "\n\n".join(said)


def _opportunities(findings: Sequence[Finding], closing: Sequence[tuple[str, Saving]] = ()) -> str:
    rows = [
        (
            code(item.code, 20),
            prose(item.title, _TITLE) + (" (legitimate)" if item.verdict == "legitimate" else ""),
            exact(item.requests),
            *saved(item.saving, item.changes_input),
            where(item.location),
        )
        for item in findings
    ]
    rows += [("", f"**{label}**", "", *saved(saving, False), "") for label, saving in closing]
    header = ("rule", "what", "requests", "saves", "of computed", "worst in")
    return table(header, rows, right=(2, 3, 4))


def saved(saving: Saving | None, bound: bool) -> tuple[str, str]:
    """Tokens and share of computed tokens; dashes where there is nothing to replay."""
    if saving is None:
        return "–", "–"
    sign = "≤ " if bound else ""
    tokens = saving.computed_tokens
    return sign + (f"-{count(-tokens)}" if tokens < 0 else count(tokens)), signed_share(saving.share)


def signed_share(value: float) -> str:
    """A share that may be negative, in percent."""
    return "-" + percent(-value) if value < 0 else percent(value)


def _cost(amount: float | None) -> str:
    return "–" if amount is None else money(amount)


def where(place: Location | None) -> str:
    """Request, path in its body, character and token."""
    if place is None:
        return ""
    parts = [f"request {code(place.request_id, _NAME)}"]
    if place.path is not None:
        parts.append(code(place.path, _PATH) + (f" ({code(place.name, _NAME)})" if place.name else ""))
    if place.char_offset is not None:
        parts.append(f"character {exact(place.char_offset)}")
    if place.token_offset is not None:
        parts.append(f"token {exact(place.token_offset)}")
    return ", ".join(parts)


def _together(result: Result, wasteful: Sequence[Finding]) -> list[tuple[str, Saving]]:
    remedies, found = result.remedies, []
    if remedies.all_together is not None and sum(item.saving is not None for item in wasteful) > 1:
        found.append(("all together", remedies.all_together))
        if remedies.same_input is not None and remedies.same_input != remedies.all_together:
            found.append(("those that leave what the model sees as it is", remedies.same_input))
    if remedies.what_if is not None:
        codes = ", ".join(code(name, 20) for name in remedies.what_if_codes[:20])
        found.append((f"what if: {codes}", remedies.what_if))
    return found


def _breaks(result: Result) -> str:
    found = {row.request_id: row.break_ for row in result.requests if row.break_ is not None}
    rows = []
    for name in [name for name in result.worst_breaks if name in found][:_BREAKS]:
        item = found[name]
        place = code(item.path, _PATH) + (f" ({code(item.name, _NAME)})" if item.name else "")
        rows.append(
            (code(name, _NAME), exact(item.lost_tokens), exact(item.token_offset), code(item.kind), place)
        )
    return table(("request", "tokens lost", "at token", "edit", "where"), rows, right=(1, 2))


def _layouts(result: Result) -> str:
    priced = any(row.cost_usd is not None for row in result.engines)
    rows = [
        (
            code(row.engine, _NAME),
            code(row.order, _NAME),
            share(row.hit_tokens, row.prompt_tokens),
            exact(row.prefilled_tokens),
            *((_cost(row.cost_usd),) if priced else ()),
        )
        for row in result.engines[:_LAYOUTS]
    ]
    header = ("engine", "prompts", "hit", "computed", *(("input USD",) if priced else ()))
    return table(header, rows, right=(2, 3, 4))


def _notes(result: Result, known: Sequence[Finding]) -> Iterator[str]:
    """How sure this is."""
    yield encoding(result.trace.encoding)
    yield from _reported(result)
    if result.engine.rejected_requests:
        yield f"{plural(result.engine.rejected_requests, 'request')} larger than the cache: nothing of them is held"
    yield from skipped(result.trace)
    for item in known[:_NOTES]:
        yield f"{code(item.code, 20)} {prose(item.title)}"
    for note in (*result.engine.notes[:_NOTES], *result.trace.notes[:_NOTES]):
        yield prose(note)
    if result.shows_text:
        yield "the result this was made from holds excerpts of prompts"


def encoding(name: str) -> str:
    """In what tokens are counted, and how exact that is."""
    known = {"exact": "tokens are those of the capture", "hashes": "the capture holds block hashes, no text"}
    return (
        known.get(name)
        or f"tokens are those of {code(name, 40)}: approximate for models of other vocabularies"
    )


def skipped(trace: TraceFacts) -> Iterator[str]:
    """Records that could not be read, by reason."""
    if trace.skipped_records:
        reasons: Counter[str] = Counter()
        for report in trace.skipped:
            reasons[report.reason] += report.records
        listed = ", ".join(f"{exact(records)} {code(name, 32)}" for name, records in reasons.most_common(5))
        yield f"**{plural(trace.skipped_records, 'record')} skipped**" + (f": {listed}" if listed else "")


def _reported(result: Result) -> Iterator[str]:
    """What servers said, against the simulation of the very requests they said it about."""
    told = [row for row in result.requests if row.reported_cached_tokens is not None]
    cached, prompt = result.totals.reported_cached_tokens, result.totals.reported_prompt_tokens
    if not told or cached is None or not prompt:
        yield "no server reported cached tokens: all hits are simulated"
        return
    said = f"servers reported {share(cached, prompt)} of {count(prompt)} tokens from cache"
    simulated_prompt = sum(row.prompt_tokens for row in told)
    if simulated_prompt:
        simulated = Fraction(sum(row.outcomes.get("hit", 0) for row in told), simulated_prompt)
        said += f", {points(Fraction(cached, prompt) - simulated)} from the simulation"
    if len(told) < len(result.requests):
        said += f", on {exact(len(told))} of {plural(len(result.requests), 'request')}"
    yield said
