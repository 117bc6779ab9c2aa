"""Predicted against reported. In: requests whose server said what it had cached. Out: a point for each, by verdict.

On the diagonal the server cached what the simulated cache would have; below it less, above it more. Both are in the
server's own count of tokens, and the verdict is that of the analysis, which allows for what servers round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cachelens.model.result import Result
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.labels import Labels
from cachelens.report.plots.theme import Theme
from cachelens.report.units import count, exact, plural, share, size

_SIZE = (8.0, 5.4)
#: Left, bottom, width and height of the points, as shares of the figure.
_SQUARE = (0.6 / 8.0, 0.6 / 5.4, 4.4 / 8.0, 4.4 / 5.4)
#: Outliers that are named.
_NAMED = 5


class _Verdict(NamedTuple):
    """How requests of a verdict look, and what is written beside their number."""

    color: str
    marker: str
    words: str


_VERDICTS: Final = {
    "as expected": _Verdict(OUTCOME_LOOKS["hit"].color, "o", "as expected"),
    "less": _Verdict(OUTCOME_LOOKS["divergence"].color, "v", "less"),
    "more": _Verdict(OUTCOME_LOOKS["routing"].color, "^", "more"),
}


class _Told(NamedTuple):
    """A request by its number in order of start, from 1: tokens predicted and reported."""

    number: int
    expected: int
    reported: int
    verdict: str


class Reported:
    """What the simulated cache would have served against what servers say they did."""

    name: ClassVar[str] = "reported"
    title: ClassVar[str] = "Predicted against reported cached tokens"

    def missing(self, result: Result) -> str | None:
        """Why there is nothing to compare."""
        return None if _told(result) else "No server reported how many tokens it had cached."

    def size(self, result: Result) -> tuple[float, float]:
        """Inches; the same for all."""
        return _SIZE

    def describe(self, result: Result) -> str:
        """How many requests are as expected, and the worst of those that are not."""
        told = _told(result)
        numbers = ", ".join(
            f"{exact(sum(one.verdict == name for one in told))} {look.words}"
            for name, look in _VERDICTS.items()
        )
        text = f"Of {plural(len(told), 'request')} whose server reported cached tokens: {numbers}."
        predicted, reported = sum(one.expected for one in told), sum(one.reported for one in told)
        text += f" {count(predicted)} tokens were predicted, {count(reported)} reported."
        if worst := _worst(told):
            text += f" Farthest off is request {exact(worst[0].number)}, by {_apart(worst[0])}."
        return text

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw the points of a result that is not `missing`."""
        theme, told = options.theme, _told(result)
        figure.set_layout_engine("none")  # square, with room for words beside it
        axes = figure.add_axes(_SQUARE)
        most = max(1, *(max(one.expected, one.reported) for one in told))
        edge = most * 1.04
        many = len(told) > 300
        for verdict, look in _VERDICTS.items():
            chosen = [one for one in told if one.verdict == verdict]
            axes.plot(
                [one.expected for one in chosen],
                [one.reported for one in chosen],
                linestyle="none",
                marker=look.marker,
                markersize=4 if many else 6,
                color=look.color,
                alpha=0.4 if many else 0.7,
                markeredgewidth=0,
                clip_on=False,
                zorder=3,
            )
        axes.plot([0, edge], [0, edge], color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(0, edge)
        axes.set_ylim(0, edge)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
            axis.set_major_formatter(FuncFormatter(lambda value, _: size(round(value))))
        axes.grid(color=theme.grid, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("cached tokens predicted, in the server's count")
        axes.set_title("cached tokens reported by the server", loc="left", fontsize=11)
        labels = Labels(
            axes,
            [([0, edge], [0, edge])],
            [([one.expected for one in told], [one.reported for one in told])],
        )
        worst = _worst(told)[:_NAMED]
        for one in worst:
            color = _VERDICTS[one.verdict].color
            place = [(one.expected, one.reported)]
            labels.beside(exact(one.number), place, must=False, color=color, fontsize=8)
        diagonal = [(edge * part, edge * part) for part in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)]
        sides = (("right", "bottom"), ("left", "top"))
        labels.beside("as predicted", diagonal, sides, must=False, color=theme.muted, fontsize=9)
        _beside(axes, told, worst, theme)


def _beside(axes: Axes, told: Sequence[_Told], worst: Sequence[_Told], theme: Theme) -> None:
    """Right of the points: how many requests of each verdict, and the worst by their numbers."""
    lines = [(f"{plural(len(told), 'request')} with reports", theme.ink, "bold")]
    for verdict, look in _VERDICTS.items():
        number = sum(one.verdict == verdict for one in told)
        text = f"{exact(number)} {look.words}" + (f" ({share(number, len(told))})" if number else "")
        lines.append((text, look.color if number else theme.muted, "bold" if number else "normal"))
    if worst:
        lines += [("", theme.ink, "normal"), ("farthest off, by request number", theme.ink, "normal")]
        lines += [
            (f"{exact(one.number)}: {_apart(one)}", _VERDICTS[one.verdict].color, "normal") for one in worst
        ]
    for at, (text, color, weight) in enumerate(lines):
        axes.annotate(
            text,
            (1, 1),
            xycoords="axes fraction",
            xytext=(16, -17 * at),
            textcoords="offset points",
            va="top",
            color=color,
            fontsize=9,
            fontweight=weight,
        )


def _told(result: Result) -> list[_Told]:
    return [
        _Told(number, row.expected_cached_tokens, row.reported_cached_tokens, row.expected)
        for number, row in enumerate(result.requests, start=1)
        if row.expected in _VERDICTS
        and row.expected_cached_tokens is not None
        and row.reported_cached_tokens is not None
    ]


def _worst(told: Sequence[_Told]) -> list[_Told]:
    """Those that are not as expected, farthest off first."""
    off = (one for one in told if one.verdict != "as expected")
    return sorted(off, key=lambda one: (-abs(one.reported - one.expected), one.number))


def _apart(one: _Told) -> str:
    return f"{count(abs(one.reported - one.expected))} {one.verdict}"
