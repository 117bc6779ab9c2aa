"""A verdict as a screen: failures first, each with its culprit. In: a `Verdict`. Out: lines."""

from __future__ import annotations

from collections import Counter

from cachelens.model.verdict import Check, JudgedFinding, Verdict
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, plural
from cachelens.report.untrusted import clean

#: Checks that passed, findings that are known and findings that are gone: shown without `--verbose`.
_PASSED, _FIXED = 12, 5
_STYLES = {"failed": "#d55e00", "warned": "#e69f00", "passed": "#0072b2", "noted": "dim"}
#: Column at which what belongs to a check is written.
_BELOW = 11


def verdict_screen(verdict: Verdict, page: Page, verbose: bool) -> list[Line]:
    """What failed and why, what was checked beside it, and what changed against the baseline."""
    lines: list[Line] = [_headline(verdict), *_facts(verdict, page), []]
    findings = {one.finding.fingerprint: one for one in verdict.findings}
    told: set[str] = set()
    shown = [check for check in verdict.checks if check.status != "passed"]
    passed = [check for check in verdict.checks if check.status == "passed"]
    rows = [_row(check, page) for check in (*shown, *(passed if verbose else passed[:_PASSED]))]
    header = ("", "check", "expected", "found", *(("baseline",) if verdict.compared else ()))
    width = len(header)
    body = table(header, [row[:width] for row in rows], page, flexible=1) if rows else []
    lines += body[:1]
    for check, line in zip((*shown, *passed), body[1:], strict=False):
        indent, status, *rest = line
        lines.append([indent, Span(status.text, _STYLES[check.status]), *rest])
        culprit = findings.get(check.culprit or "")
        if check.status != "passed" and culprit is not None and check.culprit not in told:
            told.add(culprit.finding.fingerprint)
            lines += _culprit(culprit, page)
    if len(passed) > _PASSED and not verbose:
        lines.append([Span(f"   {plural(len(passed) - _PASSED, 'more check')} passed: -v", "dim")])
    lines += _against(verdict, page, verbose)
    if verbose:
        lines += _noted(verdict, page)
    if verdict.next_command is not None:
        lines += [[], [Span("  look further: ", "dim"), Span(clean(verdict.next_command, 400))]]
    return lines


def _headline(verdict: Verdict) -> Line:
    failed = sum(check.status == "failed" for check in verdict.checks)
    warned = sum(check.status == "warned" for check in verdict.checks)
    word = Span("PASSED", _STYLES["passed"]) if verdict.passed else Span("FAILED", _STYLES["failed"])
    parts = [f"   {exact(failed)} of {plural(len(verdict.checks), 'check')} failed" if failed else ""]
    parts += [] if failed else [f"   {plural(len(verdict.checks), 'check')}"]
    parts += [f"   {plural(warned, 'warning')}"] if warned else []
    return [Span("cachelens check  "), word, Span("".join(parts))]


def _facts(verdict: Verdict, page: Page) -> list[Line]:
    runs = verdict.runs
    names = ", ".join(
        clean(name, 60, keep_end=True, ascii_only=page.ascii_only) for name in runs[0].sources[:2]
    )
    many = f"median of {plural(len(runs), 'run')}" if len(runs) > 1 else names
    capacity = verdict.engine.capacity_tokens
    skipped = sum(run.skipped_records for run in runs)
    chunks = [
        many,
        plural(sum(run.requests for run in runs), "request"),
        verdict.engine.title or verdict.engine.name,
        "unlimited" if capacity is None else f"{count(capacity)} tokens",
        verdict.encoding,
        *([f"{plural(skipped, 'record')} skipped"] if skipped else []),
    ]
    return list(pack(([Span(chunk, "dim")] for chunk in chunks), page.width - 2, indent=0))


def _row(check: Check, page: Page) -> tuple[str, ...]:
    title = clean(check.title, 300, ascii_only=page.ascii_only)
    if check.kind == "rule" and check.name != "baseline":
        title = f"{check.name} {title}"
    if check.session is not None:
        title += f" ({clean(check.session, 40, ascii_only=page.ascii_only)})"
    return (check.status, title, check.expected, check.found, check.baseline or "-")


def _culprit(one: JudgedFinding, page: Page) -> list[Line]:
    """Which finding it is, where it is worst, and how it is mended."""
    found = one.finding
    room = max(page.width - _BELOW - 1, 20)

    def below(text: str, style: str = "") -> Line:
        return [Span(" " * _BELOW + clean(text, room, ascii_only=page.ascii_only), style)]

    state = f"{one.state}: " if one.state in ("new", "grown") else ""
    lines: list[Line] = [below(f"{state}{found.code} {found.title}")]
    place = found.location
    if place is not None:
        parts = [place.request_id, *(part for part in (place.path, place.name) if part)]
        if place.char_offset is not None:
            parts.append(f"char {exact(place.char_offset)}")
        if place.token_offset is not None:
            parts.append(f"token {exact(place.token_offset)}")
        if one.source_file is not None:
            parts.append(f"{one.source_file} record {one.source_record}")
        lines.append(below(", ".join(parts), "dim"))
        if place.before is not None or place.now is not None:
            lines.append(below(f"before: {place.before or ''}", "dim"))
            lines.append(below(f"now:    {place.now or ''}", "dim"))
    saving = found.saving
    if saving is not None:
        lines.append(below(f"saves {count(saving.computed_tokens)} computed tokens: {found.fix}", "dim"))
    else:
        lines.append(below(found.fix, "dim"))
    return lines


def _against(verdict: Verdict, page: Page, verbose: bool) -> list[Line]:
    if not verdict.compared:
        return []
    judged = (one for one in verdict.findings if one.tokens and one.finding.verdict != "diagnostic")
    states = Counter(one.state for one in judged)
    parts = [f"{exact(states[state])} {state}" for state in ("new", "grown", "known") if states[state]]
    parts += [f"{exact(len(verdict.fixed))} fixed"] if verdict.fixed else []
    lines: list[Line] = [
        [],
        [
            Span(" AGAINST THE BASELINE", "bold"),
            Span("   " + ("   ".join(parts) or "no findings on either side")),
        ],
    ]
    fixed = verdict.fixed if verbose else verdict.fixed[:_FIXED]
    for one in fixed:
        text = f"   fixed   {one.code} {one.name}, {count(one.tokens)} tokens"
        lines.append([Span(clean(text, page.width, ascii_only=page.ascii_only))])
    if verdict.fixed:
        lines.append([Span("   --update-baseline keeps them from coming back", "dim")])
    return lines


def _noted(verdict: Verdict, page: Page) -> list[Line]:
    rest = [one for one in verdict.findings if one.status in ("noted", "passed")]
    if not rest:
        return []
    rows = [
        (
            one.finding.code,
            clean(one.finding.title, 200, ascii_only=page.ascii_only),
            exact(one.tokens),
            one.why,
        )
        for one in rest
    ]
    return [
        [],
        [Span(" NOT JUDGED", "bold")],
        *table(("", "finding", "tokens", "why"), rows, page, flexible=1),
    ]
