"""A comparison as a comment. In: a `Comparison`. Out: Markdown: verdict, figures, causes; the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cachelens.model.comparison import Comparison, Delta, Difference, FindingDelta, SessionDelta
from cachelens.report import changes
from cachelens.report.markdown.comment import bullets, comment, folded, section, table
from cachelens.report.markdown.escape import code, prose
from cachelens.report.markdown.result import encoding, scope, where
from cachelens.report.palette import BUCKET_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS, Look
from cachelens.report.units import count, exact, plural

#: Causes that are not folded, and folded ones; sessions.
_CAUSES, _MORE_CAUSES, _SESSIONS = 8, 25, 10
_TITLE, _NAME = 200, 60
_NOTES = 8
#: Figures that are not folded.
_FIGURES = (
    "hit-rate",
    "computed-tokens",
    "cost",
    "prompt-tokens",
    "computed-again-tokens",
    "amplification",
    "computed-per-request",
    "reported-hit-rate",
    "waste",
    "breaks",
)
_EFFECTS = {"worse": "**worse**"}
_JUDGMENTS = {"better": "better", "worse": "worse", "mixed": "partly better, partly worse", "same": "equal"}


def comparison_comment(comparison: Comparison) -> str:
    """The comment."""
    changed = [cause for cause in comparison.causes if cause.state != "unchanged"]
    sides = bullets(
        f"{label} {code(side.name, _NAME, True)}: {scope(side.trace, side.engine)}"
        for label, side in (("before", comparison.before), ("after", comparison.after))
    )
    verdict = f"cachelens: {_JUDGMENTS[comparison.judgment]}: {', '.join(changes.summary(comparison))}"
    first = [delta for delta in comparison.figures if delta.name in _FIGURES]
    rest = (
        section("More causes", _causes(changed[_CAUSES : _CAUSES + _MORE_CAUSES])),
        section(
            "Outcomes", _parts([(part.name, part.tokens) for part in comparison.outcomes], OUTCOME_LOOKS)
        ),
        section("Labels", _parts([(part.name, part.tokens) for part in comparison.labels], LABEL_LOOKS)),
        section("Sessions", _sessions(comparison)),
        section("Other caches, unlimited", _layouts(comparison)),
    )
    parts = (
        f"### {verdict}\n\n{sides}",
        _across(comparison.across),
        _figures(first),
        section("Waste that was computed", _buckets(comparison)),
        section("Causes that changed", _causes(changed[:_CAUSES])),
        folded("More causes, figures, outcomes, labels, sessions, other caches", rest),
    )
    return comment(
        parts, list(_notes(comparison, len(comparison.causes) - len(changed))), comparison.cachelens
    )


def _across(differences: Sequence[Difference]) -> str:
    """Said before any figure: what else is not the same on both sides."""
    if not differences:
        return ""
    rows = [(code(item.name), code(item.before), code(item.after)) for item in differences]
    return "Compared across different conditions:\n\n" + table(("", "before", "after"), rows)


def _figures(figures: Sequence[Delta]) -> str:
    return _deltas([(prose(delta.title), delta) for delta in figures])


def _deltas(rows: Sequence[tuple[str, Delta]]) -> str:
    told = [
        (
            name,
            changes.value(delta, delta.before),
            changes.value(delta, delta.after),
            changes.change(delta),
            changes.relative(delta),
            _EFFECTS.get(delta.effect, delta.effect),
        )
        for name, delta in rows
    ]
    return table(("", "before", "after", "change", "relative", ""), told, right=(1, 2, 3, 4))


def _parts(parts: Sequence[tuple[str, Delta]], looks: dict[str, Look]) -> str:
    """Outcomes, labels or buckets with tokens on either side."""
    return _deltas(
        [
            (looks[name].label.replace("_", " ") if name in looks else code(name), delta)
            for name, delta in parts
            if delta.before or delta.after
        ]
    )


def _buckets(comparison: Comparison) -> str:
    return _parts([(bucket.name, bucket.computed) for bucket in comparison.buckets], BUCKET_LOOKS)


def _causes(causes: Sequence[FindingDelta]) -> str:
    rows = []
    for cause in causes:
        latest = cause.after or cause.before
        saving = None if latest is None else latest.saving_tokens
        matched = changes.matched(cause)
        rows.append(
            (
                cause.state,
                code(cause.code, 20),
                prose(cause.title, _TITLE) + (f" ({prose(matched, _TITLE)})" if matched else ""),
                *("-" if side is None else count(side.tokens) for side in (cause.before, cause.after)),
                "-" if saving is None else ("≤ " if cause.changes_input else "") + count(saving),
                "" if latest is None else where(latest.location),
            )
        )
    header = ("", "rule", "what", "tokens before", "tokens after", "mended it saves", "worst in")
    return table(header, rows, right=(3, 4, 5))


def _sessions(comparison: Comparison) -> str:
    """The pairs whose computed tokens changed most."""

    def row(pair: SessionDelta) -> tuple[str, ...]:
        name = code(pair.before_id, _NAME)
        if pair.after_id != pair.before_id:
            name += f" → {code(pair.after_id, _NAME)}"
        computed, rate = pair.computed, pair.hit_rate
        return (
            name,
            changes.value(computed, computed.before),
            changes.value(computed, computed.after),
            changes.change(computed),
            changes.value(rate, rate.before),
            changes.value(rate, rate.after),
        )

    header = ("session", "computed before", "after", "change", "hit rate before", "after")
    return table(header, [row(pair) for pair in comparison.sessions.pairs[:_SESSIONS]], right=range(1, 6))


def _layouts(comparison: Comparison) -> str:
    return _deltas([(f"{code(row.engine)} computed", row.computed) for row in comparison.layouts])


def _notes(comparison: Comparison, unchanged: int) -> Iterator[str]:
    found = comparison.sessions
    yield changes.basis(comparison)
    yield (
        f"{plural(found.paired, 'session')} on both sides: {exact(found.better)} better, {exact(found.worse)} worse, "
        f"{exact(found.same)} the same; only before {exact(found.only_before.sessions)}, "
        f"only after {exact(found.only_after.sessions)}"
    )
    if found.why:
        yield prose(found.why)
    if unchanged:
        yield f"{plural(unchanged, 'cause')} unchanged"
    yield encoding(comparison.after.trace.encoding)
    yield from (prose(note) for note in comparison.notes[:_NOTES])
