"""What prompts could do without, once the rest of them is known. In: a case. Out: `Region`s and their sums.

Labels say why a token is not needed. Advice takes them with three rules more, because it acts on all of them at once.
What a copy or echo repeats does not go because of that copy, but when the copy goes for a reason of its own. It is
kept as long as the copy has none, when they are about different things: two files may hold the same text, and only
one of them change. And the output of a failed command that ran again counts as that, not as an earlier answer to the
same call, and its call with it.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cachelens.advise.case import Case
from cachelens.advise.tree import Run, Tree
from cachelens.attribute.content.calls import Call
from cachelens.model.kinds import LABELS

#: Labels that hold from the first time a text is sent, so that it need not be sent at all.
AT_ONCE = ("dup_exact", "echo")
#: Labels that come to hold later, so that the text can only be cleared from a later request on.
LATER = ("dup_call", "superseded_read", "superseded_write", "failed_rerun", "unreferenced")
#: Which label counts where several hold.
_ORDER = (
    "dup_exact",
    "failed_rerun",
    "dup_call",
    "superseded_read",
    "superseded_write",
    "echo",
    "unreferenced",
)
_RANK = {name: rank for rank, name in enumerate(_ORDER)}
#: Reasons that hold of a copy and of what it repeats alike.
_OTHERS = frozenset(LATER) - {"unreferenced"}
#: Copies of copies of copies are followed this far.
_LONGEST_CHAIN = 64
#: What a text that is kept is not left out for.
_KEPT = {"kept": frozenset(LATER), "kept if unused": frozenset({"unreferenced"})}


class Part(NamedTuple):
    """Tokens `[lo, hi)` of a segment that are superfluous for the reason `label`; `cause` is the row behind it."""

    lo: int
    hi: int
    label: str
    cause: int


class Region(NamedTuple):
    """Superfluous parts of a segment row, and the prompts in which they are: `runs` as in `Tree.run`."""

    row: int
    runs: tuple[Run, ...]
    parts: tuple[Part, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all parts."""
        return sum(part.hi - part.lo for part in self.parts)

    @property
    def prompts(self) -> int:
        """Number of prompts."""
        return sum(stop - start for start, stop in self.runs)

    def only(self, labels: Iterable[str]) -> Region | None:
        """The parts with one of these labels; None when there are none."""
        wanted = frozenset(labels)
        parts = tuple(part for part in self.parts if part.label in wanted)
        return self._replace(parts=parts) if parts else None


class _Fact(NamedTuple):
    """One reason, as in `Labels`; it ends where one of the rows `until` stands in the prompt as well."""

    lo: int
    hi: int
    label: str
    since: int
    cause: int
    until: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sum:
    """Regions added up.

    `carried`: tokens over all prompts; `computed`: those of them that were not served; `held`: tokens of the
    distinct segments, each once, which is what an unlimited cache holds for them. `requests`: those whose prompts
    hold any, ascending. `copies`: segments in the fullest prompt of each lineage, added up.
    """

    carried: int
    computed: int
    held: int
    requests: tuple[int, ...]
    copies: int


def surplus(case: Case) -> list[Region]:
    """All that prompts could do without, in order of rows; every token of a prompt is in one part at most."""
    found: list[Region] = []
    for row, facts in sorted(_facts(case).items()):
        found += _regions(case.tree, row, facts)
    return found


def sum_of(case: Case, regions: Sequence[Region]) -> Sum:
    """What `regions` come to."""
    tree, hit = case.tree, case.replay.hit[case.tree.requests]
    count = np.zeros(len(case) + 1, dtype=np.int64)
    carried = computed = 0
    held: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for region in regions:
        start = tree.start[region.row]
        held[tree.twin[region.row]].update((part.lo, part.hi) for part in region.parts)
        carried += region.tokens * region.prompts
        for first, last in region.runs:
            count[first] += 1
            count[last] -= 1
            served = hit[first:last]
            for part in region.parts:
                missed = np.minimum(start + part.hi - served, part.hi - part.lo)
                computed += int(np.maximum(missed, 0).sum())
    in_prompt = np.cumsum(count[:-1])
    spoiled = tree.requests[in_prompt > 0]
    fullest: dict[str, int] = {}
    for request, number in zip(spoiled.tolist(), in_prompt[in_prompt > 0].tolist(), strict=True):
        lineage = case.lineages[request]
        fullest[lineage] = max(fullest.get(lineage, 0), number)
    tokens = sum(_covered(ranges) for ranges in held.values())
    return Sum(carried, computed, tokens, tuple(sorted(spoiled.tolist())), sum(fullest.values()))


def _covered(ranges: Iterable[tuple[int, int]]) -> int:
    total = end = 0
    for lo, hi in sorted(ranges):
        total += max(0, hi - max(lo, end))
        end = max(end, hi)
    return total


