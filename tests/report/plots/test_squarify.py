from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.report.plots.columns import columns
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.squarify import squarify

SIZES = st.lists(st.one_of(st.integers(0, 10), st.integers(0, 10**12)), max_size=40)
FRAMES = st.builds(Rect, *[st.floats(-50, 50)] * 2, *[st.floats(1, 900)] * 2)


def overlap(first: Rect, second: Rect) -> float:
    across = min(first.right, second.right) - max(first.x, second.x)
    down = min(first.bottom, second.bottom) - max(first.y, second.y)
    return max(across, 0.0) * max(down, 0.0)


def inside(box: Rect, frame: Rect) -> bool:
    slack = 1e-6
    return (
        frame.x - slack <= box.x
        and frame.y - slack <= box.y
        and box.right <= frame.right + slack
        and box.bottom <= frame.bottom + slack
    )


@given(SIZES, FRAMES)
def test_areas_are_in_proportion_fill_the_frame_and_do_not_overlap(sizes: list[int], frame: Rect) -> None:
    found = squarify(sizes, frame)
    assert len(found) == len(sizes)
    total = sum(sizes)
    for size, box in zip(sizes, found, strict=True):
        assert inside(box, frame)
        assert box.width >= 0
        assert box.height >= 0
        assert box.area == pytest.approx(frame.area * size / total if total else 0, abs=1e-6 * frame.area)
    for first, second in combinations(found, 2):
        assert overlap(first, second) <= 1e-6 * frame.area


def test_the_example_of_the_paper() -> None:
    """Areas 6, 6, 4, 3, 2, 2, 1 in 6 x 4: two columns of 3 first, then rows (Bruls, Huizing and van Wijk, 2000)."""
    found = squarify([6, 6, 4, 3, 2, 2, 1], Rect(0, 0, 6, 4))
    assert found[0] == pytest.approx(Rect(0, 0, 3, 2))
    assert found[1] == pytest.approx(Rect(0, 2, 3, 2))
    assert found[2] == pytest.approx(Rect(3, 0, 4 / (7 / 3), 7 / 3))
    assert found[3] == pytest.approx(Rect(3 + 4 / (7 / 3), 0, 3 / (7 / 3), 7 / 3))
    assert found[4] == pytest.approx(Rect(3, 7 / 3, 2 / (5 / 3), 5 / 3))


def test_equal_sizes_in_a_square_are_squares() -> None:
    assert all(box.width == pytest.approx(box.height) for box in squarify([1] * 4, Rect(0, 0, 10, 10)))


def test_order_and_refusals() -> None:
    found = squarify([1, 0, 3], Rect(0, 0, 2, 2))
    assert found[1].area == 0
    assert found[2].area == pytest.approx(3 * found[0].area)
    assert squarify([], Rect(0, 0, 1, 1)) == []
    with pytest.raises(ValueError, match="less than no area"):
        squarify([1, -1], Rect(0, 0, 1, 1))


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9), FRAMES.filter(lambda box: box.height > 200))
def test_bodies_are_in_proportion_and_headings_have_room(sizes: list[int], frame: Rect) -> None:
    found = columns(sizes, frame, 15.0, 80.0)
    scale = sum(place.body.area for place in found) / sum(sizes)
    for size, place in zip(sizes, found, strict=True):
        assert place.heading.height == 15
        assert place.heading.width == place.body.width
        assert place.heading.bottom == pytest.approx(place.body.y)
        assert place.body.area == pytest.approx(size * scale, rel=1e-6)
        assert inside(place.heading, frame)
        assert inside(place.body, frame)
    parts = [part for place in found for part in place]
    assert sum(part.area for part in parts) == pytest.approx(frame.area)
    for first, second in combinations(parts, 2):
        assert overlap(first, second) <= 1e-6 * frame.area


def test_columns_refuse_what_has_no_room() -> None:
    for sizes in ([], [0], [1] * 13):
        with pytest.raises(ValueError, match="groups"):
            columns(sizes, Rect(0, 0, 100, 100), 10, 10)
    with pytest.raises(ValueError, match="too low"):
        columns([1], Rect(0, 0, 100, 10), 10, 10)
