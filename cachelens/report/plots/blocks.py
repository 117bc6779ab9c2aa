"""Requests in the order in which a picture lists them. In: rows of a Result. Out: one block a lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cachelens.model.rows import RequestRow


@dataclass(frozen=True)
class Block:
    """Requests of one lineage in order of start. `numbers`: their places among all requests, counted from 1."""

    session_id: str
    lineage_id: str
    numbers: tuple[int, ...]
    requests: tuple[RequestRow, ...]


def blocks(requests: Sequence[RequestRow], session: str | None = None) -> list[Block]:
    """Blocks of all sessions, or of one: sessions by their first request, in each the lineages by theirs."""
    found: dict[str, dict[str, list[int]]] = {}
    for at, row in enumerate(requests):
        if session is None or row.session_id == session:
            found.setdefault(row.session_id, {}).setdefault(row.lineage_id, []).append(at)
    return [
        Block(session_id, lineage_id, tuple(at + 1 for at in places), tuple(requests[at] for at in places))
        for session_id, lineages in found.items()
        for lineage_id, places in lineages.items()
    ]


def names(found: Sequence[Block]) -> list[str]:
    """What tells each block from the others: its session, its lineage, or both; as captured."""
    sessions = [block.session_id for block in found]
    if len(set(sessions)) == len(found):
        return sessions
    if len(set(sessions)) == 1:
        return [block.lineage_id for block in found]
    first = {session: sessions.index(session) for session in sessions}
    return [
        block.lineage_id if first[block.session_id] != at else f"{block.session_id} · {block.lineage_id}"
        for at, block in enumerate(found)
    ]
