"""More requests than a picture has lines. In: runs of outcomes. Out: one outcome for each cell of a grid.

A line of the grid stands for several requests, a column for a stretch of positions. A line shows one of its requests,
the one that brings the cells of each outcome, from the top of the block down to it, closest to the tokens there are: so
bars stay bars, and areas stay true. What others of the line had to compute again is not lost: it takes
the cells where it first occurs, and then has to add up to the rest of them before it takes others below. So a lone loss
is one line thick, and frequent ones take about as many lines as they have tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cachelens.model.rows import RequestRow

#: Outcomes that mean tokens were computed again, by code of a cell.
LOSSES = ("divergence", "capacity", "expiry", "routing", "unmarked", "alignment")
#: Outcomes by code of a cell.
CELLS = (*LOSSES, "hit", "fresh")
#: The code where there are no tokens: prompts end before.
EMPTY = len(CELLS)
_CODES = {name: code for code, name in enumerate(CELLS)}
#: Rounding leaves less than this of a cell.
_NOTHING = 1e-9


def cells(
    lines: Sequence[Sequence[RequestRow]], block_of: Sequence[int], columns: int, end: int
) -> npt.NDArray[np.uint8]:
    """Codes of `CELLS` or `EMPTY`, one row for each of `lines`, for positions 0 to `end` in `columns` steps.

    `block_of`: the block of each line; nothing is carried from one to the next. What a lone loss took too much is
    forgotten after as many lines as a line has requests.
    """
    found = np.full((len(lines), columns), EMPTY, dtype=np.uint8)
    carried = np.zeros((EMPTY + 1, columns))
    taken = np.full((len(LOSSES), columns), -len(lines), dtype=np.int64)
    memory = max((len(requests) for requests in lines), default=1)
    across = np.arange(columns)
    losses = slice(0, len(LOSSES))
    for at, requests in enumerate(lines):
        if at and block_of[at] != block_of[at - 1]:
            carried[:] = 0
        carried[losses][at - taken >= memory] = 0
        each = [shares(row, columns, end) for row in requests]
        parts = sum(each, np.zeros_like(carried)) / len(each)
        carried += parts
        bars = [np.argmax(one, axis=0) for one in each]
        fits = [float(carried[bar, across].sum()) for bar in bars]
        shown = bars[fits.index(max(fits))]
        claims = np.where(parts[losses] > _NOTHING, carried[losses], 0.0)
        loudest = np.argmax(claims, axis=0)
        claimed = (claims[loudest, across] > _NOTHING) & (shown >= len(LOSSES))
        shown[claimed] = loudest[claimed]
        losing = np.flatnonzero(shown < len(LOSSES))
        taken[shown[losing], losing] = at
        carried[shown, across] -= 1
        found[at] = shown
    return found


def shares(row: RequestRow, columns: int, end: int) -> npt.NDArray[np.float64]:
    """Part of each column, by code, that the prompt has there; each column sums to 1."""
    whole = np.zeros((EMPTY + 1, columns + 1))
    partly = np.zeros((EMPTY + 1, columns + 1))
    at = 0
    for name, tokens in (*row.runs, ("", end - sum(tokens for _, tokens in row.runs))):
        code = _CODES.get(name, EMPTY)
        for position, sign in ((at, -1), (at + tokens, 1)):
            column, rest = divmod(position * columns, end)
            whole[code, column] += sign
            partly[code, column] += sign * rest / end
        at += tokens
    before = whole[:, ::-1].cumsum(axis=1)[:, ::-1]  # a bound covers every column that ends before it
    covered: npt.NDArray[np.float64] = before[:, 1:] + partly[:, :-1]
    return covered
