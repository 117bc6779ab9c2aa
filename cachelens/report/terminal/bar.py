"""The accounting bar: every prompt token in one outcome. In: tokens by outcome. Out: lines.

Each outcome that occurs gets at least one cell, so a bar never hides one.
"""

from __future__ import annotations

from collections.abc import Mapping

from cachelens.report.palette import OUTCOME_LOOKS, Look
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import share

_MARGIN = 2


def cells(tokens: Mapping[str, int], room: int) -> dict[str, int]:
    """How many of `room` cells each outcome gets: by largest remainder, none that occurs below 1.

    Sums to `room`, given at least as many cells as outcomes occur; empty when there are no tokens.
    """
    present = {name: tokens[name] for name in OUTCOME_LOOKS if tokens.get(name, 0) > 0}
    whole = sum(present.values())
    if not whole:
        return {}
    spare = room - len(present)
    shares = {name: 1 + spare * part // whole for name, part in present.items()}
    rest = sorted(present, key=lambda name: (-(spare * present[name] % whole), list(present).index(name)))
    for name in rest[: room - sum(shares.values())]:
        shares[name] += 1
    return shares


def bar(tokens: Mapping[str, int], page: Page) -> list[Line]:
    """The bar over the width of the page, and its labels below, directly in their order."""
    whole = sum(tokens.values())
    given = cells(tokens, page.width - 2 * _MARGIN)
    if not given:
        return []
    margin = Span(" " * _MARGIN)
    strip = [
        Span(_glyph(OUTCOME_LOOKS[name], page) * size, OUTCOME_LOOKS[name].color)
        for name, size in given.items()
    ]
    labels = [
        [
            Span(_glyph(OUTCOME_LOOKS[name], page) + " ", OUTCOME_LOOKS[name].color),
            Span(f"{OUTCOME_LOOKS[name].label} {share(tokens[name], whole)}"),
        ]
        for name in given
    ]
    packed = pack(labels, page.width - 2 * _MARGIN)
    return [[margin, *strip], *([margin, *line] for line in packed)]


def _glyph(look: Look, page: Page) -> str:
    return look.ascii_glyph if page.ascii_only else look.glyph
