"""Hit rate over cache size. In: a `Curve`, or a `Result` with one. Out: lines on a figure, each labelled where it runs.

LRU is exact at every size, so it is a line; perfect eviction is known at its markers only, and the thin
line between them guides the eye: linear in the size, as LRU is, and never below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, NullFormatter

from cachelens.model.curve import Curve, Series
from cachelens.model.result import Result
from cachelens.report.curves import evaluated
from cachelens.report.palette import IDEAL_COLOR, LRU_COLOR, MARK_COLOR, OPTIMAL_COLOR, SERIES_COLORS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.figure import SIZE
from cachelens.report.plots.fitting import legible
from cachelens.report.plots.labels import Labels
from cachelens.report.plots.theme import LIGHT, Theme
from cachelens.report.units import count, gib, plural, share, size

Floats = npt.NDArray[np.float64]

_SAMPLES = 1000
_BREAKPOINTS = 4000
#: Lines of caches that are nowhere farther apart than this share of the prompt tokens are drawn as one.
_ALIKE = Fraction(1, 500)
#: Other lines are labelled where they run when there are at most so many, of names of at most so many characters.
_FEW, _SHORT = 3, 30
#: Otherwise so many are listed, with so many characters of their names.
_LISTED, _LONG = 14, 48
_REMEDIED_COLOR = "#882255"
_TODAY_SIDES = (
    ("right", "top"),
    ("right", "bottom"),
    ("right", "center"),
    ("left", "center"),
    ("left", "bottom"),
    ("left", "top"),
)


class HitRate:
    """What a larger cache would have served: see `draw`."""

    name: ClassVar[str] = "curve"
    title: ClassVar[str] = "Hit rate over cache size"

    def missing(self, result: Result) -> str | None:
        """Why there is no curve to draw."""
        if result.pictures is None:
            return "The result holds no data for pictures."
        if not result.pictures.curve.prompt_tokens:
            return "There are no prompt tokens to show."
        return None

    def size(self, result: Result) -> tuple[float, float]:
        """Inches; the same for all."""
        return SIZE

    def describe(self, result: Result) -> str:
        """Today's hit rate, and what an infinite cache and perfect eviction and all remedies would make of it."""
        if result.pictures is None:
            return ""
        return " ".join(_sentences(result.pictures.curve))

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw the curve of a result that is not `missing`."""
        if result.pictures is not None:
            draw(figure, result.pictures.curve, options.theme)


def draw(figure: Figure, curve: Curve, theme: Theme = LIGHT) -> None:
    """Draw `curve` on an empty figure: LRU, perfect eviction, the infinite cache, other caches, and what is marked.

    Marked are the size that was asked for, or that of today's cache, and the curve once all remedies are followed.
    """
    axes = figure.add_subplot()
    prompt = max(curve.prompt_tokens, 1)
    ideal = curve.ideal_hit_tokens / prompt
    lru = _lru(curve, prompt)
    known = evaluated(curve)
    best = _Line(
        np.array([point.capacity_tokens for point in known], dtype=np.float64),
        np.array([point.optimal_hit_tokens or 0 for point in known], dtype=np.float64) / prompt,
    )
    remedied = _remedied(curve)
    axes.axhline(ideal, color=IDEAL_COLOR, linewidth=1, linestyle=(0, (4, 3)))
    others = _others(axes, curve, lru, prompt)
    guide = _guide(best, lru)
    axes.plot(*guide, color=OPTIMAL_COLOR, linewidth=1)
    if len(remedied.rates):
        axes.plot(*remedied, color=_REMEDIED_COLOR, linewidth=1.6, linestyle=(0, (6, 2)))
    axes.plot(*lru, color=LRU_COLOR, linewidth=2)
    axes.plot(*best, color=OPTIMAL_COLOR, linestyle="none", marker="o", markersize=3.5)
    top = max(ideal, float(remedied.rates.max(initial=0)), 0.01)
    _axes(axes, curve, lru.sizes, top, theme)
    today = _today(axes, curve, theme)
    # more of them, or with long names, run too close together to be labelled one by one
    direct = len(others) <= _FEW and all(len(other.name) <= _SHORT for other in others)
    texts: list[Any] = _mark(axes, curve, lru.sizes)
    if others and not direct:
        texts.append(_legend(axes, len(others)))
    _bytes_axis(axes, curve)
    labels = Labels(
        axes,
        [
            lru,
            guide,
            remedied,
            *(other.line for other in others),
            ([lru.sizes[0], lru.sizes[-1]], [ideal, ideal]),
        ],
        [today] if today else (),
    )
    for text in texts:
        labels.keep_clear(text)
    _label(axes, curve, labels, lru, guide, remedied)
    low, high = axes.get_xlim()
    for other in others if direct else ():
        labels.beside(other.name, _along(other.line, low, high), color=other.color, fontsize=9)


class _Line(NamedTuple):
    """Sizes, and hit rates there."""

    sizes: Floats
    rates: Floats

    def at(self, sizes: Floats) -> Floats:
        """Rates at other sizes, linear in the size."""
        return np.interp(sizes, self.sizes, self.rates)


_LEGEND: Final[dict[str, Any]] = {
    "loc": "lower right",
    "fontsize": 8,
    "frameon": False,
    "labelcolor": "linecolor",
    "handlelength": 1.5,
}


def _sentences(curve: Curve) -> Iterator[str]:
    prompt = curve.prompt_tokens
    if curve.today is not None:
        capacity, hits = curve.today
        held = f"{size(capacity)} {curve.unit}" if capacity is not None else "unlimited size"
        yield f"Today's cache of {held} serves {share(hits, prompt)} of {count(prompt)} prompt {curve.unit};"
    yield f"an infinite cache would serve {share(curve.ideal_hit_tokens, prompt)}."
    at = _best_at(curve)
    if at is not None:
        yield f"Perfect eviction at today's size would serve {share(at, prompt)}."
    if curve.points and (enough := _enough(curve)) is not None:
        yield f"LRU comes within one percentage point of the infinite cache at {size(enough)} {curve.unit}."
    if curve.remedied and curve.remedied_prompt_tokens:
        most = max(hits for _, hits in curve.remedied)
        sent = curve.remedied_prompt_tokens
        yield f"With all remedies LRU would serve up to {share(most, sent)} of {count(sent)} then sent."


def _best_at(curve: Curve) -> int | None:
    """Hit tokens of perfect eviction at today's size."""
    if curve.today is None:
        return None
    found = (p.optimal_hit_tokens for p in curve.points if p.capacity_tokens == curve.today[0])
    return next(found, None)


