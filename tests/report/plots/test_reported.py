"""Predicted against reported: points where the rows say, counts that are theirs, the worst by their numbers."""

from __future__ import annotations

from matplotlib.colors import to_hex

from cachelens.report.plots.reported import Reported
from tests.report import builders
from tests.report.plots.pictured import drawn, overlaps, texts


def told(*pairs: tuple[int | None, int | None, str | None]) -> builders.Result:
    return builders.result(
        builders.row(
            number,
            {"fresh": 10},
            expected_cached_tokens=expected,
            reported_cached_tokens=reported,
            expected=verdict,
        )
        for number, (expected, reported, verdict) in enumerate(pairs, start=1)
    )


MIXED = told(
    (None, None, None),
    (100, 100, "as expected"),
    (1000, 400, "less"),
    (200, 250, "more"),
    (5000, 0, "less"),
    (300, 310, "as expected"),
    (None, 70, "more"),
)


def test_points_are_where_the_rows_say_by_verdict() -> None:
    axes = drawn(Reported(), MIXED).axes[0]
    points = {
        (line.get_marker(), to_hex(line.get_color())): sorted(zip(*line.get_data(), strict=True))
        for line in axes.lines
        if line.get_linestyle() == "None"
    }
    assert points == {
        ("o", "#0072b2"): [(100, 100), (300, 310)],
        ("v", "#d55e00"): [(1000, 400), (5000, 0)],
        ("^", "#009e73"): [(200, 250)],
    }
    assert axes.get_xlim() == axes.get_ylim()
    low, high = axes.get_window_extent().size
    assert abs(low - high) < 2  # the diagonal is at 45 degrees


def test_counts_and_the_worst_by_number() -> None:
    said = texts(Reported(), MIXED)
    for text in ("5 requests with reports", "2 as expected (40.0 %)", "2 less (40.0 %)", "1 more (20.0 %)"):
        assert text in said
    listed = [text for text in said if text.endswith((" less", " more"))]
    assert listed == ["5: 5.00 k less", "3: 600 less", "4: 50 more"]


def test_described() -> None:
    assert Reported().describe(MIXED) == (
        "Of 5 requests whose server reported cached tokens: 2 as expected, 2 less, 1 more. 6.60 k tokens were "
        "predicted, 1.06 k reported. Farthest off is request 5, by 5.00 k less."
    )


def test_all_as_expected() -> None:
    result = told((0, 0, "as expected"))
    said = texts(Reported(), result)
    assert "1 request with reports" in said
    assert "0 less" in said
    assert "farthest off, by request number" not in said
    assert "Farthest" not in Reported().describe(result)


def test_missing() -> None:
    assert Reported().missing(told((None, None, None))) == "No server reported how many tokens it had cached."
    assert Reported().missing(MIXED) is None


def test_many() -> None:
    rows = [(7 * n, (7 * n if n % 9 else 0), "as expected" if n % 9 else "less") for n in range(2000)]
    figure = drawn(Reported(), told(*rows), kind="png")
    assert overlaps(figure) == []
    assert max(text.get_window_extent().x1 for text in figure.axes[0].texts) <= figure.bbox.width
