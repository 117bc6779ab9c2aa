"""Hit rate over cache size. In: a `Curve`. Out: lines on a figure, each labelled where it runs.

LRU is exact at every size, so it is a line; perfect eviction is known at its markers only, and the thin
line between them guides the eye: linear in the size, as LRU is, and never below it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from cachelens.model.curve import Curve
from cachelens.report.curves import evaluated
from cachelens.report.palette import IDEAL_COLOR, LRU_COLOR, MARK_COLOR, OPTIMAL_COLOR, SERIES_COLORS
from cachelens.report.units import count, gib, plural, share, size

Floats = npt.NDArray[np.float64]

_SAMPLES = 1000
_BREAKPOINTS = 4000


def draw(figure: Figure, curve: Curve) -> None:
    """Draw `curve` on an empty figure: LRU, perfect eviction, the infinite cache and the marked size."""
    axes = figure.add_subplot()
    prompt = max(curve.prompt_tokens, 1)
    known = evaluated(curve)
    ideal = curve.ideal_hit_tokens / prompt
    sizes, rates = _lru(curve, prompt)
    axes.axhline(ideal, color=IDEAL_COLOR, linewidth=1, linestyle=(0, (4, 3)))
    best_sizes = np.array([point.capacity_tokens for point in known], dtype=np.float64)
    best = np.array([point.optimal_hit_tokens or 0 for point in known], dtype=np.float64) / prompt
    if len(best):
        between = sizes[(sizes >= best_sizes[0]) & (sizes <= best_sizes[-1])]
        guide = np.maximum(np.interp(between, best_sizes, best), np.interp(between, sizes, rates))
        axes.plot(between, guide, color=OPTIMAL_COLOR, linewidth=1)
    axes.plot(sizes, rates, color=LRU_COLOR, linewidth=2)
    axes.plot(best_sizes, best, color=OPTIMAL_COLOR, linestyle="none", marker="o", markersize=3.5)
    lines = _series(axes, curve, prompt)
    axes.set_xscale("log")
    axes.set_xlim(sizes[0], sizes[-1])
    axes.set_ylim(0, max(ideal, 0.01) * 1.18)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(round(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    pages = f", pages of {curve.page_size:,} tokens" if curve.page_size > 1 else ""
    axes.set_xlabel(f"cache size in {curve.unit}{pages}")
    axes.set_title(
        f"prompt {curve.unit} hit, of {count(curve.prompt_tokens)} in {plural(curve.trace.requests, 'request')}",
        loc="left",
        fontsize=11,
    )
    if lines:
        # Lines of real caches run too close together to be labelled one by one.
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    _label_lines(axes, curve, sizes, rates, best_sizes, best)
    _mark(axes, curve, sizes)
    _bytes_axis(axes, curve)


def _lru(curve: Curve, prompt: int) -> tuple[Floats, Floats]:
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
    return sizes, np.interp(sizes, at, hits) / prompt


def _series(axes: Axes, curve: Curve, prompt: int) -> int:
    """The lines of other engines and policies; how many there are."""
    drawn = 0
    for number, series in enumerate(curve.series):
        if not series.points:
            continue
        at, hits = zip(*series.points, strict=True)
        page = f", pages of {series.page_size}" if series.page_size > 1 else ""
        axes.plot(
            at,
            [tokens / prompt for tokens in hits],
            color=SERIES_COLORS[number % len(SERIES_COLORS)],
            linewidth=1.2,
            linestyle=("-", "--", ":")[number // len(SERIES_COLORS) % 3],
            label=f"{series.engine} {series.policy}{page}",
        )
        drawn += 1
    return drawn


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


def _label_lines(
    axes: Axes, curve: Curve, sizes: Floats, rates: Floats, best_sizes: Floats, best: Floats
) -> None:
    """Names beside the lines: above and below where they are farthest apart, since both only rise."""
    ideal = share(curve.ideal_hit_tokens, curve.prompt_tokens)
    axes.annotate(
        f"infinite cache: {ideal}",
        (0, curve.ideal_hit_tokens / max(curve.prompt_tokens, 1)),
        xycoords=("axes fraction", "data"),
        xytext=(6, 3),
        textcoords="offset points",
        color=IDEAL_COLOR,
    )
    along = np.log(sizes / sizes[0]) / np.log(sizes[-1] / sizes[0])
    inside = (along > 0.25) & (along < 0.85)
    if curve.marked_capacity_tokens:  # keep clear of the line that marks it
        inside &= np.abs(np.log(sizes / curve.marked_capacity_tokens)) > 0.2 * np.log(sizes[-1] / sizes[0])
    apart = np.interp(sizes, best_sizes, best) - rates if len(best) else rates
    gap = np.where(inside, apart, -1.0)
    at = int(np.argmax(gap))
    room = rates[at] > 0.08 * axes.get_ylim()[1]
    axes.annotate(
        "LRU",
        (sizes[at], rates[at]),
        xytext=(8, -6) if room else (-8, 5),
        textcoords="offset points",
        color=LRU_COLOR,
        va="top" if room else "bottom",
        ha="left" if room else "right",
        fontweight="bold",
    )
    if len(best):
        axes.annotate(
            "perfect eviction",
            (sizes[at], float(np.interp(sizes[at], best_sizes, best))),
            xytext=(-8, 5),
            textcoords="offset points",
            color=OPTIMAL_COLOR,
            ha="right",
            fontweight="bold",
        )


def _mark(axes: Axes, curve: Curve, sizes: Floats) -> None:
    """The capacity that was asked for: a line, and both rates there."""
    marked = curve.marked_capacity_tokens
    if marked is None or not sizes[0] <= marked <= sizes[-1]:
        return
    axes.axvline(marked, color=MARK_COLOR, linewidth=1)
    right = np.log(marked / sizes[0]) < 0.5 * np.log(sizes[-1] / sizes[0])
    point = next(point for point in curve.points if point.capacity_tokens == marked)
    text = f"{size(marked)}: LRU {share(point.lru_hit_tokens, curve.prompt_tokens)}"
    if point.optimal_hit_tokens is not None:
        text += f", best {share(point.optimal_hit_tokens, curve.prompt_tokens)}"
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
