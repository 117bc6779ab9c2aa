"""Two analyses as one HTML page. In: a `Comparison`, with both results if pictures are to be drawn. Out: bytes.

No text of prompts is shown, whatever the comparison holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cachelens.advise.terms import TERMS
from cachelens.model.comparison import (
    BucketDelta,
    Comparison,
    Delta,
    FindingDelta,
    Illustrated,
    PartDelta,
    SessionDelta,
    Side,
)
from cachelens.report import changes
from cachelens.report.html import words
from cachelens.report.html.bars import Part, accounting
from cachelens.report.html.headline import Heading, Row, Table, encoding, privacy
from cachelens.report.html.pictures import Picture, picture
from cachelens.report.html.places import rule_anchor
from cachelens.report.html.rules import Documentation, documentation
from cachelens.report.html.shell import assemble
from cachelens.report.palette import BUCKET_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS, Look
from cachelens.report.plots import PLOTS
from cachelens.report.plots.base import Plot
from cachelens.report.terminal.heading import cache_model
from cachelens.report.units import count, exact, plural

#: Rows of causes, sessions and notes.
_CAUSES, _PAIRS, _NOTES = 100, 50, 50
#: Plots that tell more when both sides are seen at once.
_PLOTS: Final = ("waterfall", "curve", "growth")
_EFFECTS: Final = {"appeared": "worse", "grew": "worse", "shrank": "better", "vanished": "better"}
#: Headings of what counts tokens or rates on both sides.
_PARTS: Final = ("before", "after", "change", "share before", "after", "change")


@dataclass(frozen=True)
class Change:
    """One figure: its cells, and what the change does: `better`, `worse` or nothing."""

    title: str
    before: str
    after: str
    change: str
    relative: str
    effect: str


@dataclass(frozen=True)
class Cause:
    """A cause of waste on either side. `effect`: what its change does. `moved`: how it was found again."""

    state: str
    effect: str
    code: str
    name: str
    anchor: str
    title: str
    badges: tuple[str, ...]
    moved: str
    before: str
    after: str
    saves_before: str
    saves_after: str
    fix: str


@dataclass(frozen=True)
class SideView:
    """One of the two: short name, scope and cache, then facts, then its bar of outcomes."""

    label: str
    name: str
    scope: str
    cache: str
    facts: tuple[tuple[str, str], ...]
    bar: tuple[Part, ...]
    bar_text: str


@dataclass(frozen=True)
class Sessions:
    """Sessions found on both sides: in words, then the pairs that changed most."""

    said: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str


def comparison_page(found: Comparison) -> bytes:
    """The whole page."""
    rules = _documented(found)
    documented = frozenset(rule.code for rule in rules)
    told = [one for one in found.causes if one.state != "unchanged"]
    told.sort(key=_weight)
    same = [one for one in found.causes if one.state == "unchanged"]
    view = {
        "heading": _heading(found),
        "judgment": changes.JUDGMENTS[found.judgment].lower(),
        "effect": found.judgment if found.judgment in ("better", "worse") else "",
        "summary": tuple(words.sentence(text) for text in changes.summary(found)),
        "basis": words.sentence(changes.basis(found)),
        "reasons": tuple(words.sentence(text) for text in changes.reasons(found)),
        "across": tuple(
            (words.name(one.name), words.sentence(one.before), words.sentence(one.after))
            for one in found.across
        ),
        "figures": tuple(
            _change(one) for one in found.figures if one.before is not None or one.after is not None
        ),
        "sides": (_side("Before", found, 0), _side("After", found, 1)),
        "outcomes": _parts("o", "outcome", OUTCOME_LOOKS, found.outcomes),
        "labels": _parts("l", "label", LABEL_LOOKS, found.labels),
        "buckets": _buckets(found.buckets),
        "causes": tuple(_cause(one, documented) for one in [*told, *same][:_CAUSES]),
        "more_causes": max(len(found.causes) - _CAUSES, 0),
        "layouts": tuple(_layouts(found)),
        "sessions": _sessions(found),
        "pictures": tuple(_pictures(found)),
        "notes": tuple(words.sentence(note) for note in found.notes[:_NOTES]),
        "more_notes": max(len(found.notes) - _NOTES, 0),
        "document": (("schema", words.name(found.schema)), ("cachelens", words.name(found.cachelens))),
        "rules": rules,
    }
    return assemble("comparison.html", view)


def _weight(one: FindingDelta) -> tuple[bool, int, int]:
    """What can be mended first, and what changed most first of these."""
    return one.verdict == "diagnostic", -abs(one.change_saving or 0), -abs(one.change_tokens)


def _heading(found: Comparison) -> Heading:
    names = [words.file(side.name) for side in (found.before, found.after)]
    facts = [encoding(found.before.trace.encoding)]
    models = [words.sentence(cache_model(side.engine)) for side in (found.before, found.after)]
    facts.append(models[0] if models[0] == models[1] else f"{models[0]} before, {models[1]} after")
    return Heading(
        version=words.name(found.cachelens),
        title=f"{names[0]} → {names[1]}",
        facts=tuple(facts),
        privacy=privacy(shows_text=False),
        shows_text=False,
    )


def _documented(found: Comparison) -> tuple[Documentation, ...]:
    """Pages of the rules that have a cause on either side."""
    codes = {one.code for one in found.causes}
    return tuple(rule for rule in documentation(codes) if rule.found)


def _side(label: str, found: Comparison, at: int) -> SideView:
    side: Side = (found.before, found.after)[at]
    tokens = {one.name: int((one.tokens.before, one.tokens.after)[at] or 0) for one in found.outcomes}
    bar, trace = accounting(tokens, OUTCOME_LOOKS), side.trace
    cache = words.sentence(cache_model(side.engine))
    scope = (
        f"{plural(trace.sessions, 'session')}, {plural(trace.lineages, 'lineage')}, "
        f"{plural(trace.requests, 'request')}"
    )
    facts = [
        ("source", words.file(trace.sources[0]) if trace.sources else "none"),
        ("cache", cache),
        ("requests", exact(trace.requests)),
        ("prompt tokens", exact(trace.prompt_tokens)),
        ("working set", f"{exact(trace.working_set_tokens)} tokens"),
        ("encoding", encoding(trace.encoding)),
        ("order of prompts", words.name(trace.render)),
        ("skipped records", exact(trace.skipped_records)),
        ("analyzed by cachelens", words.name(side.cachelens)),
    ]
    if len(trace.sources) > 1:
        facts[0] = ("source", f"{facts[0][1]} and {len(trace.sources) - 1:,} more")
    text = f"{label}, every prompt token by outcome: " + ", ".join(part.text for part in bar)
    return SideView(label, words.file(side.name), scope, cache, tuple(facts), bar, text)


def _change(one: Delta) -> Change:
    return Change(
        title=words.sentence(one.title),
        before=changes.value(one, one.before),
        after=changes.value(one, one.after),
        change=changes.change(one),
        relative=changes.relative(one),
        effect=one.effect if one.effect in ("better", "worse") else "",
    )


def _cells(one: Delta) -> tuple[str, str, str]:
    return changes.value(one, one.before), changes.value(one, one.after), changes.change(one)


def _parts(kind: str, title: str, looks: dict[str, Look], parts: Sequence[PartDelta]) -> Table:
    """Outcomes or labels: tokens and shares, before and after."""
    known = {one.name: one for one in parts if one.tokens.before or one.tokens.after}
    rows = [
        Row(
            kind,
            name,
            look.label.replace("_", " "),
            (*_cells(known[name].tokens), *_cells(known[name].share)),
            TERMS[name].meaning,
        )
        for name, look in looks.items()
        if name in known
    ]
    return Table((title, *_PARTS), tuple(rows))


def _buckets(parts: Sequence[BucketDelta]) -> Table:
    rows = [
        Row(
            "b",
            one.name,
            BUCKET_LOOKS[one.name].label,
            (*_cells(one.computed), changes.change(one.share), *_cells(one.carried)),
            TERMS[one.name].meaning,
        )
        for one in parts
        if one.name in TERMS and (one.carried.before or one.carried.after)
    ]
    header = (
        "waste",
        "computed before",
        "after",
        "change",
        "of computed",
        "carried before",
        "after",
        "change",
    )
    return Table(header, tuple(rows))


def _cause(one: FindingDelta, documented: frozenset[str]) -> Cause:
    bound = "≤ " if one.changes_input else ""
    savings = [None if side is None else side.saving_tokens for side in (one.before, one.after)]
    before, after = ("-" if saving is None else bound + words.signed_count(saving) for saving in savings)
    badges = [] if one.verdict == "avoidable" else [words.name(one.verdict)]
    if one.changes_input:
        badges.append("changes the model’s input: upper bound")
    return Cause(
        state=words.name(one.state),
        effect=_EFFECTS.get(one.state, "") if one.verdict == "avoidable" else "",
        code=words.name(one.code),
        name=words.name(one.name),
        anchor=rule_anchor(one.code) if one.code in documented else "",
        title=words.sentence(one.title),
        badges=tuple(badges),
        moved=words.sentence(changes.matched(one)),
        before="-" if one.before is None else exact(one.before.tokens),
        after="-" if one.after is None else exact(one.after.tokens),
        saves_before=before,
        saves_after=after,
        fix=words.sentence(one.fix),
    )


def _layouts(found: Comparison) -> Iterator[tuple[str, ...]]:
    for one in found.layouts:
        yield (
            words.name(one.engine),
            words.name(one.order),
            *_cells(one.hit_rate),
            *_cells(one.computed),
            changes.relative(one.computed),
        )


def _sessions(found: Comparison) -> Sessions:
    own = found.sessions
    said = [
        f"{exact(number)} paired {changes.PAIRED_BY.get(way, words.name(way))}"
        for way, number in own.ways.items()
    ]
    if own.paired > 1:
        said.append(f"{exact(own.better)} better, {exact(own.worse)} worse, {exact(own.same)} the same")
    for label, side in (("before", own.only_before), ("after", own.only_after)):
        if side.sessions:
            said.append(
                f"{plural(side.sessions, 'session')} only {label}: {count(side.prompt_tokens)} prompt tokens"
            )
    if own.why:
        said.append(words.sentence(own.why))
    pairs = own.pairs[:_PAIRS]
    left = own.paired - len(pairs)
    header = ("session", "requests", "after", "computed", "after", "change", "hit", "after", "change")
    return Sessions(
        tuple(said),
        header,
        tuple(_pair(pair) for pair in pairs),
        f"{plural(left, 'more pair')}, which changed less." if left > 0 else "",
    )


def _pair(pair: SessionDelta) -> tuple[str, ...]:
    one, other = words.name(pair.before_id), words.name(pair.after_id)
    return (
        one if one == other else f"{one} → {other}",
        changes.value(pair.requests, pair.requests.before),
        changes.value(pair.requests, pair.requests.after),
        *_cells(pair.computed),
        *_cells(pair.hit_rate),
    )


def _pictures(found: Comparison) -> Iterator[tuple[str, tuple[tuple[str, Picture | None, str], ...]]]:
    """Of each plot its title, and per side a label, the picture or why there is none; without results nothing."""
    if not isinstance(found, Illustrated):
        return
    for name in _PLOTS:
        plot: Plot = PLOTS.load(name)()
        sides = []
        for label, result in zip(("before", "after"), found.results, strict=True):
            why = plot.missing(result)
            made = picture(plot, name, result, f"{label}-") if why is None else None
            sides.append((label.title(), made, words.sentence(why or "")))
        if any(made for _, made, _ in sides):
            yield plot.title, tuple(sides)
