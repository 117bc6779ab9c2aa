"""Results with pictures, made by a small agent and an unlimited cache. In: prompts, or how many. Out: Results.

Every figure follows from the prompts made here: runs, tree and groups agree with each other and with the totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import msgspec

from cachelens.model.findings import Finding, Location
from cachelens.model.pictures import Group, Pictures, Stretch
from cachelens.model.result import Result, check
from cachelens.model.rows import RequestRow
from tests.report import builders


@dataclass(frozen=True)
class Piece:
    """A segment of a prompt: what it is, and which text of that kind."""

    kind: str
    tokens: int
    text: str
    name: str | None = None
    item: str | None = None


@dataclass
class _Node:
    piece: Piece
    parent: int
    depth: int
    requests: int = 0
    hit: int = 0
    repeated: int = 0
    children: dict[Piece, int] = field(default_factory=dict)


def of(prompts: Iterable[tuple[str, str, Sequence[Piece]]], forget_every: int = 0) -> Result:
    """A Result of prompts: session, lineage and pieces of each, under an unlimited cache.

    With `forget_every` the cache loses all it holds before every so many requests.
    """
    nodes: list[_Node] = []
    roots: dict[Piece, int] = {}
    resident: set[int] = set()
    rows: list[RequestRow] = []
    before: dict[str, tuple[str, Sequence[Piece]]] = {}
    for number, (session, lineage, pieces) in enumerate(prompts, 1):
        if forget_every and number % forget_every == 0:
            resident.clear()
        request_id = f"r{number}"
        previous = before.get(lineage)
        known = set(previous[1]) if previous else set()
        runs: list[tuple[str, int]] = []
        at, children, matching, reusable = -1, roots, True, 0
        for piece in pieces:
            seen = piece in children
            if not seen:
                children[piece] = len(nodes)
                depth = nodes[at].depth + nodes[at].piece.tokens if at >= 0 else 0
                nodes.append(_Node(piece, at, depth))
            at = children[piece]
            node = nodes[at]
            matching = matching and at in resident
            node.requests += 1
            node.hit += piece.tokens if matching else 0
            node.repeated += piece.tokens if seen else 0
            reusable += piece.tokens if seen else 0
            name = "hit" if matching else "capacity" if seen else "divergence" if piece in known else "fresh"
            if piece.tokens:
                if runs and runs[-1][0] == name:
                    runs[-1] = (name, runs[-1][1] + piece.tokens)
                else:
                    runs.append((name, piece.tokens))
            resident.add(at)
            children = node.children
        changes: dict[str, Any] = {}
        if previous is not None and list(pieces[: len(previous[1])]) != list(previous[1]):
            kept = 0
            while kept < min(len(pieces), len(previous[1])) and pieces[kept] == previous[1][kept]:
                kept += 1
            offset = sum(piece.tokens for piece in pieces[:kept])
            changes["break_"] = builders.broken(
                sum(tokens for name, tokens in runs if name == "divergence"),
                previous_request_id=previous[0],
                segment=kept,
                component=pieces[min(kept, len(pieces) - 1)].kind if pieces else "other",
                name=pieces[min(kept, len(pieces) - 1)].name if pieces else None,
                token_offset=offset,
            )
        outcomes: dict[str, int] = {}
        for name, tokens in runs:
            outcomes[name] = outcomes.get(name, 0) + tokens
        rows.append(
            builders.row(
                number,
                outcomes,
                session_id=session,
                lineage_id=lineage,
                previous_request_id=previous[0] if previous else None,
                reusable_tokens=reusable,
                runs=tuple(runs),
                **changes,
            )
        )
        before[lineage] = (request_id, pieces)
    trace = {
        "sessions": len({row.session_id for row in rows}),
        "lineages": len({row.lineage_id for row in rows}),
    }
    base = builders.result(rows, trace=trace)
    broken = [row for row in rows if row.break_ is not None]
    findings: tuple[Finding, ...] = ()
    if broken:
        worst = max(broken, key=lambda row: row.break_.lost_tokens if row.break_ else 0)
        location = Location(request_id=worst.request_id, component="system")
        findings = (
            builders.finding(
                location=location,
                request_ids=tuple(row.request_id for row in broken[:20]),
                requests=len(broken),
            ),
        )
    made = msgspec.structs.replace(
        base,
        findings=findings,
        pictures=Pictures(
            curve=builders.curve(), tree=_tree(nodes), groups=_groups(nodes), bridge=(), views=()
        ),
    )
    check(made)
    return made


def agent(
    requests: int,
    lineages: int = 1,
    sessions: int = 1,
    broken_every: int = 0,
    seed: int = 1,
    turns: int = 60,
    forget_every: int = 0,
) -> Result:
    """`requests` of an agent: tools and system prompt, then a history that each turn adds to.

    The lineages take turns; after so many `turns` of its own each is followed by another. Every `broken_every`-th
    request has another time in its system prompt than those before it, which stays.
    """
    random = Random(seed)
    tools = [
        Piece("tools", 80 + 60 * number, "schema", name)
        for number, name in enumerate(("read_file", "write_file", "grep", "run_command"))
    ]
    files = [f"src/ledger/part_{number}.py" for number in range(12)]
    prompts: list[tuple[str, str, Sequence[Piece]]] = []
    history: dict[int, list[Piece]] = {}
    clock: dict[int, int] = {}
    generation: dict[int, int] = {}
    for number in range(requests):
        lineage = number % lineages
        if len(history.get(lineage, ())) // 3 >= turns:
            del history[lineage]
            generation[lineage] = generation.get(lineage, 0) + 1
        if lineage not in history:
            history[lineage] = [Piece("user", random.randrange(20, 200), f"task {number}")]
        else:
            name, path = random.choice(("read_file", "grep", "run_command")), random.choice(files)
            history[lineage] = [
                *history[lineage],
                Piece("assistant", random.randrange(10, 120), f"answer {number}"),
                Piece("tool_call", random.randrange(10, 60), f"call {number}", name, path),
                Piece("tool_result", random.randrange(50, 2_500), f"result {number}", name, path),
            ]
        if broken_every and number and number % broken_every == 0:
            clock[lineage] = number
        system = Piece("system", 900, f"the time is {clock.get(lineage, 0)}")
        session = f"s{lineage * sessions // lineages + 1}"
        older = generation.get(lineage, 0)
        name = f"l{lineage + 1}" + (f".{older}" if older else "")
        prompts.append((session, name, [*tools, system, *history[lineage]]))
    return of(prompts, forget_every)


@cache
def few() -> Result:
    """Five requests, one of which breaks its prefix."""
    return agent(5, broken_every=3)


@cache
def many() -> Result:
    """2,000 requests of twelve lineages, with breaks, and a cache that forgets."""
    return agent(2000, lineages=12, sessions=4, broken_every=41, forget_every=97, turns=40)


def _tree(nodes: Sequence[_Node]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(
            parent=node.parent,
            kind=node.piece.kind,
            name=node.piece.name,
            depth=node.depth,
            segments=1,
            tokens=node.piece.tokens,
            requests=node.requests,
            sent_tokens=node.piece.tokens * node.requests,
            hit_tokens=node.hit,
            repeated_tokens=node.repeated,
        )
        for node in nodes
    )


def _groups(nodes: Sequence[_Node]) -> tuple[Group, ...]:
    sums: dict[tuple[str, str | None, str | None], list[_Node]] = {}
    for node in nodes:
        sums.setdefault((node.piece.kind, node.piece.name, node.piece.item), []).append(node)
    found = [
        Group(
            kind=kind,
            name=name,
            item=item,
            contents=len({node.piece.text for node in group}),
            tokens=sum({node.piece.text: node.piece.tokens for node in group}.values()),
            sends=sum(node.requests for node in group),
            sent_tokens=sum(node.piece.tokens * node.requests for node in group),
            hit_tokens=sum(node.hit for node in group),
            repeated_tokens=sum(node.repeated for node in group),
        )
        for (kind, name, item), group in sums.items()
    ]
    return tuple(
        sorted(found, key=lambda group: (-group.sent_tokens, group.kind, group.name or "", group.item or ""))
    )
