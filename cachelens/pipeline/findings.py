"""From rules to findings. In: a case. Out: `Finding`s with replayed savings, and all remedies together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from cachelens.advise.candidate import Candidate, Place
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan, join
from cachelens.advise.rule import Rule
from cachelens.advise.rules import RULES
from cachelens.attribute.breaks import message_of
from cachelens.errors import UsageError
from cachelens.model.findings import Finding, Location, Remedies
from cachelens.model.kinds import KINDS
from cachelens.model.progress import Progress, silent
from cachelens.pipeline.remedies import Found, helpful, left_out, remedies, worth_telling
from cachelens.pipeline.savings import Bench, order_of

#: Requests named in a finding.
_NAMED = 20


@dataclass(frozen=True, eq=False)
class Advice:
    """`findings`, most saved first; `remedies`, what following them saves; `chosen`: those followed all together."""

    findings: tuple[Finding, ...]
    remedies: Remedies
    chosen: tuple[Found, ...]


def advise(
    case: Case,
    bench: Bench,
    what_if: Sequence[str] = (),
    show_text: bool = False,
    progress: Progress = silent,
) -> Advice:
    """All findings of all rules, and what would mend them. Raises UsageError for a code in `what_if` that is none."""
    for code in what_if:
        RULES.require(code)
    candidates = _candidates(case, progress)
    found: list[Found] = []
    for at, (code, rule, candidate) in enumerate(candidates):
        progress("replaying remedies", at, len(candidates))
        plan = candidate.plan
        saving = None if plan is None or plan.empty else bench.saving(plan)
        one = Found(code, rule.name, candidate, saving)
        if worth_telling(case, one):
            found.append(one)
    order = order_of([one.saving for one in found], [one.candidate.tokens for one in found])
    found = [found[at] for at in order]
    missing = left_out(bench, found)
    rows = tuple(_finding(case, one, left, show_text) for one, left in zip(found, missing, strict=True))
    chosen = helpful(bench, found, missing)
    return Advice(rows, remedies(bench, found, chosen, what_if), tuple(chosen))


def plan_of(case: Case, codes: Sequence[str]) -> Plan:
    """The remedies of all candidates of these rules together. Raises UsageError where there is none."""
    wanted = {code for code in codes if RULES.require(code)}
    plan = join(
        candidate.plan
        for code, _, candidate in _candidates(case, silent)
        if candidate.plan is not None and (code in wanted or not wanted)
    )
    if plan.empty:
        raise UsageError(f"nothing to remedy by {', '.join(codes) or 'any rule'}")
    return plan


def _candidates(case: Case, progress: Progress) -> list[tuple[str, Rule, Candidate]]:
    found: list[tuple[str, Rule, Candidate]] = []
    for code in RULES:
        progress(f"looking for {code}", 0, None)
        rule: Rule = RULES.load(code)()
        found += [(code, rule, candidate) for candidate in rule.find(case)]
    return found


def _finding(case: Case, one: Found, left_out: int | None, show_text: bool) -> Finding:
    candidate = one.candidate
    ids = case.trace.requests["request_id"]
    requests = list(candidate.requests)
    return Finding(
        code=one.code,
        name=one.name,
        title=candidate.title,
        verdict=candidate.verdict.value,
        location=None if candidate.place is None else _location(case, candidate, candidate.place, show_text),
        requests=len(requests),
        request_ids=tuple(ids[request] for request in requests[:_NAMED]),
        sessions=len({case.sessions[request] for request in requests}),
        tokens=candidate.tokens,
        measure=candidate.measure,
        saving=one.saving,
        changes_input=candidate.changes_input,
        fix=candidate.fix,
        fingerprint=fingerprint(one.code, candidate.group),
        left_out=left_out,
        break_even=candidate.break_even,
        details=dict(candidate.details),
    )


def fingerprint(code: str, group: Sequence[str]) -> str:
    """A name for the cause of a finding: equal in another run for what a rule puts into the same group."""
    return xxhash.xxh3_64_hexdigest("\0".join((code, *group)).encode("utf-8", "surrogatepass"))


def _location(case: Case, candidate: Candidate, place: Place, show_text: bool) -> Location:
    ids = case.trace.requests["request_id"]
    before = int(case.trace.predecessor[place.request])
    known = place.row >= 0
    path = case.trace.segments.location(place.row) if known else None
    excerpt = candidate.excerpt if show_text else None
    return Location(
        request_id=ids[place.request],
        previous_request_id=ids[before] if before >= 0 else None,
        component=KINDS[case.trace.segments.kind[place.row]] if known else None,
        path=path,
        message=message_of(path) if path else None,
        name=case.name(place.row) if known else None,
        char_offset=place.char,
        token_offset=place.token,
        digest=digest(case, place.row),
        previous_digest=digest(case, place.before_row),
        before=excerpt.before if excerpt else None,
        now=excerpt.now if excerpt else None,
    )


def digest(case: Case, row: int) -> str | None:
    """A name for the text of a segment that does not show it."""
    if row < 0:
        return None
    content = int(case.trace.segments.content[row])
    ids = case.trace.contents.token_ids(content)
    return xxhash.xxh3_64_hexdigest(ids.tobytes()) if len(ids) else None
