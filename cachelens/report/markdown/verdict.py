"""A verdict as a comment or job summary. In: a `Verdict`. Out: Markdown: checks, worst first, each with its culprit."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.verdict import Check, JudgedFinding, Verdict
from cachelens.report.markdown.comment import bullets, comment, folded, section, table
from cachelens.report.markdown.escape import code, prose
from cachelens.report.units import count, exact, plural

_NAME, _TITLE = 60, 200
#: Findings told of in the open, those that are accepted, those that are gone.
_CULPRITS, _KNOWN, _FIXED = 5, 20, 20
_MARKS = {"failed": "❌ failed", "warned": "⚠️ warned", "passed": "passed", "noted": "noted"}


def verdict_comment(verdict: Verdict) -> str:
    """The comment."""
    failed = sum(check.status == "failed" for check in verdict.checks)
    word = (
        "passed" if verdict.passed else f"failed, {exact(failed)} of {plural(len(verdict.checks), 'check')}"
    )
    runs = verdict.runs
    names = ", ".join(code(name, _NAME, True) for name in runs[0].sources[:3])
    scope = f"median of {plural(len(runs), 'run')}" if len(runs) > 1 else names
    capacity = verdict.engine.capacity_tokens
    size = "unlimited" if capacity is None else f"{count(capacity)} tokens"
    requests = plural(sum(run.requests for run in runs), "request")
    bad = [one for one in verdict.findings if one.status in ("failed", "warned")]
    parts = (
        f"### cachelens: {word}\n\n{scope}: {requests}, {prose(verdict.engine.title or verdict.engine.name)}, {size}",
        _checks(verdict.checks, verdict.compared),
        section("What to mend", _culprits(bad[:_CULPRITS])),
        folded(
            "Fixed, accepted and noted findings",
            (
                section("Fixed since the baseline", bullets(_fixed(verdict))),
                section("Not judged", _others(verdict)),
            ),
        ),
    )
    notes = [f"tokens of {prose(verdict.encoding)}"]
    skipped = sum(run.skipped_records for run in runs)
    if skipped:
        notes.append(f"{plural(skipped, 'record')} skipped")
    if verdict.next_command is not None:
        notes.append(f"look further: {code(verdict.next_command, 400)}")
    return comment(parts, notes, verdict.cachelens)


def _checks(checks: Sequence[Check], compared: bool) -> str:
    header = ("", "check", "expected", "found", *(("baseline",) if compared else ()))
    rows = [
        (
            _MARKS[check.status],
            prose(f"{check.name} {check.title}" if check.kind == "rule" else check.title, _TITLE)
            + (f" ({code(check.session, _NAME)})" if check.session is not None else ""),
            prose(check.expected),
            prose(check.found),
            prose(check.baseline or "-"),
        )[: len(header)]
        for check in checks
    ]
    return table(header, rows)


def _culprits(findings: Sequence[JudgedFinding]) -> str:
    return bullets(_culprit(one) for one in findings)


def _culprit(one: JudgedFinding) -> str:
    found = one.finding
    state = f"{one.state}: " if one.state in ("new", "grown") else ""
    parts = [f"**{state}{found.code} {prose(found.name)}**: {prose(found.title, _TITLE)}"]
    place = found.location
    if place is not None:
        spot = [f"request {code(place.request_id, _NAME)}"]
        if place.path:
            spot.append(code(place.path, _NAME, True))
        if place.char_offset is not None:
            spot.append(f"character {exact(place.char_offset)}")
        parts.append(", ".join(spot))
    if found.saving is not None:
        parts.append(f"mended it saves {count(found.saving.computed_tokens)} computed tokens")
    parts.append(prose(found.fix, _TITLE))
    return "<br>".join(parts)


def _fixed(verdict: Verdict) -> list[str]:
    return [f"{one.code} {prose(one.name)}, {count(one.tokens)} tokens" for one in verdict.fixed[:_FIXED]]


def _others(verdict: Verdict) -> str:
    rest = [one for one in verdict.findings if one.status in ("noted", "passed")][:_KNOWN]
    rows = [
        (one.finding.code, prose(one.finding.title, _TITLE), exact(one.tokens), prose(one.why))
        for one in rest
    ]
    return table(("", "finding", "tokens", "why"), rows, right={2})
