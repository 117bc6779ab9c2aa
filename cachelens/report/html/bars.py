"""Bars. In: tokens by name, in order. Out: places and widths in percent, so that a bar fits whatever it stands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cachelens.report.palette import Look
from cachelens.report.terminal.bar import cells
from cachelens.report.terminal.picture import Run, picture
from cachelens.report.units import share

#: Steps of a bar over the whole width of the page.
WIDE = 400


@dataclass(frozen=True)
class Part:
    """A stretch of a bar: `x`, `width` and `middle` in percent; `text`: its label and share, `room` how much of the
    bar it has: `ample`, `some` or `none`, which says where its label fits."""

    name: str
    x: str
    width: str
    middle: str
    text: str = ""
    room: str = "none"


def accounting(tokens: Mapping[str, int], looks: Mapping[str, Look]) -> tuple[Part, ...]:
    """The bar of all outcomes: each that occurs can be seen, however few its tokens."""
    whole, at, parts = sum(tokens.values()), 0, []
    for name, size in cells(tokens, WIDE).items():
        wide = "ample" if size > 0.22 * WIDE else "some" if size > 0.11 * WIDE else "none"
        text = f"{looks[name].label} {share(tokens[name], whole)}"
        parts.append(Part(name, _percent(at), _percent(size), _percent(at + size / 2), text, wide))
        at += size
    return tuple(parts)


def strip(runs: Sequence[Run], steps: int = WIDE, scale: int | None = None) -> tuple[Part, ...]:
    """A prompt in the order of its tokens, in `steps` steps of which `scale` (all) are the width of the bar."""
    at, parts = 0, []
    for name, size in stretches(runs, steps):
        parts.append(
            Part(name, _percent(at, scale or steps), _percent(size, scale or steps), _percent(at + size / 2))
        )
        at += size
    return tuple(parts)


def stretches(runs: Sequence[Run], steps: int) -> list[tuple[str, int]]:
    """Names with the steps they take, in order of the tokens; every name that occurs takes one at least."""
    return [(name, sum(1 for _ in group)) for name, group in groupby(picture(runs, steps))]


def _percent(steps: float, whole: int = WIDE) -> str:
    return f"{100 * steps / whole:.2f}".rstrip("0").rstrip(".") + "%"
