"""The prefix waterfall: what became of each token of each prompt. In: a `Result` with runs. Out: a bar a request.

Up to so many requests each has a bar of its own, with exact edges. Beyond, a picture is painted whose lines stand for
one or several requests, see `bands`; departures from the prompt before stay marked, however few they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from cachelens.model.result import Result
from cachelens.model.rows import RequestRow
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.plots import breaks
from cachelens.report.plots.bands import CELLS, EMPTY, cells
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.blocks import blocks
from cachelens.report.plots.fitting import fitted, legible, width
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.sessions import chosen_session
from cachelens.report.plots.sheet import NAME, SMALL, TITLE, Sheet, baseline
from cachelens.report.plots.stacking import Line, Stack, Stacking, stacking
from cachelens.report.plots.ticks import ticks
from cachelens.report.units import count, exact, plural, share, size

#: Requests and runs up to which bars are drawn, and columns of the painted picture beyond.
_BARS, _RUNS, _COLUMNS = 120, 2_000, 960
#: Lineages (or sessions) named, and departures with a note beside them.
_NAMED, _NOTES = 24, 5
#: Points: the sheet's width, its margin, the tallest bar, the widest name, a note's width and height.
_WIDTH, _MARGIN, _TALLEST, _NAME_WIDTH, _NOTE_WIDTH, _NOTE = 576.0, 8.0, 26.0, 84.0, 164.0, 25.0
#: Points: above the bars, and below them the axis and one line of remarks, or three.
_HEAD, _FOOT, _LONG_FOOT = 61.0, 46.0, 64.0
#: Points: length of the mark of a departure where lines are thinner, and marks on one line at most.
_MARK, _MARKS = 4.0, 4
_NOTHING = "There are no prompt tokens to show."


@dataclass(frozen=True)
class _Frame:
    """Where the bars are: `end` tokens across `area`, lines of `pitch` points from its top."""

    area: Rect
    end: int
    pitch: float

    def x(self, tokens: float) -> float:
        return self.area.x + self.area.width * tokens / self.end

    def y(self, place: float) -> float:
        return self.area.y + self.pitch * place


class Waterfall:
    """Every request a bar as long as its prompt, in the colors of what became of its tokens."""

    name: ClassVar[str] = "waterfall"
    title: ClassVar[str] = "What became of each token of each prompt"

    def missing(self, result: Result) -> str | None:
        """It takes the outcomes by place in the prompt, and a prompt that has tokens."""
        if result.totals.prompt_tokens == 0:
            return _NOTHING
        if any(row.prompt_tokens and not row.runs for row in result.requests):
            return "The result holds no data for pictures."
        return None

    def size(self, result: Result) -> tuple[float, float]:
        """As wide as a page, and as high as its bars need."""
        if not result.requests:
            return _WIDTH / 72, 1.0
        stack = stacking(blocks(result.requests))
        noted = _NOTE * len(_noted(result, stack))
        bars = 400.0
        if len(result.requests) <= _BARS:
            bars = min(max(stack.places * 12.0, min(stack.places * 20.0, 160.0), noted), 340.0)
        return _WIDTH / 72, (bars + _HEAD + _foot(stack)) / 72

    def describe(self, result: Result) -> str:
        """Requests, tokens by outcome, and the worst departure."""
        totals = _totals(result.requests)
        whole = sum(totals.values())
        outcomes = ", ".join(
            f"{OUTCOME_LOOKS[name].label} {share(tokens, whole)}" for name, tokens in totals.items()
        )
        text = (
            f"Prefix waterfall of {plural(len(result.requests), 'request')} with {count(whole)} prompt tokens:"
            f" {outcomes or 'none'}."
        )
        departed = sum(row.break_ is not None for row in result.requests)
        if departed:
            text += f" Departing from the prompt before: {plural(departed, 'request')}."
            for note in _noted(result, stacking(blocks(result.requests)))[:1]:
                text += f" The worst: {note.place}, {note.effect}."
        return text

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw all requests, or those of one session. Raises UsageError when there is no such session."""
        sheet = Sheet(figure, options.theme)
        one = None if options.session is None else chosen_session(result, options.session)
        found = blocks(result.requests, one)
        end = max((row.prompt_tokens for block in found for row in block.requests), default=0)
        reason = self.missing(result) or (None if end else _NOTHING)
        if reason:
            sheet.text(_MARGIN, 24, reason)
            return
        stack = stacking(found)
        notes = _noted(result, stack)
        labels = [legible(pile.name, 40) or "(unnamed)" for pile in stack.stacks]
        several = len(labels) > 1
        left = _MARGIN + (
            _names_width(labels, stack.stacks) if several else _numbers_width(len(result.requests))
        )
        right = sheet.width - _MARGIN - (_NOTE_WIDTH + 14 if notes else 6)
        pitch = min((sheet.height - _HEAD - _foot(stack)) / stack.places, _TALLEST)
        frame = _Frame(Rect(left, _HEAD, right - left, pitch * stack.places), end, pitch)
        requests = [row for _, row in stack.requests]
        _head(sheet, requests, len(found))
        _axis(sheet, frame)
        if len(requests) > _BARS or sum(len(row.runs) for row in requests) > _RUNS:
            _paint(sheet, frame, stack.lines)
        else:
            _bars(sheet, frame, stack.lines)
        _marks(sheet, frame, stack.lines)
        if several:
            _names(sheet, frame, stack.stacks, labels)
        elif len(found) == 1:
            _numbers(sheet, frame, stack)
        _beside(sheet, frame, stack, notes)
        room = sheet.width - 2 * _MARGIN
        sheet.paragraph(_MARGIN, frame.area.bottom + 34, _remarks(stack, len(found)), room)


