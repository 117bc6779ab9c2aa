"""Two versions of a text, side by side. In: both texts. Out: lines that mark what differs, with some context.

Removed words stand in `[-…-]`, new ones in `{+…+}`; the marks are text, so that they survive without color.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from cachelens.report.palette import MARK_COLOR, OPTIMAL_COLOR
from cachelens.report.terminal.screen import Page, Span
from cachelens.report.untrusted import spelled, width

#: Characters of unchanged text shown beside a change.
CONTEXT = 60
#: Words that are compared one by one; of longer differences the beginning.
_COMPARED = 600
#: Characters of one differing stretch that are shown.
_STRETCH = 2000
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def versions(
    before: str, now: str, page: Page, room: int, limit: int
) -> tuple[list[list[Span]], list[list[Span]]]:
    """Both versions as lines of at most `room` cells, at most `limit` lines each."""
    one, other = _marked(before, now, page)
    return fold(one, room, limit, page), fold(other, room, limit, page)


def fold(spans: Sequence[Span], room: int, limit: int, page: Page) -> list[list[Span]]:
    """Spans as lines of at most `room` cells; what does not fit into `limit` lines is left out, and marked so."""
    lines: list[list[Span]] = [[]]
    used = 0
    for text, style in spans:
        start = 0
        for at, char in enumerate(text):
            cells = width(char)
            if used + cells > room:
                lines[-1].append(Span(text[start:at], style))
                if len(lines) == limit:
                    lines[-1] = _ended(lines[-1], room, page)
                    return lines
                lines.append([])
                start, used = at, 0
            used += cells
        lines[-1].append(Span(text[start:], style))
    return lines


def _ended(line: Sequence[Span], room: int, page: Page) -> list[Span]:
    """A line that ends in an ellipsis."""
    mark = _mark(page)
    text = "".join(span.text for span in line)
    excess = width(text) + width(mark) - room
    kept = list(line)
    while excess > 0 and kept:
        last = kept.pop()
        body = last.text
        while excess > 0 and body:
            excess -= width(body[-1])
            body = body[:-1]
        if body:
            kept.append(Span(body, last.style))
    return [*kept, Span(mark, "dim")]


def _mark(page: Page) -> str:
    return "..." if page.ascii_only else "…"


def _marked(before: str, now: str, page: Page) -> tuple[list[Span], list[Span]]:
    head, tail = _ends(before, now)
    old, new = before[head : len(before) - tail], now[head : len(now) - tail]
    lead = _context(before[:head], page, at_end=True)
    trail = _context(before[len(before) - tail :] if tail else "", page, at_end=False)
    one, other = [*lead], [*lead]
    words, others = _WORD.findall(old[: _STRETCH * 8]), _WORD.findall(new[: _STRETCH * 8])
    cut_short = len(words) > _COMPARED or len(others) > _COMPARED or max(len(old), len(new)) > _STRETCH * 8
    if cut_short:
        one.append(_span("[-", old, "-]", OPTIMAL_COLOR, page))
        other.append(_span("{+", new, "+}", MARK_COLOR, page))
        return [*one, *trail], [*other, *trail]
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        gone, come = "".join(words[a:b]), "".join(others[c:d])
        if what == "equal":
            middle = _middle(gone, page)
            one += middle
            other += middle
            continue
        if gone:
            one.append(_span("[-", gone, "-]", OPTIMAL_COLOR, page))
        if come:
            other.append(_span("{+", come, "+}", MARK_COLOR, page))
    return [*one, *trail], [*other, *trail]


def _span(opening: str, text: str, closing: str, style: str, page: Page) -> Span:
    shown = spelled(text[:_STRETCH], page.ascii_only) + (_mark(page) if len(text) > _STRETCH else "")
    return Span(opening + shown + closing if text else "", style)


def _ends(before: str, now: str) -> tuple[int, int]:
    """Characters shared at both ends, drawn back to where words begin and end."""
    size = min(len(before), len(now))
    head = next((at for at in range(size) if before[at] != now[at]), size)
    while head and (_inside(before, head) or _inside(now, head)):
        head -= 1
    most = size - head
    tail = next((at for at in range(most) if before[-1 - at] != now[-1 - at]), most)
    while tail and (_inside(before, len(before) - tail) or _inside(now, len(now) - tail)):
        tail -= 1
    return head, tail


def _inside(text: str, at: int) -> bool:
    """Whether place `at` lies inside a word of `text`."""
    return 0 < at < len(text) and _of_word(text[at - 1]) and _of_word(text[at])


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _context(text: str, page: Page, at_end: bool) -> list[Span]:
    """The end of what stands before a change, or the beginning of what follows it."""
    if len(text) <= CONTEXT:
        return [Span(spelled(text, page.ascii_only))] if text else []
    if at_end:
        return [Span(_mark(page), "dim"), Span(spelled(text[-CONTEXT:], page.ascii_only))]
    return [Span(spelled(text[:CONTEXT], page.ascii_only)), Span(_mark(page), "dim")]


def _middle(text: str, page: Page) -> list[Span]:
    """Unchanged text between two changes."""
    if len(text) <= 2 * CONTEXT:
        return [Span(spelled(text, page.ascii_only))]
    return [
        Span(spelled(text[:CONTEXT], page.ascii_only)),
        Span(_mark(page), "dim"),
        Span(spelled(text[-CONTEXT:], page.ascii_only)),
    ]
