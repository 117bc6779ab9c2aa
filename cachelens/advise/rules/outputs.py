"""Tool outputs as rules speak of them: names, sums, remedies. In: a case, regions. Out: parts of candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cachelens.advise.candidate import Candidate, Excerpt, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.clearing import clearing
from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import STUB_TOKENS
from cachelens.advise.surplus import AT_ONCE, LATER, Region, Sum, sum_of
from cachelens.attribute.content.calls import Call

#: Longest name or path in a title, in characters.
_LONGEST_NAME = 100
#: Longest excerpt of either side, in characters.
_EXCERPT = 400
#: What tools do that send text which the harness then has.
WRITES = frozenset({"write", "append", "edit", "patch"})


def is_output(case: Case, row: int) -> bool:
    """Whether a tool gave the text at `row`."""
    return row in case.content.calls.call_of or case.is_kind(row, "tool_result")


def call_at(case: Case, row: int) -> Call | None:
    """The call that `row` makes or answers."""
    return case.content.calls.of(row)


def tool_at(case: Case, row: int) -> str:
    """The tool that `row` calls or answers for; `a tool` where its name is not known."""
    call = call_at(case, row)
    name = call.deed.name if call is not None else case.name(row)
    return _short(name) if name else "a tool"


def action_at(case: Case, row: int) -> str:
    """What that tool does, as in the table of tools."""
    call = call_at(case, row)
    return call.deed.action if call is not None else "other"


def path_at(case: Case, row: int) -> str | None:
    """The first file that the call at `row` touches; None where it touches none."""
    call = call_at(case, row)
    return call.deed.touches[0].path if call is not None and call.deed.touches else None


def short_path(path: str) -> str:
    """A path that fits into a title: its end."""
    return path if len(path) <= _LONGEST_NAME else "…" + path[1 - _LONGEST_NAME :]


def worst_of(regions: Sequence[Region]) -> Region:
    """The region that carries most tokens, the first of those."""
    return max(regions, key=lambda region: (region.tokens * region.prompts, -region.row))


def in_one_prompt(case: Case, rows: Iterable[int]) -> dict[str, int]:
    """By lineage: how many of `rows` its fullest prompt holds."""
    tree = case.tree
    count = np.zeros(len(case) + 1, dtype=np.int64)
    for row in rows:
        start, stop = tree.run(row)
        count[start] += 1
        count[stop] -= 1
    held = np.cumsum(count[:-1])
    fullest: dict[str, int] = {}
    for place in np.flatnonzero(held).tolist():
        lineage = case.lineages[int(tree.requests[place])]
        fullest[lineage] = max(fullest.get(lineage, 0), int(held[place]))
    return fullest


def remedy(case: Case, regions: Sequence[Region]) -> tuple[Plan | None, str]:
    """What to leave out, and a sentence that says when it pays.

    What was superfluous from the start is replaced by a note when it is first sent; the rest is cleared later,
    where that pays.
    """
    at_once = [part for region in regions if (part := region.only(AT_ONCE)) is not None]
    later = [part for region in regions if (part := region.only(LATER)) is not None]
    plan, said = Plan(), []
    if at_once:
        plan |= _noted(case, at_once)
        said.append("pays at once: a note stands in its place from the first time on, so no prefix breaks")
    if later:
        cleared = clearing(case, later)
        said.append(
            cleared.break_even if not at_once else f"clearing what became stale later {cleared.break_even}"
        )
        if cleared.plan is not None:
            plan |= cleared.plan
    return (None if plan.empty else plan), "; ".join(said)


def _noted(case: Case, regions: Sequence[Region]) -> Plan:
    """Text that is superfluous from the start is replaced by a note as long as a stub."""
    contents, content = case.trace.contents, case.trace.segments.content
    shorten: dict[int, int] = {}
    for region in regions:
        number = int(content[region.row])
        text = int(contents.tokens[number]) - int(contents.framing[number])
        kept = max(text - region.tokens, STUB_TOKENS)
        shorten[region.row] = min(kept, shorten.get(region.row, kept))
    return Plan(shorten=shorten)


def density_of(case: Case, rows: Iterable[int]) -> dict[str, int | str]:
    """How many of the rare identifiers in these outputs the assistant wrote later, as details; empty: not known.

    A text counts once in a session, wherever changes before it put it.
    """
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for row in sorted(set(rows)):
        own = case.content.density.get(case.tree.twin[row])
        if own is not None:
            found.setdefault(_identity(case, row), own)
    used, total = (sum(column) for column in zip(*found.values(), strict=True)) if found else (0, 0)
    return {"rare identifiers": total, "of those used later": used} if total else {}


def _identity(case: Case, row: int) -> tuple[str, int]:
    """What a text is known by, wherever a changed history puts it: session and content."""
    request = int(case.tree.requests[case.tree.run(row)[0]])
    return case.sessions[request], int(case.trace.segments.content[row])


def _first_seen(case: Case, regions: Sequence[Region], one: Region) -> tuple[int, Region]:
    """The first request in which what `one` says of an output holds, and the region that begins there."""

    def said(region: Region) -> tuple[object, ...]:
        return _identity(case, region.row), *((part.lo, part.hi, part.label) for part in region.parts)

    same = [region for region in regions if said(region) == said(one)]
    firsts = [
        min(int(case.tree.requests[start:stop].min()) for start, stop in region.runs) for region in same
    ]
    at = min(range(len(same)), key=firsts.__getitem__)
    return firsts[at], same[at]


def output_candidate(
    case: Case,
    regions: Sequence[Region],
    title: str,
    group: tuple[str, ...],
    fix: str,
    total: Sum | None = None,
    details: Mapping[str, int | float | str] | None = None,
    worst: Region | None = None,
) -> Candidate:
    """The usual candidate about superfluous outputs. Where nothing can be left out at a gain, it is legitimate.

    It shows `worst`, or the region that carries most, where it is seen first, beside what makes it superfluous.
    """
    total = sum_of(case, regions) if total is None else total
    plan, break_even = remedy(case, regions)
    first, shown = _first_seen(case, regions, worst_of(regions) if worst is None else worst)
    cause = shown.parts[0].cause
    return Candidate(
        title=title,
        group=group,
        place=Place(first, shown.row, None, case.tree.start[shown.row], cause),
        requests=total.requests,
        tokens=total.carried,
        measure="carried",
        fix=fix,
        verdict=Verdict.AVOIDABLE if plan is not None else Verdict.LEGITIMATE,
        plan=plan,
        changes_input=True,
        break_even=break_even,
        details={
            **(details or {}),
            "tokens computed": total.computed,
            "tokens held": total.held,
            **density_of(case, {region.row for region in regions}),
        },
        excerpt=Excerpt(excerpt_of(case.text(cause)), excerpt_of(case.text(shown.row))),
    )


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def excerpt_of(text: str | None) -> str | None:
    """The beginning of a text."""
    return text if text is None or len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
