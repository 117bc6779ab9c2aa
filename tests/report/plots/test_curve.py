"""The hit-rate curve of a result: today's cache, remedies and policies where they were found, labels apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cachelens.model.curve import CurvePoint, Series
from cachelens.model.result import Result
from cachelens.report.palette import LRU_COLOR, OPTIMAL_COLOR
from cachelens.report.plots.curve import HitRate
from tests.report import builders
from tests.report.plots.pictured import HOSTILE, drawn, overlaps, pictured, texts

#: Of 1,000 tokens LRU hits 100 at 10, 500 at 1,000 and 800 at 10,000, which is all.
POINTS = (
    CurvePoint(10, 100, 150),
    CurvePoint(1000, 500),
    CurvePoint(2000, 550, 700),
    CurvePoint(10_000, 800, 800),
)


def shown(**changes: Any) -> Result:
    values: dict[str, Any] = {
        "points": POINTS,
        "prompt_tokens": 1000,
        "ideal_hit_tokens": 800,
        "working_set": 10_000,
        "today": (2000, 540),
        "marked_capacity_tokens": 2000,
    }
    return pictured(builders.session(), builders.curve(**(values | changes)))


def line(figure: Figure, color: str, marker: str = "None") -> tuple[list[float], list[float]]:
    """Where the one line of that color runs."""
    (found,) = [
        line
        for line in figure.axes[0].lines
        if to_hex(line.get_color()) == color and str(line.get_marker()) == marker
    ]
    return list(found.get_xdata()), list(found.get_ydata())


def today(figure: Figure) -> tuple[float, float]:
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    return float(mark.get_xdata()[0]), float(mark.get_ydata()[0])


def test_lru_is_exact_between_points_and_perfect_eviction_known_at_its_marks() -> None:
    figure = drawn(HitRate(), shown())
    sizes, rates = line(figure, LRU_COLOR)
    for size, rate in ((10, 0.1), (505, 0.3), (1000, 0.5), (6000, 0.675), (12_000, 0.8)):
        assert np.interp(size, sizes, rates) == pytest.approx(rate, abs=1e-3)
    assert line(figure, OPTIMAL_COLOR, "o") == ([10, 2000, 10_000], [0.15, 0.7, 0.8])
    between, guide = line(figure, OPTIMAL_COLOR)
    assert (np.array(guide) >= np.interp(between, sizes, rates) - 1e-9).all()


def test_today_is_marked_where_it_is() -> None:
    figure = drawn(HitRate(), shown())
    assert today(figure) == (2000, 0.54)
    assert "today, 2 k: 54.0 %" in "\n".join(texts(HitRate(), shown()))
    assert "best there: 70.0 %" in "\n".join(texts(HitRate(), shown()))


@pytest.mark.parametrize("capacity", [None, 10**12])
def test_today_without_limit_is_at_the_edge(capacity: int | None) -> None:
    result = shown(today=(capacity, 800), marked_capacity_tokens=None)
    figure = drawn(HitRate(), result)
    assert today(figure) == (figure.axes[0].get_xlim()[1], 0.8)
    assert f"today, {'unlimited' if capacity is None else '1 T'}: 80.0 %" in texts(HitRate(), result)
    assert overlaps(figure) == []


def test_remedies_are_a_share_of_what_is_then_sent() -> None:
    result = shown(remedied=((10, 50), (10_000, 450)), remedied_prompt_tokens=500)
    figure = drawn(HitRate(), result)
    assert line(figure, "#882255") == ([10, 10_000], [0.1, 0.9])
    assert figure.axes[0].get_ylim()[1] > 0.9
    said = texts(HitRate(), result)
    assert "LRU with all remedies," in said
    assert "of 500 then sent" in said
    assert not any("remedies" in text for text in texts(HitRate(), shown()))


def series(*hits: int, **changes: Any) -> Series:
    values: dict[str, Any] = {"engine": "sglang", "policy": "lru", "page_size": 1}
    return Series(**(values | changes), points=tuple(zip((100, 1000, 10_000), hits, strict=True)))


def test_policies_that_are_alike_are_one_line_and_others_are_not() -> None:
    found = (series(50, 400, 800), series(51, 401, 799, policy="slru"), series(50, 300, 800, policy="fifo"))
    result = shown(series=found)
    said = texts(HitRate(), result)
    assert "lru, slru" in said
    assert "fifo" in said
    figure = drawn(HitRate(), result)
    assert line(figure, "#e69f00") == ([100, 1000, 10_000], [0.05, 0.3, 0.8])
    assert overlaps(figure) == []
    alike = tuple(series(50, 400, 800, policy=name) for name in ("lru", "lfu", "fifo"))
    assert "sglang, all 3 policies" in texts(HitRate(), shown(series=alike))


def test_the_exact_line_is_not_drawn_over_again() -> None:
    same = series(136, 500, 800, engine="lru")
    assert "lru" not in texts(HitRate(), shown(series=(same,)))
    assert "lru" in texts(HitRate(), shown(series=(series(136, 400, 800, engine="lru"),)))


def test_described() -> None:
    result = shown(remedied=((10, 50), (10_000, 450)), remedied_prompt_tokens=500)
    assert HitRate().describe(result) == (
        "Today's cache of 2 k tokens serves 54.0 % of 1.00 k prompt tokens; an infinite cache would serve 80.0 %. "
        "Perfect eviction at today's size would serve 70.0 %. LRU comes within one percentage point of the infinite "
        "cache at 10 k tokens. With all remedies LRU would serve up to 90.0 % of 500 then sent."
    )


def test_missing() -> None:
    assert HitRate().missing(builders.session()) == "The result holds no data for pictures."
    assert HitRate().missing(shown(prompt_tokens=0, points=())) == "There are no prompt tokens to show."
    assert HitRate().missing(shown()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"today": None},
        {"today": (5, 0)},
        {"today": (0, 0), "points": ()},
        {"points": (CurvePoint(0, 0, 0),), "ideal_hit_tokens": 0, "today": (None, 0)},
        {
            "series": tuple(
                series(n, 2 * n, 30 * n, engine=HOSTILE, policy=f"{HOSTILE}{n}") for n in range(1, 27)
            )
        },
        {"series": (series(1, 2, 3, policy="$a$b$"),), "kv_bytes_per_token": 1e5},
        {"points": tuple(CurvePoint(n, min(n, 800), 800) for n in range(1, 5000)), "today": (800, 800)},
    ],
)
@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_odd_curves(changes: dict[str, Any], kind: str) -> None:
    assert overlaps(drawn(HitRate(), shown(**changes), kind=kind)) == []


def test_names_are_no_formulas() -> None:
    assert "sglang $a$b$" in texts(HitRate(), shown(series=(series(1, 2, 3, policy="$a$b$"),)))
