"""The top of the page. In: a `Result`. Out: what was read, the main figures, the accounting bar, waste, labels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cachelens.advise.terms import TERMS
from cachelens.model.findings import Saving
from cachelens.model.result import Result
from cachelens.model.rows import EngineFacts, TraceFacts
from cachelens.report.html import words
from cachelens.report.html.bars import Part, accounting
from cachelens.report.palette import BUCKET_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS
from cachelens.report.terminal.heading import cache_model
from cachelens.report.units import count, exact, factor, flops, gib, money, percent, plural, points, share

#: What a page that holds no text of prompts says of itself, and one that does.
_PRIVATE = "Holds names, paths, counts and hashes; no prompt text."
_SHOWS_TEXT = "Holds excerpts of prompts: pass it on with care."


@dataclass(frozen=True)
class Heading:
    """Whose page it is. `facts` are short phrases; `shows_text`: excerpts of prompts stand in it."""

    version: str
    title: str
    facts: tuple[str, ...]
    privacy: str
    shows_text: bool


@dataclass(frozen=True)
class Figure:
    """One main figure: short, then exact, then what qualifies it."""

    label: str
    value: str
    exact: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row of a table of names: `kind` is the class prefix of its swatch."""

    kind: str
    name: str
    label: str
    cells: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Table:
    """Rows of names below a header; the last column, the meaning, has none of its own cells."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Together:
    """All remedies in one replay, in words and figures."""

    label: str
    tokens: str
    share: str
    sent: str
    cost: str
    bound: bool


@dataclass(frozen=True)
class Headline:
    """The whole top."""

    heading: Heading
    lede: tuple[str, ...]
    figures: tuple[Figure, ...]
    bar: tuple[Part, ...]
    bar_text: str
    outcomes: Table
    buckets: Table
    labels: Table
    together: tuple[Together, ...]


def headline(result: Result) -> Headline:
    """The top of the page of `result`."""
    totals = result.totals
    parts = accounting(totals.outcomes, OUTCOME_LOOKS)
    return Headline(
        heading=heading(result.cachelens, result.trace, result.engine, result.shows_text),
        lede=_lede(result),
        figures=_figures(result),
        bar=parts,
        bar_text="Every prompt token by outcome: " + ", ".join(part.text for part in parts),
        outcomes=_outcomes(result),
        buckets=_buckets(result),
        labels=_labels(result),
        together=together(result),
    )


def heading(version: str, trace: TraceFacts, engine: EngineFacts, shows_text: bool) -> Heading:
    """Who speaks, about what, under which cache model, counted in which tokens."""
    sources = [words.file(source.rstrip("/").rsplit("/", 1)[-1] or source) for source in trace.sources]
    title = sources[0] if sources else "no source"
    if len(sources) > 1:
        title += f" and {len(sources) - 1:,} more"
    facts = [
        f"{plural(trace.sessions, 'session')}, {plural(trace.lineages, 'lineage')}, "
        f"{plural(trace.requests, 'request')}",
        words.sentence(cache_model(engine)),
        encoding(trace.encoding),
    ]
    if trace.harnesses:
        facts.append(words.sentence(", ".join(trace.harnesses)))
    if trace.models:
        facts.append(words.sentence(", ".join(trace.models)))
    return Heading(
        words.name(version),
        title,
        tuple(facts),
        privacy(shows_text),
        shows_text,
    )


def privacy(shows_text: bool) -> str:
    """What of the prompts a page holds, as a sentence."""
    return _SHOWS_TEXT if shows_text else _PRIVATE


def encoding(name: str) -> str:
    """In what tokens are counted, and how exact that is."""
    known = {"exact": "exact token ids", "hashes": "block hashes, no text"}
    return known.get(name) or f"tokens of {words.name(name)} (approximate)"


def _lede(result: Result) -> tuple[str, ...]:
    totals = result.totals
    prompt, computed, fresh = totals.prompt_tokens, totals.prefilled_tokens, totals.fresh_tokens
    if not prompt:
        return ("The requests hold no prompt tokens.",)
    said = [
        f"Of {count(prompt)} prompt tokens {share(totals.hit_tokens, prompt)} were served from cache and "
        f"{share(computed, prompt)} were computed."
    ]
    again = computed - fresh
    if again:
        said.append(
            f"{count(fresh)} of the computed ones were new; {count(again)} had been sent before "
            "and were computed again."
        )
    else:
        said.append("All of the computed ones were new: nothing was computed twice.")
    return tuple(said)


def _figures(result: Result) -> tuple[Figure, ...]:
    totals = result.totals
    prompt, fresh, computed = totals.prompt_tokens, totals.fresh_tokens, totals.prefilled_tokens
    best = ["with an infinite cache, token by token"]
    if result.engine.capacity_tokens is not None:
        best.append(f"{percent(totals.optimal_hit_rate)} at this size, with perfect eviction")
    if diverged := totals.outcomes.get("divergence", 0):
        best.append(f"{share(totals.reusable_tokens + diverged, prompt)} if no prompt broke its prefix")
    tiers = result.engine.tier_hit_tokens
    found = [
        Figure(
            "Prompt tokens", count(prompt), f"{exact(prompt)} sent", (f"{count(prompt - fresh)} sent again",)
        ),
        Figure(
            "Computed",
            count(computed),
            f"{exact(computed)}, {share(computed, prompt)}",
            (f"fresh {exact(fresh)}", f"again {exact(computed - fresh)}"),
        ),
        Figure(
            "Hit rate",
            percent(totals.hit_rate),
            f"{exact(totals.hit_tokens)} served",
            (
                f"mean of requests {percent(totals.mean_hit_ratio)}",
                *(f"{share(hits, prompt)} from {words.name(name)}" for name, hits in tiers.items()),
            ),
        ),
        Figure(
            "Best possible",
            percent(totals.ideal_hit_rate),
            f"{exact(totals.reusable_tokens)} reusable",
            tuple(best),
        ),
        Figure(
            "Prefill amplification",
            factor(computed, fresh),
            "computed / fresh" if fresh else "nothing fresh",
            ("1x: nothing is computed twice",),
        ),
    ]
    if totals.cost_usd is not None:
        found.append(Figure("Cost of input", f"${money(totals.cost_usd)}", "at list prices"))
    return (*found, *_reported(result))


def _reported(result: Result) -> tuple[Figure, ...]:
    """What servers said, against the simulation of the very requests they said it about."""
    told = [row for row in result.requests if row.reported_cached_tokens is not None]
    cached, prompt = result.totals.reported_cached_tokens, result.totals.reported_prompt_tokens
    if not told or cached is None or not prompt:
        return ()
    notes = []
    simulated_prompt = sum(row.prompt_tokens for row in told)
    if simulated_prompt:
        simulated = Fraction(sum(row.outcomes.get("hit", 0) for row in told), simulated_prompt)
        notes.append(f"simulated {percent(simulated)}, {points(Fraction(cached, prompt) - simulated)} apart")
    if len(told) < len(result.requests):
        notes.append(f"on {exact(len(told))} of {plural(len(result.requests), 'request')}")
    return (
        Figure(
            "Reported by server", share(cached, prompt), f"{exact(cached)} of {exact(prompt)}", tuple(notes)
        ),
    )


def _outcomes(result: Result) -> Table:
    tokens, whole = result.totals.outcomes, result.totals.prompt_tokens
    rows = [
        Row("o", name, look.label, (exact(tokens[name]), share(tokens[name], whole)), TERMS[name].meaning)
        for name, look in OUTCOME_LOOKS.items()
        if tokens.get(name)
    ]
    return Table(("outcome", "tokens", "share"), tuple(rows))


def _labels(result: Result) -> Table:
    tokens = result.labels
    whole = sum(tokens.values())
    rows = [
        Row(
            "l",
            name,
            look.label.replace("_", " "),
            (exact(tokens[name]), share(tokens[name], whole)),
            TERMS[name].meaning,
        )
        for name, look in LABEL_LOOKS.items()
        if tokens.get(name)
    ]
    return Table(("label", "tokens", "share"), tuple(rows))


def _buckets(result: Result) -> Table:
    found = {name: bucket for name, bucket in result.buckets.items() if name in BUCKET_LOOKS}
    priced = any(bucket.cost_usd is not None for bucket in found.values())
    counted = any(bucket.flops is not None for bucket in found.values())
    computed = result.totals.prefilled_tokens
    rows = [
        Row(
            "b",
            name,
            BUCKET_LOOKS[name].label,
            (
                exact(bucket.carried_tokens),
                exact(bucket.computed_tokens),
                share(bucket.computed_tokens, computed),
                exact(bucket.held_tokens),
                *(("-" if bucket.cost_usd is None else money(bucket.cost_usd),) if priced else ()),
                *((flops(bucket.flops or 0), gib(bucket.held_bytes or 0)) if counted else ()),
            ),
            TERMS[name].meaning,
        )
        for name, bucket in found.items()
    ]
    header = ("waste", "carried", "computed", "of computed", "held", *(("USD",) if priced else ()))
    return Table((*header, *(("FLOPs", "KV") if counted else ())), tuple(rows))


def together(result: Result) -> tuple[Together, ...]:
    """What all remedies save at once, and those that leave what the model sees as it is."""
    remedies, found = result.remedies, []
    if remedies.all_together is not None:
        changes = any(item.changes_input and item.saving for item in result.findings)
        found.append(_together("All remedies together", remedies.all_together, changes))
        if remedies.same_input is not None and remedies.same_input != remedies.all_together:
            label = "Those that leave what the model sees as it is"
            found.append(_together(label, remedies.same_input, False))
    if remedies.what_if is not None:
        codes = ", ".join(words.name(code) for code in remedies.what_if_codes)
        found.append(_together(f"What if: {codes}", remedies.what_if, False))
    return tuple(found)


def _together(label: str, saving: Saving, bound: bool) -> Together:
    return Together(
        label=label,
        tokens=words.signed_count(saving.computed_tokens),
        share=words.part(saving.share),
        sent=words.signed_count(saving.prompt_tokens),
        cost="" if saving.cost_usd is None else "$" + words.signed(money, saving.cost_usd),
        bound=bound,
    )
