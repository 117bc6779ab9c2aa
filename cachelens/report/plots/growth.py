"""How prompts grow. In: the requests of one session. Out: their prompts by label, and what of them was computed.

Lineages stand side by side, in order of their first requests; within one the requests stand in order of start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cachelens.model.result import Result
from cachelens.model.rows import RequestRow
from cachelens.report.palette import LABEL_LOOKS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.fitting import fitted, legible, width
from cachelens.report.plots.sessions import chosen_session
from cachelens.report.plots.theme import Theme
from cachelens.report.units import count, exact, plural, share, size

Floats = npt.NDArray[np.float64]

_SIZE = (8.0, 4.8)
#: Points that the axes are wide, about; a tick with its number; a line of text.
_ACROSS, _TICK, _LINE = 510.0, 34.0, 14.0
#: Room between lineages: at least a slot, at most this share of all slots for all of it together.
_BETWEEN = 0.15
_TYPE = 9.0
#: Points from the mark of a key to its text, and from a key to the next.
_MARK, _APART = 12.0, 14.0


class _Lineage(NamedTuple):
    """Requests of one lineage by their numbers in the trace, and where the first of them stands on the axis."""

    name: str
    rows: tuple[tuple[int, RequestRow], ...]
    start: float

    @property
    def end(self) -> float:
        return self.start + len(self.rows)


class Growth:
    """The prompts of a session, request by request."""

    name: ClassVar[str] = "growth"
    title: ClassVar[str] = "How the prompts of a session grow"

    def missing(self, result: Result) -> str | None:
        """Why there is no session to draw."""
        return None if result.totals.prompt_tokens else "There are no prompt tokens to show."

    def size(self, result: Result) -> tuple[float, float]:
        """Inches; the same for all."""
        return _SIZE

    def describe(self, result: Result) -> str:
        """The longest prompt of the largest session, what was sent and computed, and what of it was waste."""
        lineages = _lineages(result, chosen_session(result))
        rows = [row for lineage in lineages for _, row in lineage.rows]
        number, longest = max(
            (pair for lineage in lineages for pair in lineage.rows), key=lambda pair: pair[1].prompt_tokens
        )
        sent, computed = _sent(rows), _computed(rows)
        waste = sum(tokens for row in rows for label, tokens in row.labels.items() if label != "live")
        return (
            f"{plural(len(rows), 'request')} of {plural(len(lineages), 'lineage')} sent {count(sent)} tokens, of which "
            f"{count(computed)} ({share(computed, sent)}) were computed. The longest prompt, of request "
            f"{exact(number)}, has {count(longest.prompt_tokens)} tokens. Labels other than live stand on "
            f"{share(waste, sent)} of what was sent."
        )

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw one session of a result that is not `missing`. Raises UsageError when there is no such session."""
        theme, session = options.theme, chosen_session(result, options.session)
        lineages = _lineages(result, session)
        rows = [row for lineage in lineages for _, row in lineage.rows]
        axes = figure.add_subplot()
        edges, slots = _slots(lineages)
        most = max((row.prompt_tokens for row in rows), default=0)
        below = np.zeros(len(slots))
        keys = []
        for label, look in LABEL_LOOKS.items():
            heights = np.array([_labelled(row, label) if row else 0 for row in slots], dtype=np.float64)
            if not heights.any():
                continue
            axes.stairs(below + heights, edges, baseline=below, fill=True, color=look.color, linewidth=0)
            keys.append((label, int(heights.sum())))
            below = below + heights
        computed = np.array([_computed([row]) if row else 0 for row in slots], dtype=np.float64)
        axes.stairs(computed, edges, fill=False, color=theme.ink, linewidth=1 if len(rows) < 400 else 0.6)
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0, max(most, 1) * 1.1)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: size(round(value))))
        axes.grid(axis="y", color=theme.grid, linewidth=0.6)
        axes.set_axisbelow(True)
        _name_lineages(axes, lineages, float(edges[-1]), theme)
        _number_requests(axes, lineages, float(edges[-1]))
        many = f", {plural(len(lineages), 'lineage')} side by side" if len(lineages) > 1 else ""
        axes.set_xlabel(f"number of the request in the trace{many}")
        name = fitted(legible(session, 80), _ACROSS - 180, 11)
        title = f"tokens of each prompt, session {name}" if name else "tokens of each prompt"
        _key(axes, keys, _sent(rows), _computed(rows), title, theme)