def _facts(case: Case) -> dict[int, list[_Fact]]:
    """The reasons by row, with the rules of the module docstring."""
    labels = case.content.labels
    own: defaultdict[int, list[_Fact]] = defaultdict(list)
    columns = (labels.row, labels.lo, labels.hi, labels.label, labels.since, labels.cause)
    for row, lo, hi, label, since, cause in zip(*(column.tolist() for column in columns), strict=True):
        own[row].append(_Fact(lo, hi, LABELS[label], since, cause))
    originals = _originals(own)
    # What makes a row superfluous stands behind it, and has a higher number.
    for row in sorted(own, reverse=True):
        found: list[_Fact] = []
        for fact in own[row]:
            if fact.label in LATER and row in originals.get(fact.cause, ()):
                found += [
                    fact._replace(since=other.since, cause=other.cause)
                    for other in own[fact.cause]
                    if _goes(other, own[fact.cause], _OTHERS)
                ]
            else:
                found.append(fact)
        own[row] = found
    calls = case.content.calls
    for row, call in calls.at.items():
        if row in own and row not in calls.call_of:
            own[row] = [fact for fact in own[row] if _answer_goes(own, call, fact)]
    kept: defaultdict[int, list[_Fact]] = defaultdict(list)
    for copy, rows in originals.items():
        for row in rows:
            # What makes both of them stale is said of both, but for not being used: each has its own time.
            label = "kept if unused" if _about_the_same(case, copy, row) else "kept"
            until = frozenset(fact.since for fact in own[copy] if _goes(fact, own[copy], _KEPT[label]))
            kept[row].append(_Fact(0, 0, label, copy, copy, until))
    return {row: [*facts, *kept[row]] for row, facts in own.items() if facts}


def _originals(own: dict[int, list[_Fact]]) -> dict[int, tuple[int, ...]]:
    """By row of a copy or echo: the row that it repeats, the one that this one repeats, and so on."""
    found: dict[int, tuple[int, ...]] = {}
    # Originals stand before their copies, and have lower numbers.
    for row in sorted(own):
        above = next((fact.cause for fact in own[row] if fact.label in AT_ONCE and fact.cause >= 0), -1)
        if above >= 0:
            found[row] = (above, *found.get(above, ()))[:_LONGEST_CHAIN]
    return found


def _goes(one: _Fact, facts: Sequence[_Fact], reasons: frozenset[str]) -> bool:
    """Whether a copy is superfluous for one of `reasons` as well, all of it."""
    return one.label in reasons and any(_covers(one, fact) for fact in facts if fact.label in AT_ONCE)


def _covers(one: _Fact, other: _Fact) -> bool:
    return one.lo <= other.lo and one.hi >= other.hi


def _about_the_same(case: Case, row: int, other: int) -> bool:
    """Whether two texts belong to the same call, made once or again, or to the same file."""
    calls = [case.content.calls.of(one) for one in (row, other)]
    if calls[0] is None or calls[1] is None:
        return False
    one, two = calls[0].deed, calls[1].deed
    if (one.name, one.arguments) == (two.name, two.arguments):
        return True
    return bool({touch.path for touch in one.touches} & {touch.path for touch in two.touches})


def _answer_goes(own: dict[int, list[_Fact]], call: Call, fact: _Fact) -> bool:
    """Whether what a failed call was answered is superfluous with the call itself, which cannot go alone."""
    return fact.label != "failed_rerun" or any(
        (other.label, other.since) == (fact.label, fact.since)
        for row in call.results
        for other in own.get(row, ())
    )


def _regions(tree: Tree, row: int, facts: list[_Fact]) -> list[Region]:
    """The prompts that hold `row`, by what is superfluous in them."""
    starts: defaultdict[int, list[_Fact]] = defaultdict(list)
    for fact in facts:
        starts[fact.since].append(fact)
        for end in fact.until:
            if tree.holds(row, end):
                starts.setdefault(end, [])
    # Each row at which something begins or ends, with the runs of prompts that it shares with no such row below it.
    opened = sorted(starts, key=lambda since: tree.enter[since])
    below: defaultdict[int, list[Run]] = defaultdict(list)
    above: list[int] = []
    parents: dict[int, tuple[int, ...]] = {}
    for since in opened:
        while above and not tree.holds(above[-1], since):
            above.pop()
        if above:
            below[above[-1]].append(tree.run(since))
        above.append(since)
        parents[since] = tuple(above)
    found: list[Region] = []
    for since in opened:
        runs = _without(tree.run(since), below[since])
        on_path = parents[since]
        active = [fact for one in on_path for fact in starts[one] if fact.until.isdisjoint(on_path)]
        parts = _parts(active)
        if runs and parts:
            found.append(Region(row, runs, parts))
    return found


def _without(run: Run, others: list[Run]) -> tuple[Run, ...]:
    """`run` without `others`, which lie in it in order."""
    found: list[Run] = []
    at = run[0]
    for start, stop in others:
        if start > at:
            found.append((at, start))
        at = max(at, stop)
    if run[1] > at:
        found.append((at, run[1]))
    return tuple(found)


def _parts(facts: list[_Fact]) -> tuple[Part, ...]:
    """The superfluous tokens, each under the reason that counts."""
    kept = frozenset[str]().union(*(_KEPT.get(fact.label, ()) for fact in facts))
    own = [fact for fact in facts if fact.label in _RANK and fact.label not in kept]
    own.sort(key=lambda fact: (fact.lo, fact.hi))
    edges = sorted({edge for fact in own for edge in (fact.lo, fact.hi)})
    holding: list[tuple[int, int, int]] = []  # (rank, order of since, index into own), the best on top
    parts: list[Part] = []
    entered = 0
    for lo, hi in itertools.pairwise(edges):
        while entered < len(own) and own[entered].lo <= lo:
            fact = own[entered]
            heapq.heappush(holding, (_RANK[fact.label], fact.since, entered))
            entered += 1
        while holding and own[holding[0][2]].hi <= lo:
            heapq.heappop(holding)
        if not holding:
            continue
        best = own[holding[0][2]]
        if parts and parts[-1].hi == lo and parts[-1][2:] == (best.label, best.cause):
            parts[-1] = parts[-1]._replace(hi=hi)
        else:
            parts.append(Part(lo, hi, best.label, best.cause))
    return tuple(parts)