def _noted(result: Result, stack: Stacking) -> list[breaks.Note]:
    return breaks.notes(stack.requests, breaks.codes(result.findings), _NOTES)


def _foot(stack: Stacking) -> float:
    return _FOOT if stack.each == 1 else _LONG_FOOT


def _totals(requests: Sequence[RequestRow]) -> dict[str, int]:
    """Tokens by outcome that occurs, in the order of the palette."""
    sums = {name: sum(row.outcomes.get(name, 0) for row in requests) for name in OUTCOME_LOOKS}
    return {name: tokens for name, tokens in sums.items() if tokens}


def _head(sheet: Sheet, requests: Sequence[RequestRow], lineages: int) -> None:
    totals = _totals(requests)
    whole = sum(totals.values())
    several = f", {lineages:,} lineages" if lineages > 1 else ""
    title = f"what became of {count(whole)} prompt tokens in {plural(len(requests), 'request')}{several}"
    sheet.text(_MARGIN, 18, title, TITLE)
    x, y = _MARGIN, 34.0
    for name, tokens in totals.items():
        look = OUTCOME_LOOKS[name]
        figure = share(tokens, whole)
        wide = 11 + width(f"{look.label} ", NAME, bold=True) + width(figure, NAME)
        if x + wide > sheet.width - _MARGIN:
            x, y = _MARGIN, y + 12
        sheet.boxes([Rect(x, y - 6.5, 7, 7)], look.color, "key")
        sheet.text(x + 11, y, look.label, NAME, bold=True)
        sheet.text(x + wide, y, figure, NAME, sheet.theme.muted, "right")
        x += wide + 12
    departed = sum(row.break_ is not None for row in requests)
    if departed:
        text = f"departs from the prompt before: {plural(departed, 'request')}"
        if x + 7 + width(text, NAME) > sheet.width - _MARGIN:
            x, y = _MARGIN, y + 12
        sheet.lines([((x + 2, y - 8), (x + 2, y + 2))], sheet.theme.ink, 1.2, "key")
        sheet.text(x + 7, y, text, NAME, sheet.theme.muted)


