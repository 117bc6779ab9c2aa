"""Where a check went wrong, as code hosts want it. In: a verdict, a check. Out: file, line, sentences."""

from __future__ import annotations

import posixpath

from cachelens.model.verdict import Check, JudgedFinding, Verdict
from cachelens.report.units import count, exact
from cachelens.report.untrusted import clean

#: Characters of a message.
LONGEST = 1_000
_NAME = 200


def culprit_of(verdict: Verdict, check: Check) -> JudgedFinding | None:
    """The finding that a check is about."""
    if check.culprit is None:
        return None
    return next((one for one in verdict.findings if one.finding.fingerprint == check.culprit), None)


def heading(check: Check) -> str:
    """A check in a few words."""
    name = f"{check.name} {check.title}" if check.kind == "rule" and check.name != "baseline" else check.title
    return clean(f"{name}: {check.found}, expected {check.expected}", LONGEST)


def message(verdict: Verdict, check: Check) -> str:
    """A check with its culprit, as sentences."""
    parts = [heading(check)]
    if check.baseline is not None:
        parts[0] += f" (baseline {clean(check.baseline, _NAME)})"
    one = culprit_of(verdict, check)
    if one is not None:
        parts.append(f"{one.finding.code} {clean(one.finding.title, LONGEST)}")
        spot = place(one)
        if spot:
            parts.append(f"worst in {spot}")
        if one.finding.saving is not None:
            parts.append(f"mended it saves {count(one.finding.saving.computed_tokens)} computed tokens")
        parts.append(f"to mend it: {clean(one.finding.fix, LONGEST)}")
    return "; ".join(parts)


def place(one: JudgedFinding) -> str:
    """Request, path in its body, character and token; empty where a finding is about no place."""
    spot = one.finding.location
    if spot is None:
        return ""
    parts = [f"request {clean(spot.request_id, _NAME)}"]
    if spot.path:
        parts.append(clean(spot.path, _NAME))
    if spot.name:
        parts.append(clean(spot.name, _NAME))
    if spot.char_offset is not None:
        parts.append(f"character {exact(spot.char_offset)}")
    if spot.token_offset is not None:
        parts.append(f"token {exact(spot.token_offset)}")
    return ", ".join(parts)


def file_of(verdict: Verdict, check: Check) -> str:
    """The capture a check is about, with `/`; relative where it was named so."""
    one = culprit_of(verdict, check)
    name = one.source_file if one is not None else None
    if name is None:
        name = next((source for run in verdict.runs for source in run.sources), "trace")
    name = name.replace("\\", "/")
    return clean(posixpath.normpath(name) if name.strip("/") else name, LONGEST, keep_end=True)


def line_of(verdict: Verdict, check: Check) -> int:
    """The record a check is about, from 1: the line of a JSONL capture."""
    one = culprit_of(verdict, check)
    return max(one.source_record or 1, 1) if one is not None else 1