def _enough(curve: Curve) -> int | None:
    """The smallest known size at which LRU misses at most a hundredth of the prompt more than an infinite cache."""
    least = curve.ideal_hit_tokens - curve.prompt_tokens // 100
    return next((p.capacity_tokens for p in curve.points if p.lru_hit_tokens >= least), None)


def _axes(axes: Axes, curve: Curve, sizes: Floats, top: float, theme: Theme) -> None:
    axes.set_xscale("log")
    axes.set_xlim(sizes[0], sizes[-1])
    axes.set_ylim(0, top * 1.18)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(round(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    axes.grid(color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    pages = f", pages of {curve.page_size:,} tokens" if curve.page_size > 1 else ""
    axes.set_xlabel(f"cache size in {curve.unit}{pages}")
    axes.set_title(
        f"prompt {curve.unit} hit, of {count(curve.prompt_tokens)} in {plural(curve.trace.requests, 'request')}",
        loc="left",
        fontsize=11,
    )


def _lru(curve: Curve, prompt: int) -> _Line:
    """LRU at sizes spaced evenly on the logarithmic axis, and at its breakpoints unless there are too many.

    It is linear in the size, so straight lines between far points would be wrong on this axis.
    """
    at = np.array([point.capacity_tokens for point in curve.points], dtype=np.float64)
    hits = np.array([point.lru_hit_tokens for point in curve.points], dtype=np.float64)
    if not len(at) or at[0] > 0:
        at, hits = np.concatenate(([0.0], at)), np.concatenate(([0.0], hits))
    rising = at[hits > 0]
    low = max(float(rising[0]) / 3 if len(rising) else 1.0, 1.0)
    high = max(float(at[-1]) * 1.3, low * 10)
    sizes = np.geomspace(low, high, _SAMPLES)
    if len(at) <= _BREAKPOINTS:
        sizes = np.union1d(sizes, at[at > low])
    return _Line(sizes, np.interp(sizes, at, hits) / prompt)


def _guide(best: _Line, lru: _Line) -> _Line:
    if not len(best.sizes):
        return _Line(best.sizes, best.rates)
    between = lru.sizes[(lru.sizes >= best.sizes[0]) & (lru.sizes <= best.sizes[-1])]
    return _Line(between, np.maximum(best.at(between), lru.at(between)))


def _remedied(curve: Curve) -> _Line:
    found = np.array(curve.remedied, dtype=np.float64).reshape(-1, 2)
    return _Line(found[:, 0], found[:, 1] / max(curve.remedied_prompt_tokens, 1))


def _legend(axes: Axes, lines: int) -> Legend:
    """Names of other lines, where curves that rise leave room; how many more there are."""
    handles, names = axes.get_legend_handles_labels()
    if lines > _LISTED:
        handles = [*handles[:_LISTED], Line2D([], [], linestyle="none", color=axes.title.get_color())]
        names = [*names[:_LISTED], f"{lines - _LISTED:,} more"]
    legend: Legend = axes.legend(handles, names, **_LEGEND)
    legend.set_in_layout(False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


class _Others(NamedTuple):
    """Caches whose lines are alike: what they are called, how they are drawn, where they run."""

    name: str
    color: str
    line: _Line


def _others(axes: Axes, curve: Curve, lru: _Line, prompt: int) -> list[_Others]:
    """Draw the lines of engines and policies, those that are alike as one, without those that are plain LRU."""
    groups: list[tuple[tuple[tuple[int, int], ...], list[str]]] = []
    several = len({series.engine for series in curve.series}) > 1 or len(curve.series) == 1
    for series in curve.series:
        if not series.points or _is_lru(curve, series, lru, prompt):
            continue
        page = f", pages of {series.page_size}" if series.page_size > 1 else ""
        engine = f"{series.engine} " if several and series.engine != series.policy else ""
        name = f"{engine}{series.policy}{page}"
        same = next((names for points, names in groups if _alike(points, series.points, prompt)), None)
        if same is None:
            groups.append((series.points, [name]))
        else:
            same.append(name)
    groups.sort(key=lambda group: -sum(hits for _, hits in group[0]) / len(group[0]))
    drawn = []
    for number, (points, names) in enumerate(groups):
        found = np.array(points, dtype=np.float64)
        line = _Line(found[:, 0], found[:, 1] / prompt)
        color = SERIES_COLORS[number % len(SERIES_COLORS)]
        name = ", ".join(names)
        if len(groups) == 1 and len(names) > 2 and not several:
            name = f"{curve.series[0].engine}, all {len(names)} policies"
        style = ("-", "--", ":")[number // len(SERIES_COLORS) % 3]
        shown = legible(name, _LONG)
        axes.plot(*line, color=color, linewidth=1.2, linestyle=style, label=shown)
        drawn.append(_Others(shown, color, line))
    return drawn


def _is_lru(curve: Curve, series: Series, lru: _Line, prompt: int) -> bool:
    """Whether a line is the exact one over again, known at fewer sizes."""
    if (series.engine, series.policy, series.page_size) != ("lru", "lru", curve.page_size):
        return False
    at, hits = np.array(series.points, dtype=np.float64).T
    return bool((np.abs(hits / prompt - lru.at(at)) <= float(_ALIKE)).all())


def _alike(one: tuple[tuple[int, int], ...], other: tuple[tuple[int, int], ...], prompt: int) -> bool:
    return len(one) == len(other) and all(
        here == there and abs(hits - others) <= _ALIKE * prompt
        for (here, hits), (there, others) in zip(one, other, strict=True)
    )


def _bytes_axis(axes: Axes, curve: Curve) -> None:
    """The same sizes in bytes of KV cache, above, when a model was chosen."""
    per_token = curve.kv_bytes_per_token
    if per_token is None:
        return
    above = axes.twiny()
    above.set_xscale("log")
    low, high = (edge * per_token for edge in axes.get_xlim())
    ticks = [2.0**power for power in range(20, 61, 2) if low <= 2.0**power <= high]
    above.set_xlim(low, high)
    above.set_xticks(ticks, [gib(tick) for tick in ticks], fontsize=8)
    above.xaxis.set_minor_formatter(NullFormatter())


def _mark(axes: Axes, curve: Curve, sizes: Floats) -> list[Text]:
    """The size that was asked for: a line, and both rates there. Not drawn where it is that of today's cache."""
    marked = curve.marked_capacity_tokens
    if marked is None or not sizes[0] <= marked <= sizes[-1] or curve.today is not None:
        return []
    axes.axvline(marked, color=MARK_COLOR, linewidth=1)
    right = np.log(marked / sizes[0]) < 0.5 * np.log(sizes[-1] / sizes[0])
    point = next(point for point in curve.points if point.capacity_tokens == marked)
    text = f"{size(marked)}: LRU {share(point.lru_hit_tokens, curve.prompt_tokens)}"
    if point.optimal_hit_tokens is not None:
        text += f", best {share(point.optimal_hit_tokens, curve.prompt_tokens)}"
    return [
        axes.annotate(
            text,
            (marked, 0.99),
            xycoords=("data", "axes fraction"),
            xytext=(5 if right else -5, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="top",
            color=MARK_COLOR,
        )
    ]


def _today(axes: Axes, curve: Curve, theme: Theme) -> tuple[float, float] | None:
    """A mark where today's cache is: at the right edge when it is unlimited or larger than all that is drawn."""
    if curve.today is None:
        return None
    capacity, hits = curve.today
    low, high = axes.get_xlim()
    at = high if capacity is None else min(max(capacity, low), high)
    rate = hits / max(curve.prompt_tokens, 1)
    axes.vlines(at, 0, rate, color=theme.ink, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.plot([at], [rate], marker="D", markersize=8, color=theme.ink, clip_on=False, zorder=5)
    return at, rate


def _label(axes: Axes, curve: Curve, labels: Labels, lru: _Line, guide: _Line, remedied: _Line) -> None:
    """Names beside what they name, what stands alone first."""
    prompt, theme_ink = max(curve.prompt_tokens, 1), axes.title.get_color()
    low, high = axes.get_xlim()
    if curve.today is not None:
        capacity, hits = curve.today
        held = "unlimited" if capacity is None else size(capacity)
        text = f"today, {held}: {share(hits, curve.prompt_tokens)}"
        if (best := _best_at(curve)) is not None:
            text += f"\nbest there: {share(best, curve.prompt_tokens)}"
        at = high if capacity is None else min(max(capacity, low), high)
        sides = _TODAY_SIDES if at > np.sqrt(low * high) else _TODAY_SIDES[::-1]
        labels.beside(text, [(at, hits / prompt)], sides, color=theme_ink, fontweight="bold", fontsize=9)
    ideal = curve.ideal_hit_tokens / prompt
    along = [(float(x), ideal) for x in np.geomspace(low, high, 12)[:-1]]
    text = f"infinite cache: {share(curve.ideal_hit_tokens, curve.prompt_tokens)}"
    labels.beside(text, along, (("left", "bottom"), ("left", "top")), color=IDEAL_COLOR, fontsize=9)
    for text, line, color in (
        ("LRU", lru, LRU_COLOR),
        ("perfect eviction", guide, OPTIMAL_COLOR),
        (_remedied_text(curve), remedied, _REMEDIED_COLOR),
    ):
        if len(line.rates):
            labels.beside(text, _along(line, low, high), color=color, fontweight="bold", fontsize=9)


def _remedied_text(curve: Curve) -> str:
    text = "LRU with all remedies"
    if curve.remedied_prompt_tokens != curve.prompt_tokens:
        text += f",\nof {count(curve.remedied_prompt_tokens)} then sent"
    return text


def _along(line: _Line, low: float, high: float) -> list[tuple[float, float]]:
    """Places along a line, those in its middle first."""
    sizes = np.geomspace(low, high, 41)[4:-4]
    sizes = sizes[(sizes >= line.sizes[0]) & (sizes <= line.sizes[-1])]
    if not len(sizes):
        sizes = line.sizes[len(line.sizes) // 2 :][:1]
    places = list(zip(sizes.tolist(), line.at(sizes).tolist(), strict=True))
    middle = len(places) // 2
    order = sorted(range(len(places)), key=lambda at: (abs(at - middle), at))
    return [places[at] for at in order]