def _lineages(result: Result, session: str) -> list[_Lineage]:
    found: dict[str, list[tuple[int, RequestRow]]] = {}
    for number, row in enumerate(result.requests, start=1):
        if row.session_id == session:
            found.setdefault(row.lineage_id, []).append((number, row))
    slots = sum(map(len, found.values()))
    gap = min(max(slots / 60, 1.0), _BETWEEN * slots / max(len(found) - 1, 1))
    lineages, at = [], 0.0
    for name, rows in found.items():
        lineages.append(_Lineage(name, tuple(rows), at))
        at += len(rows) + gap
    return lineages


def _slots(lineages: Sequence[_Lineage]) -> tuple[Floats, list[RequestRow | None]]:
    """Edges of slots on the axis, and the request of each; None for the room between lineages."""
    edges: list[float] = [0.0]
    slots: list[RequestRow | None] = []
    for lineage in lineages:
        if lineage.start > edges[-1]:
            edges.append(lineage.start)
            slots.append(None)
        edges += (lineage.start + at for at in range(1, len(lineage.rows) + 1))
        slots += (row for _, row in lineage.rows)
    return np.array(edges), slots


def _labelled(row: RequestRow, label: str) -> int:
    if label != "live":
        return row.labels.get(label, 0)
    return row.prompt_tokens - sum(tokens for name, tokens in row.labels.items() if name != "live")


def _sent(rows: Sequence[RequestRow]) -> int:
    return sum(row.prompt_tokens for row in rows)


def _computed(rows: Sequence[RequestRow]) -> int:
    return sum(row.prompt_tokens - row.outcomes.get("hit", 0) for row in rows)


def _name_lineages(axes: Axes, lineages: Sequence[_Lineage], across: float, theme: Theme) -> None:
    """A bracket and a name above each lineage that has the room, where there are several."""
    if len(lineages) < 2:
        return
    for lineage in lineages:
        room = len(lineage.rows) / across * _ACROSS
        long = f"{legible(lineage.name, 40)}, {plural(len(lineage.rows), 'request')}"
        text = next((text for text in (long, legible(lineage.name, 40)) if width(text, 8) <= room), "")
        text = text or fitted(long, room, 8)
        axes.plot(
            [lineage.start, lineage.end],
            [0.985, 0.985],
            transform=axes.get_xaxis_transform(),
            color=theme.muted,
            linewidth=1.2,
            solid_capstyle="butt",
        )
        if text:
            axes.annotate(
                text,
                ((lineage.start + lineage.end) / 2, 0.985),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                color=theme.muted,
                fontsize=8,
                parse_math=False,
                in_layout=False,
            )


def _number_requests(axes: Axes, lineages: Sequence[_Lineage], across: float) -> None:
    """Ticks with numbers of requests: at the beginning of lineages and evenly on, as far as they have the room."""
    apart = _TICK * across / _ACROSS
    step = next(
        step for base in range(10) for step in (10**base, 2 * 10**base, 5 * 10**base) if step >= apart
    )
    ticks: list[tuple[float, int]] = []
    for lineage in lineages:
        for at in range(0, len(lineage.rows), step):
            middle = lineage.start + at + 0.5
            if not ticks or middle - ticks[-1][0] >= apart:
                ticks.append((middle, lineage.rows[at][0]))
    axes.set_xticks([at for at, _ in ticks], [exact(number) for _, number in ticks])


def _key(
    axes: Axes, keys: Sequence[tuple[str, int]], sent: int, computed: int, title: str, theme: Theme
) -> None:
    """Above the picture: the title, what was computed, and each label with its color and share of what was sent."""
    entries = [("━", theme.ink, f"computed {share(computed, sent)}")]
    for label, tokens in keys:
        look = LABEL_LOOKS[label]
        entries.append(("■", look.color, f"{look.label.replace('_', ' ')} {share(tokens, sent)}"))
    lines: list[list[tuple[float, str, str, str]]] = [[]]
    at = 0.0
    for mark, color, text in entries:
        taken = _MARK + width(text, _TYPE)
        if lines[-1] and at + taken > _ACROSS:
            lines.append([])
            at = 0.0
        lines[-1].append((at, mark, color, text))
        at += taken + _APART
    for up, line in enumerate(reversed(lines)):
        for at, mark, color, text in line:
            place: dict[str, Any] = {
                "xycoords": "axes fraction",
                "textcoords": "offset points",
                "in_layout": False,
                "fontsize": _TYPE,
            }
            axes.annotate(mark, (0, 1), xytext=(at, 8 + _LINE * up), color=color, **place)
            axes.annotate(text, (0, 1), xytext=(at + _MARK, 8 + _LINE * up), **place)
    axes.set_title(title, loc="left", fontsize=11, pad=11 + _LINE * len(lines), parse_math=False)
