"""Causes of waste before and after, on the screen of a comparison. In: a `Comparison`. Out: lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cachelens.model.comparison import Comparison, FindingDelta
from cachelens.report import changes
from cachelens.report.terminal.columns import flexible_width, table
from cachelens.report.terminal.heading import wrap
from cachelens.report.terminal.screen import Line, Page, Span
from cachelens.report.units import count, exact
from cachelens.report.untrusted import clean, cut, width

#: Causes shown, and shown with `--verbose`.
CAUSES, CAUSES_VERBOSE = 5, 50
_COLORS: Final = {"appeared": "#d55e00", "grew": "#d55e00", "shrank": "#0072b2", "vanished": "#0072b2"}
#: Narrower pages show what a cause saves on one side only: after, or before where it is gone.
_ROOMY: Final = 100
#: The column of titles, and the cell at which the rest of one is written below it.
_TITLE: Final = 2
_BELOW: Final = 20


def causes(found: Comparison, page: Page, verbose: bool) -> list[Line]:
    """How many appeared, grew, shrank and vanished; those that changed most, `verbose` all of them."""
    heading = Span(" CAUSES", "bold")
    if not found.causes:
        return [[heading, Span("   none found on either side")]]
    counted = "   ".join(f"{exact(number)} {state}" for state, number in changes.states(found).items())
    lines: list[Line] = [[heading, Span("   " + counted)]]
    told = [one for one in found.causes if verbose or one.state != "unchanged"]
    # What can be mended comes before what is only to be known, and what changed most before the rest.
    told.sort(key=lambda one: (one.state == "unchanged", one.verdict == "diagnostic", *_weight(one)))
    shown = told[: CAUSES_VERBOSE if verbose else CAUSES]
    if not shown:
        return lines
    lines += _rows(shown, page)
    if len(told) > len(shown):
        lines.append([Span(f"   {exact(len(told) - len(shown))} more: -v", "dim")])
    if any(one.matched_by == "rule" for one in shown):
        lines.append([Span("   ~ found again by its rule alone: place or title differ", "dim")])
    return lines


def _weight(one: FindingDelta) -> tuple[int, int]:
    """Orders what changed most first: what mending it saves counts alike for all, what it is about does not."""
    return -abs(one.change_saving or 0), -abs(one.change_tokens)


def _rows(shown: Sequence[FindingDelta], page: Page) -> list[Line]:
    """A table, below each cause one line with the rest of its title."""
    header: tuple[str, ...] = ("", "", "what", "tokens", "after", "saves", "after")
    rows = [_cells(one, page) for one in shown]
    if page.width < _ROOMY:
        header = header[:-1]
        rows = [
            (*row[:5], row[6] if one.after is not None else row[5])
            for one, row in zip(shown, rows, strict=True)
        ]
    room = flexible_width(header, rows, page, _TITLE)
    split = [_split(row[_TITLE], room, page) for row in rows]
    rows = [(*row[:_TITLE], first, *row[_TITLE + 1 :]) for row, (first, _) in zip(rows, split, strict=True)]
    body = table(header, rows, page, right=frozenset({3, 4, 5, 6}), flexible=_TITLE)
    lines: list[Line] = [body[0]]
    for one, (indent, state, *rest), (_, below) in zip(shown, body[1:], split, strict=True):
        style = _COLORS.get(one.state, "") if one.verdict == "avoidable" else "dim"
        lines.append([indent, Span(state.text, style), *rest])
        if below:
            text = cut(below, page.width - _BELOW - 1, ascii_only=page.ascii_only)
            lines.append([Span(" " * _BELOW + text, "dim")])
    return lines


def _cells(one: FindingDelta, page: Page) -> tuple[str, ...]:
    title = f"~ {one.title}" if one.matched_by == "rule" else one.title
    if one.verdict != "avoidable":
        title += f" ({one.verdict})"
    bound = "<= " if one.changes_input else ""
    savings = [None if side is None else side.saving_tokens for side in (one.before, one.after)]
    return (
        one.state,
        clean(one.code, 10, ascii_only=page.ascii_only),
        clean(title, 300, ascii_only=page.ascii_only),
        "-" if one.before is None else count(one.before.tokens),
        "-" if one.after is None else count(one.after.tokens),
        *("-" if saving is None else bound + count(saving) for saving in savings),
    )


def _split(text: str, room: int, page: Page) -> tuple[str, str]:
    """What of a text stands in a column of `room` cells, and what below it."""
    if width(text) <= room:
        return text, ""
    first = wrap(text, room, page)[0]
    return first, text.removeprefix(first).strip()