def _axis(sheet: Sheet, frame: _Frame) -> None:
    """Positions in the prompt, below, and thin lines up from them."""
    low = frame.area.bottom
    marks = ticks(frame.end)
    sheet.lines(
        [((frame.x(mark), frame.area.y - 3), (frame.x(mark), low + 3)) for mark in marks],
        sheet.theme.grid,
        0.6,
        "grid",
    )
    for mark in marks:
        sheet.text(frame.x(mark), low + 12, size(mark), SMALL, sheet.theme.muted, "center")
    sheet.text(frame.area.x, low + 23, "position in the prompt, in tokens", SMALL, sheet.theme.muted)


def _bars(sheet: Sheet, frame: _Frame, lines: Sequence[Line]) -> None:
    boxes: dict[str, list[Rect]] = {}
    inset = frame.pitch * (0.09 if frame.pitch > 4 else 0.05)
    for line in lines:
        for row in line.requests:
            at = 0
            for name, tokens in row.runs:
                left, right = frame.x(at), frame.x(at + tokens)
                at += tokens
                box = Rect(left, frame.y(line.place) + inset, right - left, frame.pitch - 2 * inset)
                boxes.setdefault(name, []).append(box)
    for name, look in OUTCOME_LOOKS.items():
        sheet.boxes(boxes.get(name, ()), look.color, name)


def _paint(sheet: Sheet, frame: _Frame, lines: Sequence[Line]) -> None:
    found = cells([line.requests for line in lines], [line.stack for line in lines], _COLUMNS, frame.end)
    colors = np.zeros((EMPTY + 1, 4), dtype=np.uint8)
    for code, name in enumerate(CELLS):
        color = OUTCOME_LOOKS[name].color
        colors[code] = (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255)
    pixels = np.zeros((lines[-1].place + 1, _COLUMNS, 4), dtype=np.uint8)
    pixels[[line.place for line in lines]] = colors[found]
    sheet.image(pixels, frame.area, "cells")


def _marks(sheet: Sheet, frame: _Frame, lines: Sequence[Line]) -> None:
    """An upright stroke where a prompt departs from the one before; strokes that meet become one."""
    ends: dict[float, list[list[float]]] = {}
    over = max(0.0, (_MARK - frame.pitch) / 2)
    for line in lines:
        worst = sorted(
            (row.break_ for row in line.requests if row.break_ is not None),
            key=lambda item: (-item.lost_tokens, item.token_offset),
        )
        top, low = frame.y(line.place) - over, frame.y(line.place + 1) + over
        for x in sorted({round(frame.x(min(item.token_offset, frame.end)), 1) for item in worst[:_MARKS]}):
            spans = ends.setdefault(x, [])
            if spans and spans[-1][1] >= top - 0.01:
                spans[-1][1] = low
            else:
                spans.append([top, low])
    strokes = [((x, top), (x, low)) for x, spans in sorted(ends.items()) for top, low in spans]
    sheet.lines(strokes, sheet.theme.ink, 1.2 if frame.pitch > _MARK else 0.8, "breaks")


def _names_width(labels: Sequence[str], stacks: Sequence[Stack]) -> float:
    widest = max(width(label, NAME) for label in labels)
    most = max(width(plural(one.requests, "request"), SMALL) for one in stacks)
    return max(min(widest, _NAME_WIDTH), most) + 12


def _numbers_width(requests: int) -> float:
    return max(width(exact(requests), SMALL), width("request", SMALL)) + 6


