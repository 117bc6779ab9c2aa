"""What could be mended, and what else to know. In: a `Result`. Out: findings as they are read, most saved first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cachelens.model.findings import Finding, Location
from cachelens.model.result import Result
from cachelens.report.html import words
from cachelens.report.html.differing import Change, changes, excerpt
from cachelens.report.html.places import Link, Places, rule_anchor
from cachelens.report.units import count, exact, money, plural

#: Findings shown in full; of further ones a line each, and beyond those their number.
_FULL, _LINES = 60, 400
#: Requests named in a finding.
_NAMED = 12
_VERDICTS = {
    "avoidable": "avoidable",
    "legitimate": "legitimate: costs tokens, and has its reasons",
    "diagnostic": "to know",
}


@dataclass(frozen=True)
class Card:
    """A finding in full. `saved` empty: there is nothing to replay. `width`: the saving's share as a bar, percent.

    `facts`: (name, value) about the saving, `evidence` about the cause. `place`: pieces of where it is worst.
    """

    number: int
    code: str
    rule: str
    anchor: str
    title: str
    verdict: str
    legitimate: bool
    changes_input: bool
    bound: str
    saved: str
    share: str
    width: str
    cost: str
    scope: str
    measure: str
    facts: tuple[tuple[str, str], ...]
    place: tuple[str, ...]
    worst: Link | None
    previous: Link | None
    digests: tuple[tuple[str, str], ...]
    evidence: tuple[tuple[str, str], ...]
    fix: str
    break_even: str
    requests: tuple[Link, ...]
    more_requests: int
    before: tuple[Change, ...]
    now: tuple[Change, ...]


@dataclass(frozen=True)
class Findings:
    """Cards, then (code, title, requests, saving) of those beyond, then how many more there are."""

    cards: tuple[Card, ...]
    lines: tuple[tuple[str, str, str, str], ...]
    more: int
    excluded: str = ""


def opportunities(result: Result, places: Places, documented: Collection[str]) -> Findings:
    """Findings about waste; those in `documented` link to their rule."""
    codes = result.remedies.excluded
    excluded = ", ".join(words.name(code) for code in codes)
    found = [item for item in result.findings if item.verdict != "diagnostic"]
    return _findings(found, result, places, documented, excluded)


def diagnostics(result: Result, places: Places, documented: Collection[str]) -> Findings:
    """Findings that are no waste of the harness: what the capture and the server say."""
    found = [item for item in result.findings if item.verdict == "diagnostic"]
    return _findings(found, result, places, documented, "")


def _findings(
    found: list[Finding], result: Result, places: Places, documented: Collection[str], excluded: str
) -> Findings:
    # The number keeps anchors of both sections apart.
    numbers = {id(item): at for at, item in enumerate(result.findings, 1)}
    cards = tuple(
        _card(item, numbers[id(item)], result, places, item.code in documented) for item in found[:_FULL]
    )
    lines = tuple(
        (
            words.name(item.code),
            words.sentence(item.title),
            exact(item.requests),
            "-" if item.saving is None else words.signed_count(item.saving.computed_tokens),
        )
        for item in found[_FULL : _FULL + _LINES]
    )
    return Findings(cards, lines, max(len(found) - _FULL - _LINES, 0), excluded)


def _card(item: Finding, number: int, result: Result, places: Places, documented: bool) -> Card:
    saving, place = item.saving, item.location
    bound = words.upper(saving, item.changes_input) if saving is not None else ""
    ids = item.request_ids[:_NAMED]
    before, now = _sides(place, result.shows_text)
    return Card(
        number=number,
        code=words.name(item.code),
        rule=words.name(item.name),
        anchor=rule_anchor(item.code) if documented else "",
        title=words.sentence(item.title),
        verdict=_VERDICTS.get(item.verdict) or words.name(item.verdict),
        legitimate=item.verdict == "legitimate",
        changes_input=item.changes_input,
        bound=bound,
        saved="" if saving is None else words.signed(lambda value: count(int(value)), saving.computed_tokens),
        share="" if saving is None else words.part(saving.share),
        width="" if saving is None else f"{min(max(100 * saving.share, 0), 100):.2f}%",
        cost="" if saving is None or saving.cost_usd is None else "$" + words.signed(money, saving.cost_usd),
        scope=f"{plural(item.requests, 'request')}, {plural(item.sessions, 'session')}",
        measure=f"{exact(item.tokens)} tokens {words.sentence(item.measure)}",
        facts=_facts(item),
        place=() if place is None else tuple(_place(place)),
        worst=None if place is None else places.request(place.request_id),
        previous=None
        if place is None or place.previous_request_id is None
        else places.request(place.previous_request_id),
        digests=() if place is None else tuple(_digests(place)),
        evidence=tuple((words.name(key), words.detail(key, value)) for key, value in item.details.items()),
        fix=words.sentence(item.fix),
        break_even=words.sentence(item.break_even or ""),
        requests=tuple(places.requests(ids)),
        more_requests=max(item.requests - len(ids), 0),
        before=before,
        now=now,
    )


def _facts(item: Finding) -> tuple[tuple[str, str], ...]:
    """What the replay of the remedy says, with all digits."""
    saving, found = item.saving, []
    if saving is not None:
        found.append(
            (
                "tokens computed less",
                f"{words.signed_count(saving.computed_tokens)} ({words.part(saving.share)})",
            )
        )
        found.append(("tokens sent less", words.signed_count(saving.prompt_tokens)))
        if saving.cost_usd is not None:
            cost = "$" + words.signed(money, saving.cost_usd)
            if saving.cost_share is not None:
                cost += f" ({words.part(saving.cost_share)} of what input cost)"
            found.append(("cost less", cost))
        if saving.flops is not None:
            found.append(("FLOPs less", f"{saving.flops:.1e}".replace("e+", "e")))
    if item.left_out is not None:
        text = f"{words.signed_count(item.left_out)} more tokens computed"
        if item.left_out < 0:
            text = (
                f"{words.signed_count(-item.left_out)} fewer tokens computed: the others do better without it"
            )
        found.append(("of all remedies this one left out", text))
    return tuple(found)


def _place(place: Location) -> list[str]:
    """Where a finding is worst: place in the body, part of the prompt, tool, character, token."""
    parts = [words.path(place.path)] if place.path else []
    if place.component:
        parts.append(words.name(place.component).replace("_", " "))
    if place.name:
        parts.append(words.name(place.name))
    if place.char_offset is not None:
        parts.append(f"character {exact(place.char_offset)}")
    if place.token_offset is not None:
        parts.append(f"token {exact(place.token_offset)} of the prompt")
    return parts


def _digests(place: Location) -> list[tuple[str, str]]:
    """Names of the texts on both sides, which show nothing of them."""
    found = [("before", place.previous_digest), ("now", place.digest)]
    return [(label, words.name(digest)) for label, digest in found if digest]


def _sides(place: Location | None, shows_text: bool) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Excerpts of both sides; where there is but one, or both are the same, no marks."""
    if place is None or not shows_text:
        return (), ()
    if place.before is not None and place.now is not None and place.before != place.now:
        return changes(place.before, place.now)
    if place.before == place.now:
        return (), excerpt(place.now)
    return excerpt(place.before), excerpt(place.now)
