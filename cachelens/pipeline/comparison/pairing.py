"""Which session is which. In: requests of two Results. Out: sessions found on both sides, and how, and what is left.

Sessions of a trace are numbered in order of first sight, so an equal number alone says nothing. Two sessions are
the same where something of the capture says so; by their order only where all that are left look alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cachelens.model.comparison import PairedBy, SessionDelta, Sessions, Unpaired
from cachelens.model.rows import RequestRow
from cachelens.pipeline.comparison.figures import delta, of_rows, ratio, tokens

#: Pairs that are listed; what changed in the others is summed.
LISTED: Final = 100
#: Ids that cachelens gave, or that are mere numbers: they say which place something has, not what it is.
_NUMBERED: Final = re.compile(r"[rsl]?\d+(?:#\d+)?")


@dataclass(frozen=True)
class Session:
    """Requests of one session, in order of start."""

    id: str
    rows: tuple[RequestRow, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of requests of its lineages, in order of first sight."""
        return tuple(Counter(row.lineage_id for row in self.rows).values())


@dataclass
class _Left:
    """Sessions of both sides that are not paired yet, in order of first sight, and the pairs made so far."""

    before: list[Session]
    after: list[Session]
    pairs: list[tuple[Session, Session, PairedBy]] = field(default_factory=list)

    def pair(self, paired_by: PairedBy, key: Callable[[Session], Hashable]) -> None:
        """Pair sessions of equal keys (None: none): those alone on their side, and by order several that look alike."""
        first, second = _by_key(self.before, key), _by_key(self.after, key)
        taken: set[int] = set()
        for name, own in first.items():
            others = second.get(name, [])
            if len(own) != len(others) or (len(own) > 1 and _apart(own, others)):
                continue
            way = paired_by if len(own) == 1 else "order"
            self.pairs += [(one, other, way) for one, other in zip(own, others, strict=True)]
            taken |= {id(session) for session in (*own, *others)}
        self.before = [one for one in self.before if id(one) not in taken]
        self.after = [one for one in self.after if id(one) not in taken]


def sessions(before: Sequence[RequestRow], after: Sequence[RequestRow]) -> Sessions:
    """Sessions of both sides, paired as far as the captures say which is which.

    Where they say so of some sessions, the others are other sessions. Where they say nothing of any, order may.
    """
    left = _Left(_grouped(before), _grouped(after))
    file = _files(left.before, left.after)
    left.pair("id", _own_id)
    left.pair("requests", _own_requests)
    if not left.pairs and len(left.before) == len(left.after) == 1:
        left.pair("only", lambda _: "")
    left.pair("file", file)
    why = ""
    if not left.pairs:
        why = _apart(left.before, left.after)
        left.pair("order", lambda _: "")
    elif left.before or left.after:
        why = "nothing on the other side has their id or file"
    return _summed(left, why)


def _grouped(rows: Sequence[RequestRow]) -> list[Session]:
    found: dict[str, list[RequestRow]] = {}
    for row in rows:
        found.setdefault(row.session_id, []).append(row)
    return [Session(name, tuple(own)) for name, own in found.items()]


def _by_key(found: Iterable[Session], key: Callable[[Session], Hashable]) -> dict[Hashable, list[Session]]:
    """Sessions by their keys, in order; those that have none left out."""
    keyed: dict[Hashable, list[Session]] = {}
    for session in found:
        name = key(session)
        if name is not None:
            keyed.setdefault(name, []).append(session)
    return keyed


def _own_id(session: Session) -> Hashable:
    return None if _NUMBERED.fullmatch(session.id) else session.id


def _own_requests(session: Session) -> Hashable:
    ids = frozenset(row.request_id for row in session.rows)
    return None if any(_NUMBERED.fullmatch(name) for name in ids) else ids


def _files(before: Sequence[Session], after: Sequence[Session]) -> Callable[[Session], Hashable]:
    """The file that a session stands in, below the folder that all files of its side have in common."""
    below = {
        id(session): name
        for side in (before, after)
        for session, name in zip(side, _below([_file(session) for session in side]), strict=True)
    }
    return lambda session: below[id(session)]


def _file(session: Session) -> str | None:
    files = {row.source_file for row in session.rows}
    return files.pop() if len(files) == 1 else None


def _below(files: Sequence[str | None]) -> list[str | None]:
    """Each name without the folders that all of them begin with."""
    parts = [None if name is None else name.replace("\\", "/").split("/") for name in files]
    folders = [part[:-1] for part in parts if part is not None]
    common = min(map(len, folders), default=0)
    while common and any(one[:common] != other[:common] for one, other in pairwise(folders)):
        common -= 1
    return [None if part is None else "/".join(part[common:]) for part in parts]


def _apart(before: Sequence[Session], after: Sequence[Session]) -> str:
    """Why sessions cannot be paired by their order; empty when they can."""
    if len(before) != len(after):
        return f"{len(before):,} sessions on one side and {len(after):,} on the other: which is which is not known"
    for place, (one, other) in enumerate(zip(before, after, strict=True), 1):
        if one.shape != other.shape:
            return (
                f"as many sessions, but number {place:,} has {_shape(one)} on one side and {_shape(other)} on the "
                "other: which is which is not known"
            )
    return ""


def _shape(session: Session) -> str:
    def plural(number: int, noun: str) -> str:
        return f"{number:,} {noun}" + ("" if number == 1 else "s")

    return f"{plural(len(session.rows), 'request')} in {plural(len(session.shape), 'lineage')}"


def _summed(left: _Left, why: str) -> Sessions:
    pairs = [_delta(*pair) for pair in left.pairs]
    pairs.sort(key=lambda pair: -abs(pair.computed.change or 0))
    rest = pairs[LISTED:]
    effects = Counter(pair.computed.effect or pair.hit_rate.effect for pair in pairs)
    return Sessions(
        paired=len(pairs),
        ways=dict(Counter(pair.paired_by for pair in pairs)),
        pairs=tuple(pairs[:LISTED]),
        left_out=len(rest),
        left_out_prompt_change=sum(int(pair.prompt.change or 0) for pair in rest),
        left_out_computed_change=sum(int(pair.computed.change or 0) for pair in rest),
        better=effects["better"],
        worse=effects["worse"],
        same=effects["same"],
        same_length=sum(not pair.requests.change for pair in pairs),
        only_before=_unpaired(left.before),
        only_after=_unpaired(left.after),
        why=why,
    )


def _delta(before: Session, after: Session, paired_by: PairedBy) -> SessionDelta:
    first, second = of_rows(before.rows), of_rows(after.rows)
    rates = (ratio(first[1] - first[2], first[1]), ratio(second[1] - second[2], second[1]))
    return SessionDelta(
        before_id=before.id,
        after_id=after.id,
        paired_by=paired_by,
        requests=delta("requests", "requests", "count", "", first[0], second[0]),
        prompt=tokens("prompt-tokens", "prompt tokens", "", first[1], second[1]),
        computed=tokens("computed-tokens", "computed", "less", first[2], second[2], first[0] == second[0]),
        hit_rate=delta("hit-rate", "hit rate", "rate", "more", *rates),
    )


def _unpaired(left: Sequence[Session]) -> Unpaired:
    counts = [of_rows(session.rows) for session in left]
    return Unpaired(
        sessions=len(left),
        requests=sum(count[0] for count in counts),
        prompt_tokens=sum(count[1] for count in counts),
        computed_tokens=sum(count[2] for count in counts),
    )
