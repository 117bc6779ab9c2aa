"""Causes of waste before and after. In: findings of two Results. Out: which appeared, vanished, grew, shrank.

A cause is found again by its fingerprint. What is left is found again by its rule where that is beyond doubt: one
finding on either side, or one of the same title; and is told as such, since place or title have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

import msgspec

from cachelens.model.comparison import FindingDelta, FindingSide, MatchedBy, State
from cachelens.model.findings import Finding

#: The order in which causes are told.
_ORDER: Final[tuple[State, ...]] = ("appeared", "grew", "shrank", "vanished", "unchanged")
_Pair = tuple[Finding | None, Finding | None, MatchedBy]


def causes(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[FindingDelta, ...]:
    """Every finding of either side exactly once, those that changed by most tokens first within their state."""
    found = [_delta(*pair) for pair in _pairs(before, after)]
    found.sort(
        key=lambda one: (
            _ORDER.index(one.state),
            -abs(one.change_saving or 0),
            -abs(one.change_tokens),
            one.code,
            _fingerprints(one),
        )
    )
    return tuple(found)


def _fingerprints(one: FindingDelta) -> list[str]:
    return sorted(side.fingerprint for side in (one.before, one.after) if side is not None)


def _pairs(before: Sequence[Finding], after: Sequence[Finding]) -> Iterable[_Pair]:
    lefts, rights = list(before), list(after)
    # Several findings of a side may have one fingerprint: equal ones are paired in their order.
    yield from _same(lefts, rights, lambda one: (one.code, one.fingerprint), "fingerprint", alone=False)
    yield from _same(lefts, rights, lambda one: (one.code, one.measure, one.title), "rule", alone=True)
    yield from _same(lefts, rights, lambda one: (one.code, one.measure), "rule", alone=True)
    yield from ((one, None, "") for one in lefts)
    yield from ((None, other, "") for other in rights)


def _same(
    lefts: list[Finding],
    rights: list[Finding],
    key: Callable[[Finding], Hashable],
    matched_by: MatchedBy,
    alone: bool,
) -> Iterable[_Pair]:
    """Pairs with equal keys, taken out of both lists. `alone`: only where neither side has a second one."""
    first, second = _by_key(lefts, key), _by_key(rights, key)
    lefts.clear()
    rights.clear()
    for name in {**first, **second}:
        own, others = first.get(name, []), second.get(name, [])
        pairs = 0 if alone and (len(own) > 1 or len(others) > 1) else min(len(own), len(others))
        for one, other in zip(own[:pairs], others[:pairs], strict=True):
            yield one, other, matched_by
        lefts += own[pairs:]
        rights += others[pairs:]


def _by_key(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> dict[Hashable, list[Finding]]:
    found: dict[Hashable, list[Finding]] = {}
    for one in findings:
        found.setdefault(key(one), []).append(one)
    return found


def _delta(before: Finding | None, after: Finding | None, matched_by: MatchedBy) -> FindingDelta:
    known = after or before
    assert known is not None, "a pair has at least one side"
    changes = [_amounts(after)[at] - _amounts(before)[at] for at in range(3)]
    replayed = all(one is None or one.saving is not None for one in (before, after))
    return FindingDelta(
        state=_state(before, after, changes),
        matched_by=matched_by,
        code=known.code,
        name=known.name,
        title=known.title,
        verdict=known.verdict,
        measure=known.measure,
        changes_input=known.changes_input,
        fix=known.fix,
        before=_side(before),
        after=_side(after),
        change_tokens=changes[0],
        change_requests=changes[2],
        change_saving=changes[1] if replayed else None,
    )


def _amounts(finding: Finding | None) -> tuple[int, int, int]:
    """Tokens, tokens that mending it saves, requests."""
    if finding is None:
        return 0, 0, 0
    saved = 0 if finding.saving is None else finding.saving.computed_tokens
    return finding.tokens, saved, finding.requests


def _state(before: Finding | None, after: Finding | None, changes: Sequence[int]) -> State:
    if before is None or after is None:
        return "appeared" if before is None else "vanished"
    first = next((change for change in changes if change), 0)
    return "grew" if first > 0 else "shrank" if first < 0 else "unchanged"


def _side(finding: Finding | None) -> FindingSide | None:
    if finding is None:
        return None
    saving, place = finding.saving, finding.location
    return FindingSide(
        fingerprint=finding.fingerprint,
        title=finding.title,
        tokens=finding.tokens,
        requests=finding.requests,
        sessions=finding.sessions,
        saving_tokens=None if saving is None else saving.computed_tokens,
        saving_share=None if saving is None else saving.share,
        saving_usd=None if saving is None else saving.cost_usd,
        location=None if place is None else msgspec.structs.replace(place, before=None, now=None),
    )
