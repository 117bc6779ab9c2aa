"""Clearing what became superfluous: where in a trace, and whether it pays. In: a case, regions. Out: a `Clearing`.

Requests that continue one another form chains; where two continue the same one, the longer chain goes on and the
other one starts a chain of its own, which takes over what was cleared before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cachelens.advise.batches import Chain, Effect, Event, Item, choose, effect, nearest
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import STUB_TOKENS
from cachelens.advise.surplus import Region


@dataclass(frozen=True)
class Clearing:
    """`plan` clears where that pays, None where it pays nowhere; `break_even` says why in a sentence."""

    plan: Plan | None
    break_even: str


@dataclass(frozen=True)
class _Row:
    """A segment row that can be cleared at the steps `item.first` to `item.last - 1` of a chain."""

    row: int
    item: Item


@dataclass
class _Spine:
    """A chain of requests, what can be cleared in it, and by what step which rows are (-1: before it began)."""

    requests: list[int] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    cleared: dict[int, int] = field(default_factory=dict)


def clearing(case: Case, regions: Sequence[Region]) -> Clearing:
    """The best time to clear the rows of which `regions` say that nothing in them is needed."""
    spines = _spines(case)
    at = {request: (spine, step) for spine in spines for step, request in enumerate(spine.requests)}
    _fill(case, regions, at)
    clear: dict[int, frozenset[int]] = {}
    sums = Effect(0.0, 0, 0, 0)
    for spine in spines:
        _inherit(case, spine, at)
        texts = {_text(case, row) for row in spine.cleared}
        chain = _chain(case, spine)
        items = [row.item for row in spine.rows]
        events = choose(chain, items) if items else []
        found = effect(chain, items, events) if events else Effect(0.0, 0, 0, 0)
        if case.prices is None and found.gain < case.thresholds.min_tokens:
            events, found = [], Effect(0.0, 0, 0, 0)
        for event in events:
            rows = [
                row.row
                for row in spine.rows
                if row.item.at >= event.depth
                and row.item.first <= event.step < row.item.last
                and row.row not in spine.cleared
            ]
            spine.cleared.update((row, event.step) for row in rows)
            if rows:
                clear[spine.requests[event.step]] = frozenset(rows)
        new = {_text(case, row): _freed(case, row) for row in spine.cleared}
        sums = Effect(
            sums.gain + found.gain,
            sums.cleared + sum(tokens for text, tokens in new.items() if text not in texts),
            sums.recomputed + found.recomputed,
            sums.saved + _not_sent(case, spine),
        )
    if clear:
        return Clearing(Plan(clear=clear), _pays(case, len(clear), sums))
    return Clearing(None, _does_not_pay(case, spines))


def _spines(case: Case) -> list[_Spine]:
    """Chains of requests, in order of their first request."""
    predecessor = case.trace.predecessor.tolist()
    size = [1] * len(predecessor)
    heir: dict[int, int] = {}
    for request in range(len(predecessor) - 1, -1, -1):
        before = predecessor[request]
        if before >= 0:
            size[before] += size[request]
            if before not in heir or size[heir[before]] <= size[request]:
                heir[before] = request
    spines: list[_Spine] = []
    for request, before in enumerate(predecessor):
        if before >= 0 and heir[before] == request:
            continue
        requests = [request]
        while requests[-1] in heir:
            requests.append(heir[requests[-1]])
        spines.append(_Spine(requests))
    return spines


def _fill(case: Case, regions: Sequence[Region], at: dict[int, tuple[_Spine, int]]) -> None:
    """Give each spine the rows that can be cleared in it."""
    tree, contents = case.tree, case.trace.contents
    steps: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    spines: dict[int, _Spine] = {}
    for region in regions:
        content = int(case.trace.segments.content[region.row])
        if region.tokens < int(contents.tokens[content]) - int(contents.framing[content]):
            continue  # the rest of it is needed
        for start, stop in region.runs:
            for request in tree.requests[start:stop].tolist():
                spine, step = at[request]
                spines[id(spine)] = spine
                steps[id(spine), region.row].append(step)
    for (spine_id, row), found in sorted(steps.items(), key=lambda pair: (pair[0][1], min(pair[1]))):
        spine = spines[spine_id]
        framing = int(contents.framing[case.trace.segments.content[row]])
        tokens = _freed(case, row)
        first = last = min(found)
        held = set(found)
        while last in held:
            last += 1
        if tokens > 0:
            spine.rows.append(_Row(row, Item(tree.start[row] + framing, tokens, first, last)))


def _inherit(case: Case, spine: _Spine, at: dict[int, tuple[_Spine, int]]) -> None:
    """What was cleared before a chain left another one stays cleared."""
    before = int(case.trace.predecessor[spine.requests[0]])
    if before < 0:
        return
    other, step = at[before]
    spine.cleared = {row: -1 for row, cleared in other.cleared.items() if cleared <= step}
    spine.rows = [row for row in spine.rows if row.row not in spine.cleared]


def _text(case: Case, row: int) -> tuple[int, int]:
    """What a text is known by, wherever a changed history puts it: its content, and the id of its call."""
    segments = case.trace.segments
    return int(segments.content[row]), int(segments.call_id[row])


def _freed(case: Case, row: int) -> int:
    """Tokens by which a prompt is shorter when the text at `row` is cleared."""
    contents, content = case.trace.contents, int(case.trace.segments.content[row])
    return int(contents.tokens[content]) - int(contents.framing[content]) - STUB_TOKENS


def _not_sent(case: Case, spine: _Spine) -> int:
    """Tokens that the requests of a chain need not send: what is cleared stays so as long as prompts hold it."""
    fewer = 0
    for row, step in spine.cleared.items():
        holders = set(case.tree.holders(row).tolist())
        fewer += _freed(case, row) * sum(request in holders for request in spine.requests[max(step, 0) :])
    return fewer


def _chain(case: Case, spine: _Spine) -> Chain:
    requests = np.array(spine.requests, dtype=np.int64)
    hit = case.replay.hit[requests].astype(np.int64)
    prices = case.prices
    if prices is None:
        ones = np.ones(len(requests))
        return Chain(hit, np.zeros(len(requests)), ones, ones)
    return Chain(hit, prices.read[requests], prices.computed[requests], prices.kept[requests])


def _pays(case: Case, events: int, sums: Effect) -> str:
    times = "once" if events == 1 else f"at {events} requests"
    if not sums.recomputed:
        return (
            f"pays when cleared {times}, where what stands behind is computed anyway: {sums.cleared:,} tokens are"
            f" taken out, and {sums.saved:,} fewer are sent in all"
        )
    unit = "" if case.prices is None else " at the prices of this model"
    return (
        f"pays{unit} when cleared {times}: {sums.cleared:,} tokens are taken out, {sums.recomputed:,} behind them"
        f" are computed once more, and {sums.saved:,} fewer are sent in all"
    )


def _does_not_pay(case: Case, spines: Sequence[_Spine]) -> str:
    """What clearing would cost at its best moment."""
    best: tuple[float, Effect, Event, _Spine] | None = None
    for spine in spines:
        if not spine.rows:
            continue
        chain, items = _chain(case, spine), [row.item for row in spine.rows]
        event = nearest(chain, items)
        if event is None:
            continue
        found = effect(chain, items, [event])
        share = found.saved / max(1, found.recomputed)
        if best is None or share > best[0]:
            best = share, found, event, spine
    if best is None:
        return "only parts of texts are superfluous, and parts cannot be cleared"
    _, found, event, spine = best
    follow = len(spine.requests) - event.step - 1
    begin = (
        f"does not pay: {found.cleared:,} tokens could be taken out, and {found.recomputed:,} behind them would be"
        " computed once more"
    )
    if case.prices is None:
        return f"{begin}, while reading what is carried from the cache computes nothing"
    request = spine.requests[event.step]
    read, kept = float(case.prices.read[request]), float(case.prices.kept[request])
    saved_each = found.cleared * read
    if saved_each <= 0:
        return f"{begin}, while reading what is carried costs nothing"
    needed = math.ceil(found.recomputed * max(0.0, kept - read) / saved_each)
    return f"{begin}, which takes {needed:,} more requests to earn back; {follow:,} followed"