def _names(sheet: Sheet, frame: _Frame, stacks: Sequence[Stack], labels: Sequence[str]) -> None:
    """Brackets with names, of the largest first, as far as they do not meet."""
    x = frame.area.x - 5
    taken: list[tuple[float, float]] = []
    brackets = []
    for at in sorted(range(len(stacks)), key=lambda at: (-stacks[at].requests, at)):
        top, low = frame.y(stacks[at].top), frame.y(stacks[at].low)
        middle, two = (top + low) / 2, low - top >= 22
        need = (middle - (11 if two else 5.5), middle + (11 if two else 5.5))
        if len(taken) == _NAMED or any(need[0] < other[1] and other[0] < need[1] for other in taken):
            continue
        taken.append(need)
        brackets.append(((x, top), (x, low)))
        label = fitted(labels[at], x - 4 - _MARGIN, NAME)
        sheet.text(x - 4, baseline(middle - (5 if two else 0), NAME), label, NAME, align="right")
        if two:
            text = plural(stacks[at].requests, "request")
            sheet.text(x - 4, baseline(middle + 5, SMALL), text, SMALL, sheet.theme.muted, "right")
    sheet.lines(brackets, sheet.theme.muted, 0.8, "brackets")


def _numbers(sheet: Sheet, frame: _Frame, stack: Stacking) -> None:
    """Numbers of requests, as many as have room."""
    total = len(stack.requests)
    every = total <= 12 and frame.pitch >= 10
    wanted = range(total) if every else sorted({0, *(tick - 1 for tick in ticks(total, 10) if tick)})
    x, last = frame.area.x - 5, -100.0
    for at in wanted:
        middle = frame.y(stack.line(at).place + 0.5)
        if middle - last >= 10:
            number, _ = stack.requests[at]
            sheet.text(x, baseline(middle, SMALL), exact(number), SMALL, sheet.theme.muted, "right")
            last = middle
    sheet.text(x, frame.area.y - 5, "request", SMALL, sheet.theme.muted, "right")


def _beside(sheet: Sheet, frame: _Frame, stack: Stacking, notes: Sequence[breaks.Note]) -> None:
    """Notes to the right in the order of their requests, each with a line to the end of its bar."""
    x, bend = frame.area.right + 14, frame.area.right + 3
    placed = [(note, stack.line(note.at)) for note in sorted(notes, key=lambda note: note.at)]
    wanted = [frame.y(line.place + 0.5) for _, line in placed]
    low = max(frame.area.bottom, frame.area.y + _NOTE * len(placed))
    middles = _spread(wanted, frame.area.y + _NOTE / 2, low - _NOTE / 2)
    leaders = []
    for (note, line), y, middle in zip(placed, wanted, middles, strict=True):
        leaders.append(((min(frame.x(line.end) + 2, bend), y), (bend, y), (x - 3, middle)))
        sheet.text(x, middle - 1.5, fitted(note.place, _NOTE_WIDTH, NAME), NAME)
        sheet.text(x, middle + 8, fitted(note.effect, _NOTE_WIDTH, SMALL), SMALL, sheet.theme.muted)
    sheet.lines(leaders, sheet.theme.muted, 0.6, "leaders")


def _spread(wanted: Sequence[float], top: float, low: float) -> list[float]:
    """`wanted`, rising, moved as little as keeps notes apart and between `top` and `low`, which has room for all."""
    found = list(wanted)
    for at in range(len(found)):
        found[at] = max(found[at], top if at == 0 else found[at - 1] + _NOTE)
    for at in range(len(found) - 1, -1, -1):
        found[at] = min(found[at], low if at == len(found) - 1 else found[at + 1] - _NOTE)
    return found


def _remarks(stack: Stacking, lineages: int) -> str:
    text = "One request below the other, in order of start" + (
        " within its lineage." if lineages > 1 else "."
    )
    if stack.by != "lineage":
        text += f" The {lineages:,} lineages are too many to stand apart."
    if stack.each > 1:
        text += (
            f" Each line stands for up to {plural(stack.each, 'request')} and shows one of them, picked so that areas"
            " hold. What others of them had to compute again is drawn too, one line thick where it is rare. An upright"
            " stroke marks every line on which a prompt departs from the one before."
        )
    return text
