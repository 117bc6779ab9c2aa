"""Text out of a trace, made safe to print. In: names, paths, sources as captured. Out: one plain line.

A capture can hold anything: escape sequences that repaint a terminal, marks that reverse the reading
order, names of a megabyte. None of it reaches an output that people look at.
"""

from __future__ import annotations

import re
import unicodedata

#: Escape sequences: CSI, then OSC and other strings up to their terminator, then two-character ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
#: Looked at before cutting; longer text is cut in any case.
_SCANNED = 4096
_MARKS_KEPT = 2


def clean(text: str, limit: int = 80, keep_end: bool = False, ascii_only: bool = False) -> str:
    """`text` on one line, without control, bidirectional or invisible characters, of at most `limit` cells.

    What is cut off is marked by an ellipsis, at the start instead of at the end with `keep_end` (paths).
    `ascii_only` writes every other character as `?`. Private, unassigned and surrogate code points
    become U+FFFD; of a pile of combining marks two are kept.
    """
    if len(text) > _SCANNED:
        text = text[-_SCANNED:] if keep_end else text[:_SCANNED]
    out: list[str] = []
    marks = 0
    for char in _ESCAPES.sub("", text):
        category = unicodedata.category(char)
        if category in ("Cc", "Zl", "Zp", "Zs"):
            char = " "
        elif category == "Cf":
            continue
        elif category in ("Cs", "Co", "Cn"):
            char = "�"
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= _MARKS_KEPT:
            out.append("?" if ascii_only and ord(char) > 126 else char)
    return cut(" ".join("".join(out).split()), limit, keep_end, ascii_only)


def spelled(text: str, ascii_only: bool = False) -> str:
    """`text` character by character, with an escape such as `\\n` or `\\u202e` for each that does not simply show.

    Unlike `clean` it keeps what is invisible: for texts that differ in nothing else. Not cut: give it little.
    """
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        shows = category[0] not in "CZ" or char == " "
        if shows and marks <= _MARKS_KEPT and (ord(char) < 127 or not ascii_only):
            out.append(char)
        else:
            out.append(char.encode("unicode_escape", "backslashreplace").decode("ascii"))
    return "".join(out)


def cut(text: str, limit: int, keep_end: bool = False, ascii_only: bool = False) -> str:
    """`text` in at most `limit` terminal cells, with an ellipsis where something was left out."""
    if width(text) <= limit:
        return text
    mark = "..." if ascii_only else "…"
    room = limit - len(mark)
    if room <= 0:
        return mark[: max(limit, 0)]
    kept: list[str] = []
    for char in reversed(text) if keep_end else text:
        room -= _cells(char)
        if room < 0:
            break
        kept.append(char)
    return mark + "".join(reversed(kept)) if keep_end else "".join(kept) + mark


def width(text: str) -> int:
    """Terminal cells that `text` takes: two for wide characters, none for combining marks."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
