"""What fills the prompts. In: a case and its positions. Out: `Group`s, most sent tokens first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from cachelens.advise.case import Case
from cachelens.model.kinds import KIND_CODE, KINDS
from cachelens.model.pictures import Group
from cachelens.pipeline.pictures.placed import Placed

#: Groups told apart; smaller ones of the same kind and tool are folded, then those of the same kind.
_MOST = 300
#: Characters of an item.
_LONGEST_ITEM = 400

_Key = tuple[str, str | None, str | None]


@dataclass
class _Sum:
    """A group while it is summed. `contents`: distinct ones."""

    contents: set[int] = field(default_factory=set)
    sends: int = 0
    sent: int = 0
    hit: int = 0
    repeated: int = 0
    folded: int = 0

    def add(self, other: _Sum) -> None:
        self.contents |= other.contents
        self.sends += other.sends
        self.sent += other.sent
        self.hit += other.hit
        self.repeated += other.repeated
        self.folded += max(other.folded, 1)


def groups(case: Case, where: Placed, most: int = _MOST) -> tuple[Group, ...]:
    """All segments of all prompts by kind, tool and what their call is about; the smallest beyond `most` folded."""
    summed: defaultdict[_Key, _Sum] = defaultdict(_Sum)
    kinds, content = case.trace.segments.kind.tolist(), case.trace.segments.content.tolist()
    columns = (where.requests, where.sent, where.hit, where.repeated)
    for row, (requests, sent, hit, repeated) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        if not requests:
            continue
        one = summed[(KINDS[kinds[row]], case.name(row), _item(case, row))]
        one.contents.add(content[row])
        one.sends += requests
        one.sent += sent
        one.hit += hit
        one.repeated += repeated
    sums: dict[_Key, _Sum] = summed
    for by_name in (True, False):
        sums = _folded(sums, most, by_name)
    tokens = case.trace.contents.tokens
    found = [
        Group(
            kind=kind,
            name=name,
            item=item,
            contents=len(one.contents),
            tokens=int(tokens[sorted(one.contents)].sum()),
            sends=one.sends,
            sent_tokens=one.sent,
            hit_tokens=one.hit,
            repeated_tokens=one.repeated,
            folded=one.folded,
        )
        for (kind, name, item), one in sums.items()
    ]
    return tuple(
        sorted(found, key=lambda group: (-group.sent_tokens, group.kind, group.name or "", group.item or ""))
    )


def _item(case: Case, row: int) -> str | None:
    """The file that a call or its result is about, or the command; None where it is about neither, or several."""
    if int(case.trace.segments.kind[row]) not in (KIND_CODE["tool_call"], KIND_CODE["tool_result"]):
        return None
    call = case.content.calls.of(row)
    if call is None:
        return None
    paths = {touch.path for touch in call.deed.touches}
    if len(paths) == 1:
        return next(iter(paths))[:_LONGEST_ITEM]
    return None


def _folded(sums: dict[_Key, _Sum], most: int, by_name: bool) -> dict[_Key, _Sum]:
    """The same where they are few; else the heaviest half of `most`, and all others by kind, and name if `by_name`."""
    if len(sums) <= most:
        return sums
    order = sorted(
        sums, key=lambda key: (-sums[key].sent, key[0], key[1] or "", key[2] is not None, key[2] or "")
    )
    found = {key: sums[key] for key in order[: most // 2]}
    mixed: dict[_Key, _Sum] = {}
    for key in order[most // 2 :]:
        into = (key[0], key[1] if by_name else None, None)
        if into not in mixed:
            mixed[into] = _Sum()
            if into in found:
                mixed[into].add(found[into])
        mixed[into].add(sums[key])
    return found | mixed
