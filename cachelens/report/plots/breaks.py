"""Where prompts depart from those before them, in words. In: requests, findings. Out: those worth naming."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cachelens.model.findings import Finding
from cachelens.model.rows import Break, RequestRow
from cachelens.report.plots.fitting import legible
from cachelens.report.units import count, exact, plural

#: Rules about prefixes: what they find is why a prompt departs.
_FAMILY = "CL1"


@dataclass(frozen=True)
class Note:
    """The worst departure of its kind: `at` is its request's place among those given, `place` where it is in the
    prompt, `effect` what came of it."""

    at: int
    place: str
    effect: str


@dataclass(frozen=True)
class _Departure:
    at: int
    number: int
    where: Break
    codes: tuple[str, ...]


def codes(findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """Rules by the requests whose prefix they say was broken, those whose worst place it is first.

    A finding names only the first of many requests, so others may have none.
    """
    worst: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for finding in findings:
        if finding.code.startswith(_FAMILY):
            if finding.location is not None:
                worst.setdefault(finding.location.request_id, []).append(finding.code)
            for request_id in finding.request_ids:
                others.setdefault(request_id, []).append(finding.code)
    return {
        request_id: tuple(dict.fromkeys([*worst.get(request_id, ()), *others.get(request_id, ())]))
        for request_id in {**worst, **others}
    }


def notes(
    requests: Sequence[tuple[int, RequestRow]], rules: Mapping[str, tuple[str, ...]], most: int
) -> list[Note]:
    """At most `most` notes, most tokens lost first: one for all departures alike in rules and part of the prompt.

    `requests` with their numbers; `rules` as from `codes`. Where a part of the prompt has departures of one rule
    only, those of no rule count with them. Departures that lost nothing are not noted.
    """
    parts: dict[tuple[str, str | None], dict[tuple[str, ...], list[_Departure]]] = {}
    for at, (number, row) in enumerate(requests):
        if row.break_ is not None and row.break_.lost_tokens > 0:
            told = rules.get(row.request_id, ())
            alike = parts.setdefault((row.break_.component, row.break_.name), {})
            alike.setdefault(told, []).append(_Departure(at, number, row.break_, told))
    for alike in parts.values():
        if len(alike) == 2 and () in alike:
            others = alike.pop(())
            next(iter(alike.values())).extend(others)
    groups = [group for alike in parts.values() for group in alike.values()]
    heaviest = sorted(groups, key=lambda group: (-_lost(group), group[0].at))
    return [_note(group) for group in heaviest[:most]]


def where(item: Break) -> str:
    """The part of the prompt, and how far into it: `system, char 214`, `tools read_file, after 1,024 tokens`."""
    part = legible(item.component, 20)
    if item.name:
        part += f" {legible(item.name, 24)}"
    if item.char_offset is not None:
        return f"{part}, char {exact(item.char_offset)}"
    return f"{part}, after {plural(item.token_offset, 'token')}"


def _note(group: Sequence[_Departure]) -> Note:
    worst = max(group, key=lambda item: (item.where.lost_tokens, -item.at))
    effect = f"{count(worst.where.lost_tokens)} again"
    if len(group) > 1:
        effect += f", {count(_lost(group))} in {len(group):,} such"
    told = [legible(code, 12) for code in worst.codes[:2]]
    return Note(worst.at, f"request {exact(worst.number)}: {where(worst.where)}", " · ".join([*told, effect]))


def _lost(group: Iterable[_Departure]) -> int:
    return sum(item.where.lost_tokens for item in group)
