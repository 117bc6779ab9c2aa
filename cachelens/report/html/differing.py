"""Two versions of a text. In: both texts. Out: runs of text, each kept, gone or come.

What is compared, cut and escaped is what the terminal compares, cuts and escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cachelens.report.palette import MARK_COLOR, OPTIMAL_COLOR
from cachelens.report.terminal.differing import versions
from cachelens.report.terminal.screen import Page, Span
from cachelens.report.untrusted import spelled

#: Cells of a side on one endless line; more than is ever kept of one.
_ENDLESS = 10**9
#: Characters and lines of an excerpt without a counterpart.
_EXCERPT, _LINES = 600, 16
#: Characters of a text that are compared.
_COMPARED = 100_000
_KINDS = {OPTIMAL_COLOR: "del", MARK_COLOR: "ins"}
#: Characters of the marks `[-`, `-]`, `{+`, `+}`.
_MARK = 2


class Change(NamedTuple):
    """A run of text. `kind`: `ins`, `del`, or empty where both versions have it."""

    text: str
    kind: str = ""


def changes(before: str, now: str) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Both versions with what differs marked, and some context around it."""
    one, other = versions(before[:_COMPARED], now[:_COMPARED], Page(), _ENDLESS, 1)
    return _runs(one), _runs(other)


def excerpt(text: str | None, length: int = _EXCERPT, most: int = _LINES) -> tuple[Change, ...]:
    """The beginning of one text, unmarked, its lines as lines: `length` characters, `most` lines."""
    if not text:
        return ()
    lines = text[:length].split("\n")
    cut = len(text) > length or len(lines) > most
    return (Change("\n".join(map(spelled, lines[:most])) + ("…" if cut else "")),)


def _runs(lines: Sequence[Sequence[Span]]) -> tuple[Change, ...]:
    found = []
    for span in (span for line in lines for span in line if span.text):
        kind = _KINDS.get(span.style, "")
        found.append(Change(span.text[_MARK:-_MARK] if kind else span.text, kind))
    return tuple(found)
