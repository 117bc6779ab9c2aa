"""Where two texts differ, in whole lines. In: two versions of a text. Out: `Hunk`s, in order."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

#: Middles of more lines than this, multiplied, are one hunk: their lines are not aligned.
_ALIGNED = 1_000_000


class Hunk(NamedTuple):
    """Lines `before` at `before_at` of the earlier text that stand as `now` at `now_at` of the later one."""

    before_at: int
    before: list[str]
    now_at: int
    now: list[str]


def hunks(before: list[str], now: list[str]) -> list[Hunk]:
    """The runs of lines that differ; lines that both texts share lie between them."""
    size = min(len(before), len(now))
    head = next((at for at in range(size) if before[at] != now[at]), size)
    most = size - head
    tail = next((at for at in range(most) if before[-1 - at] != now[-1 - at]), most)
    a, b = before[head : len(before) - tail], now[head : len(now) - tail]
    if len(a) == len(b):
        return _in_step(a, b, head)
    if len(a) * len(b) > _ALIGNED:
        return [Hunk(head, a, head, b)]
    return [
        Hunk(head + i, a[i:j], head + k, b[k:m])
        for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        if tag != "equal"
    ]


def _in_step(a: list[str], b: list[str], start: int) -> list[Hunk]:
    """As many lines on both sides: each stands for the one at its place."""
    found: list[Hunk] = []
    for at, (one, other) in enumerate(zip(a, b, strict=True)):
        if one == other:
            continue
        if found and found[-1].now_at + len(found[-1].now) == start + at:
            found[-1].before.append(one)
            found[-1].now.append(other)
        else:
            found.append(Hunk(start + at, [one], start + at, [other]))
    return found
