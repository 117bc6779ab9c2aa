"""The bridge: bars begin where those before them end, and nothing is claimed that was not replayed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from cachelens.model.pictures import BridgeStep
from cachelens.report.plots.bridge import COSTS_COLOR, SAVED_COLOR, Bridge
from tests.report import builders
from tests.report.plots.pictured import HOSTILE, drawn, overlaps, pictured, step, texts

#: 1,000 fresh, 600 diverged and 400 evicted tokens are computed.
ROWS = (
    builders.row(1, {"fresh": 1000}),
    builders.row(2, {"hit": 500, "divergence": 600}),
    builders.row(3, {"hit": 700, "capacity": 400}),
)


def bars(*steps: BridgeStep) -> list[tuple[int, int, int, str, bool]]:
    """Row, from, to, color and whether hatched, of each bar that has a length."""
    figure = drawn(Bridge(), pictured(builders.result(ROWS), bridge=steps))
    found = []
    for bar in figure.axes[0].patches:
        color = to_hex(bar.get_edgecolor() if bar.get_hatch() else bar.get_facecolor())
        row = round(bar.get_y() + bar.get_height() / 2)
        if bar.get_width():
            left = round(bar.get_x())
            found.append((row, left, left + round(bar.get_width()), color, bool(bar.get_hatch())))
    return found


def test_bars_lead_from_today_to_what_is_left() -> None:
    assert bars(step(1500), step(1200, changes_input=True), step(1300)) == [
        (0, 0, 1000, "#999999", False),
        (0, 1000, 1600, "#d55e00", False),
        (0, 1600, 2000, "#e69f00", False),
        (1, 1500, 2000, SAVED_COLOR, False),
        (2, 1200, 1500, SAVED_COLOR, True),
        (3, 1200, 1300, COSTS_COLOR, False),
        (4, 0, 1300, "#666666", False),
        (5, 0, 1000, "#999999", False),
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 2500), min_size=1, max_size=6))
def test_steps_add_up(computed: list[int]) -> None:
    steps = [(left, right) for row, left, right, *_ in bars(*map(step, computed)) if 0 < row <= len(computed)]
    assert sum(right - left for left, right in steps) == sum(
        abs(a - b) for a, b in zip([2000, *computed], computed, strict=False)
    )


def test_amounts_are_said_with_sign_and_share() -> None:
    said = texts(Bridge(), pictured(builders.result(ROWS), bridge=(step(1500), step(1510, code="CL204"))))
    for text in ("2.00 k", "−500 (25.0 %)", "+10 (0.5 %)", "1.51 k", "1.00 k", "CL101", "CL204"):
        assert text in said
    assert "a time in the system prompt changes" in said
    assert not any("hatched" in text for text in said)


def test_what_changes_the_input_is_said_to_be_a_bound() -> None:
    said = texts(Bridge(), pictured(builders.result(ROWS), bridge=(step(1500, changes_input=True),)))
    assert "computed tokens; hatched steps change what the model sees: at most" in said


def test_nothing_to_save() -> None:
    result = pictured(builders.result(ROWS))
    assert bars()[3:] == [(2, 0, 2000, "#666666", False), (3, 0, 1000, "#999999", False)]
    assert "no remedy saves computed tokens" in texts(Bridge(), result)
    assert Bridge().describe(result).endswith("No remedy saves any.")


def test_described() -> None:
    words = Bridge().describe(pictured(builders.result(ROWS), bridge=(step(1500), step(1200))))
    assert words == (
        "2.00 k tokens are computed today, 1.00 k of them fresh. Following 2 steps of remedies, one after the other, "
        "leaves 1.20 k: −800 (40.0 %). The first, CL101, changes it by −500 (25.0 %)."
    )


def test_missing() -> None:
    assert Bridge().missing(builders.result(ROWS)) == "The result holds no data for pictures."
    assert Bridge().missing(pictured(builders.result(()))) == "There are no prompt tokens to show."
    assert Bridge().missing(pictured(builders.result(ROWS))) is None


def test_all_served_and_nothing_computed() -> None:
    assert texts(Bridge(), pictured(builders.result([builders.row(1, {"hit": 9})])))


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_hostile_titles_and_many_steps_stay_apart(kind: str) -> None:
    steps = [
        step(2000 - 150 * n, title=HOSTILE, code=HOSTILE if n == 3 else f"CL10{n}") for n in range(1, 13)
    ]
    result = pictured(builders.result(ROWS), bridge=steps)
    figure = drawn(Bridge(), result, kind=kind)
    assert overlaps(figure) == []
    edge = figure.bbox.width
    assert max(text.get_window_extent().x1 for text in figure.axes[0].texts) <= edge
    assert any(text.startswith("$x^{2$ $\\frac{1}$ \ufffd") for text in texts(Bridge(), result))
