"""Files that a prompt holds more than once. In: a case. Out: `Reread`s, one per path, and what is beside them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from cachelens.advise.case import Case
from cachelens.advise.rules.outputs import in_one_prompt
from cachelens.advise.surplus import AT_ONCE, Part, Region
from cachelens.advise.tree import Run
from cachelens.attribute.content.calls import Call
from cachelens.attribute.content.touch import Touch

#: Ranges of lines named in a finding.
_NAMED = 6


@dataclass(frozen=True)
class Reread:
    """A file that was read more than once in one prompt: `reads` in the fullest one.

    `regions`: what reading it again made superfluous. `lines`: the ranges asked for, in words.
    """

    path: str
    reads: int
    lines: str
    regions: tuple[Region, ...]


def rereads(case: Case) -> list[Reread]:
    """Files read again in a prompt that had them, where that made something superfluous; in order of first read."""
    path_of: dict[int, str] = {}
    answered: dict[str, list[Call]] = {}
    calls = case.content.calls
    for path, reads in calls.reads.items():
        for call in reads:
            # A command that reads several files has one answer: it counts as one of the first.
            results = [row for row in call.results if not calls.access_failed(row)]
            if results and call.deed.touches[0].path == path:
                answered.setdefault(path, []).append(call)
                path_of.update(dict.fromkeys(results, path))
    regions: defaultdict[str, list[Region]] = defaultdict(list)
    for region in case.surplus:
        own = path_of.get(region.row)
        if own is None:
            continue
        parts = tuple(part for part in region.parts if _read_again(part, own, path_of))
        if parts:
            regions[own].append(region._replace(parts=parts))
    found: list[Reread] = []
    for path, read in answered.items():
        if path not in regions:
            continue
        times = max(in_one_prompt(case, [call.row for call in read]).values(), default=0)
        if times > 1:
            found.append(Reread(path, times, _lines(read, path), tuple(regions[path])))
    return found


def beside_rereads(case: Case) -> list[Region]:
    """All that is superfluous but for what reading a file again made so: the same tokens belong to one finding."""
    taken: defaultdict[tuple[int, tuple[Run, ...]], set[Part]] = defaultdict(set)
    for one in rereads(case):
        for region in one.regions:
            taken[region.row, region.runs].update(region.parts)
    found: list[Region] = []
    for region in case.surplus:
        parts = tuple(part for part in region.parts if part not in taken.get((region.row, region.runs), ()))
        if parts:
            found.append(region._replace(parts=parts))
    return found


def _read_again(part: Part, path: str, path_of: dict[int, str]) -> bool:
    """Whether a read of the same file is what makes the part superfluous."""
    return path_of.get(part.cause) == path and (
        part.label in AT_ONCE or part.label in ("dup_call", "superseded_read")
    )


def _lines(calls: list[Call], path: str) -> str:
    """The ranges of lines that were asked for, most often first."""
    asked = Counter(
        _range(touch)
        for call in calls
        for touch in call.deed.touches
        if touch.action == "read" and touch.path == path
    )
    named = [lines for lines, _ in asked.most_common(_NAMED)]
    more = len(asked) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _range(touch: Touch) -> str:
    if touch.last is None:
        return "all" if touch.first == 1 else f"{touch.first}-"
    return f"{touch.first}-{touch.last}"
