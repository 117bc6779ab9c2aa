"""A prompt as one bar in the order of its tokens. In: runs of tokens by name. Out: a name per cell.

A cell shows what most of its tokens are. No name that occurs is hidden by its neighbors: as long as there are
cells enough, each gets one at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cachelens.report.palette import Look
from cachelens.report.terminal.screen import Page, Span

#: A run of tokens: how many, and what they are.
Run = tuple[int, str]


def picture(runs: Sequence[Run], room: int) -> list[str]:
    """The names that `room` cells show, each cell standing for an equal share of the tokens; empty without tokens."""
    whole = sum(tokens for tokens, _ in runs)
    if not whole or room <= 0:
        return []
    held = _held(runs, whole, room)
    shown = [min(cell, key=lambda name: -cell[name]) for cell in held]
    _uncover(shown, held, list(dict.fromkeys(name for tokens, name in runs if tokens)))
    return shown


def strip(names: Sequence[str], looks: Mapping[str, Look], page: Page) -> list[Span]:
    """Cells as spans, neighbors of one name together."""
    spans: list[Span] = []
    for name in names:
        cell = glyph(looks[name], page)
        if spans and spans[-1].style == looks[name].color and spans[-1].text[-1] == cell:
            spans[-1] = Span(spans[-1].text + cell, spans[-1].style)
        else:
            spans.append(Span(cell, looks[name].color))
    return spans


def glyph(look: Look, page: Page) -> str:
    """The cell of a look on this page."""
    return look.ascii_glyph if page.ascii_only else look.glyph


def _held(runs: Sequence[Run], whole: int, room: int) -> list[dict[str, int]]:
    """What each cell stands for, in `room`ths of a token, names in order of their first token."""
    held: list[dict[str, int]] = [{} for _ in range(room)]
    at = 0
    for tokens, name in runs:
        lo, hi = at * room, (at + tokens) * room
        at += tokens
        while lo < hi:
            cell = lo // whole
            end = min(hi, (cell + 1) * whole)
            held[cell][name] = held[cell].get(name, 0) + end - lo
            lo = end
    return held


def _uncover(shown: list[str], held: Sequence[Mapping[str, int]], names: Sequence[str]) -> None:
    """Give names that no cell shows, the first first, the cell that holds most of them.

    Or one nearby, where that is the only cell of another name.
    """
    for name in names:
        if name in shown:
            continue
        cells = Counter(shown)
        free = [at for at, other in enumerate(shown) if cells[other] > 1]
        if not free:
            return
        center = max(range(len(held)), key=lambda at: (held[at].get(name, 0), -at))
        best = min(free, key=lambda at: (-held[at].get(name, 0), abs(at - center), at))
        shown[best] = name
