"""Tables of cells. In: rows of strings. Out: lines, each column as wide as its widest cell.

One column may be `flexible`: it takes the room that is left on the page and cuts what does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.report.terminal.screen import Page, Span
from cachelens.report.untrusted import cut, width

_INDENT = 3
_GAP = 2


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    page: Page,
    right: frozenset[int] = frozenset(),
    flexible: int | None = None,
) -> list[list[Span]]:
    """A dim header and one line per row. `right`: columns aligned to the right."""
    widths = _widths(header, rows, page, flexible)

    def line(cells: Sequence[str], style: str) -> list[Span]:
        spans = [Span(" " * _INDENT)]
        for at, cell in enumerate(cells):
            text = cut(cell, widths[at], ascii_only=page.ascii_only) if at == flexible else cell
            pad = " " * (widths[at] - width(text))
            gap = " " * _GAP if at + 1 < len(cells) else ""
            spans.append(Span((pad + text if at in right else text + pad) + gap, style))
        return spans

    return [line(header, "dim"), *(line(row, "") for row in rows)]


def flexible_width(header: Sequence[str], rows: Sequence[Sequence[str]], page: Page, flexible: int) -> int:
    """Cells that `table` gives to the flexible column."""
    return _widths(header, rows, page, flexible)[flexible]


def _widths(
    header: Sequence[str], rows: Sequence[Sequence[str]], page: Page, flexible: int | None
) -> list[int]:
    widths = [max(width(row[at]) for row in (header, *rows)) for at in range(len(header))]
    if flexible is not None:
        others = sum(widths) - widths[flexible] + _GAP * (len(widths) - 1) + _INDENT
        widths[flexible] = max(min(widths[flexible], page.width - others), 8)
    return widths
