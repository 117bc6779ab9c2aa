"""Text that fits. In: names and figures, room in points. Out: what can be written there, perhaps nothing.

Widths are those of DejaVu Sans, which comes with matplotlib, the same on every machine, and a little more: pixels
round the width of each letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from cachelens.report.untrusted import clean

_ELLIPSIS = "…"
_MISSING = "\ufffd"
#: Keeps what stands before and after in its place when a name is written from right to left.
_LEFT_TO_RIGHT = "\u200e"
#: What rounding to pixels may add.
_ROUNDED = 1.09
#: Fewer characters than these of a name say nothing.
_FEWEST = 3


def legible(text: str, limit: int = 60, keep_end: bool = False) -> str:
    """Text of a trace on one line of at most `limit` cells, all of whose characters have a glyph.

    Others become U+FFFD. What is cut off is marked by an ellipsis, at the start instead of at the end with `keep_end`.
    Not escaped: draw it with `parse_math=False`, or a dollar sign begins a formula.
    """
    glyphs = _glyphs()
    shown = "".join(char if ord(char) in glyphs else _MISSING for char in clean(text, limit, keep_end))
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in shown):
        return f"{_LEFT_TO_RIGHT}{shown}{_LEFT_TO_RIGHT}"
    return shown


def width(text: str, size: float, bold: bool = False) -> float:
    """Points that `text` takes on a line, at `size` points."""
    if not text:
        return 0.0
    across, _, _ = text_to_path.get_text_width_height_descent(text, _font(size, bold), False)
    return float(across) * _ROUNDED


def fitted(text: str, room: float, size: float, bold: bool = False, keep_end: bool = False) -> str:
    """`text`, or as much of it as fits into `room` points with an ellipsis, or nothing if that is too little."""
    if width(text, size, bold) <= room:
        return text
    marks = text.startswith(_LEFT_TO_RIGHT)
    text = text.strip(_LEFT_TO_RIGHT)
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if width(_shortened(text, middle, keep_end), size, bold) <= room:
            low = middle
        else:
            high = middle - 1
    if low < _FEWEST:
        return ""
    found = _shortened(text, low, keep_end)
    if width(found, size, bold) > room:
        return ""
    return f"{_LEFT_TO_RIGHT}{found}{_LEFT_TO_RIGHT}" if marks else found


def first_fitting(texts: Iterable[str], room: float, size: float, bold: bool = False) -> str:
    """The first of `texts` that fits whole into `room` points; nothing if none does."""
    return next((text for text in texts if width(text, size, bold) <= room), "")


def wrapped(text: str, room: float, size: float) -> list[str]:
    """`text` in lines of at most `room` points, broken at spaces. A longer word has a line of its own."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _shortened(text: str, kept: int, keep_end: bool) -> str:
    return _ELLIPSIS + text[len(text) - kept :].lstrip() if keep_end else text[:kept].rstrip() + _ELLIPSIS


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")


@cache
def _glyphs() -> frozenset[int]:
    """Code points with a glyph in both weights."""
    both = (frozenset(get_font(findfont(_font(8, bold))).get_charmap()) for bold in (False, True))
    return frozenset.intersection(*both)
