"""What remedies save. In: the steps of a `Result`'s bridge. Out: bars that lead from today's computed tokens downwards.

Each step is a remedy followed besides all before it, by replay, so that steps add up although remedies overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cachelens.model.pictures import BridgeStep
from cachelens.model.result import Result
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.fitting import fitted, legible
from cachelens.report.plots.theme import Theme
from cachelens.report.units import count, plural, share, size

#: Colors of what a step saves, and of what it costs more.
SAVED_COLOR: Final = "#44aa99"
COSTS_COLOR: Final = "#882255"
_WIDTH, _ROW, _EDGES = 8.0, 0.47, 0.95
#: Size of type, and points that a line of it may take, and those before the title behind a code.
_TYPE, _LINE, _CODE = 9.0, _WIDTH * 72 - 12, 40.0
#: A bar is labelled inside when it is at least this share of the longest.
_INSIDE = 0.13
_BAR = 0.44


class _Row(NamedTuple):
    """One bar: from `start` to `end` in tokens, what is written above and beside it."""

    title: str
    start: int
    end: int
    amount: str
    code: str = ""
    hatched: bool = False


class Bridge:
    """From the tokens computed today to those that must be, one remedy a bar."""

    name: ClassVar[str] = "bridge"
    title: ClassVar[str] = "What remedies save, one after the other"

    def missing(self, result: Result) -> str | None:
        """Why there are no steps to draw."""
        if result.pictures is None:
            return "The result holds no data for pictures."
        if not result.totals.prompt_tokens:
            return "There are no prompt tokens to show."
        return None

    def size(self, result: Result) -> tuple[float, float]:
        """Inches; a row for each step."""
        steps = len(result.pictures.bridge) if result.pictures else 0
        return _WIDTH, _EDGES + _ROW * (3 + max(steps, 1))

    def describe(self, result: Result) -> str:
        """What is computed today, after all remedies, and what no cache could have spared."""
        totals = result.totals
        computed = totals.prefilled_tokens
        text = f"{count(computed)} tokens are computed today, {count(totals.fresh_tokens)} of them fresh."
        if result.pictures is None or not result.pictures.bridge:
            return f"{text} No remedy saves any."
        steps = result.pictures.bridge
        left, first = steps[-1].computed_tokens, steps[0]
        return (
            f"{text} Following {plural(len(steps), 'step')} of remedies, one after the other, leaves {count(left)}: "
            f"{_change(left - computed, computed)}. The first, {legible(first.code or first.name)}, changes it by "
            f"{_change(first.computed_tokens - computed, computed)}."
        )

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw the bars of a result that is not `missing`, first to last from above."""
        if result.pictures is None:
            return
        theme, steps, totals = options.theme, result.pictures.bridge, result.totals
        axes = figure.add_subplot()
        rows = list(_rows(result, steps))
        longest = max(1, totals.prefilled_tokens, totals.fresh_tokens, *(row.start for row in rows))
        _ground(axes, len(rows), longest, theme)
        _today(axes, totals.outcomes, longest, theme)
        for at, row in enumerate(rows):
            if 0 < at <= len(steps):
                _step(axes, at, row, theme)
            elif at >= len(rows) - 2:
                look = OUTCOME_LOOKS["fresh"].color if at == len(rows) - 1 else theme.muted
                axes.barh(at, row.end, _BAR, color=look)
            _write(axes, at, row, longest, theme)
            if at + 1 < len(rows) - 1:
                _connect(axes, at, row.end, theme)
        hatched = any(step.changes_input for step in steps)
        axes.set_xlabel(
            "computed tokens" + ("; hatched steps change what the model sees: at most" if hatched else "")
        )


def _rows(result: Result, steps: tuple[BridgeStep, ...]) -> Iterator[_Row]:
    totals = result.totals
    computed = totals.prefilled_tokens
    yield _Row("computed today", 0, computed, count(computed))
    before = computed
    for step in steps:
        after = step.computed_tokens
        change = _change(after - before, computed)
        title = fitted(legible(step.title, 200), _LINE - _CODE, _TYPE)
        yield _Row(title, before, after, change, fitted(legible(step.code), _CODE, _TYPE), step.changes_input)
        before = after
    if not steps:
        yield _Row("no remedy saves computed tokens", computed, computed, "")
    yield _Row("left when all are followed" if steps else "left", 0, before, count(before))
    fresh = totals.fresh_tokens
    yield _Row("fresh today: sent for the first time, no cache could have served it", 0, fresh, count(fresh))


def _change(tokens: int, computed: int) -> str:
    """A difference with its sign, and as a share of what is computed today."""
    sign = "−" if tokens < 0 else "+" if tokens else ""
    return f"{sign}{count(abs(tokens))} ({share(abs(tokens), computed)})"


def _ground(axes: Axes, rows: int, longest: int, theme: Theme) -> None:
    axes.set_xlim(0, longest * 1.27)
    axes.set_ylim(rows - 0.62, -0.78)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(round(value))))
    axes.grid(axis="x", color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)


def _today(axes: Axes, outcomes: dict[str, int], longest: int, theme: Theme) -> None:
    """The first bar by outcome, what had to be computed anyway first; parts long enough are named."""
    at = 0
    order = ["fresh", *(name for name in OUTCOME_LOOKS if name not in ("fresh", "hit"))]
    for name in order:
        tokens, look = outcomes.get(name, 0), OUTCOME_LOOKS[name]
        axes.barh(0, tokens, _BAR, left=at, color=look.color)
        if tokens >= _INSIDE * longest:
            axes.annotate(
                look.label, (at + tokens / 2, 0), ha="center", va="center", color="#000000", fontsize=8
            )
        at += tokens


def _step(axes: Axes, at: int, row: _Row, theme: Theme) -> None:
    color = SAVED_COLOR if row.end <= row.start else COSTS_COLOR
    low, length = min(row.start, row.end), abs(row.end - row.start)
    if row.hatched:
        axes.barh(at, length, _BAR, left=low, facecolor="none", edgecolor=color, hatch="////", linewidth=1)
    else:
        axes.barh(at, length, _BAR, left=low, color=color)


def _write(axes: Axes, at: int, row: _Row, longest: int, theme: Theme) -> None:
    """The title above the bar, its amount behind it, or before it where the bar ends too far right."""
    above: dict[str, Any] = {
        "textcoords": "offset points",
        "va": "bottom",
        "fontsize": _TYPE,
        "in_layout": False,
        "parse_math": False,
    }
    if row.code:
        axes.annotate(row.code, (0, at - _BAR / 2), xytext=(0, 2.5), fontweight="bold", **above)
    axes.annotate(row.title, (0, at - _BAR / 2), xytext=(_CODE if row.code else 0, 2.5), **above)
    axes.annotate(
        row.amount,
        (max(row.start, row.end), at),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=_TYPE,
        fontweight="bold",
    )


def _connect(axes: Axes, at: int, tokens: int, theme: Theme) -> None:
    """A hairline from the end of a bar down to the next, which begins there."""
    axes.plot([tokens, tokens], [at + _BAR / 2, at + 1 - _BAR / 2], color=theme.grid, zorder=0)
