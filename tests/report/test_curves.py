"""Reading a curve between its points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.model.curve import CurvePoint
from cachelens.report.curves import evaluated, lru_hits, selection
from tests.report import builders


@pytest.mark.parametrize(
    ("capacity", "hits"), [(0, 0), (50, 5), (100, 10), (150, 55), (200, 100), (10**9, 100)]
)
def test_lru_is_linear_between_points_and_flat_beyond(capacity: int, hits: float) -> None:
    points = (CurvePoint(100, 10), CurvePoint(200, 100))
    assert lru_hits(builders.curve(points=points), capacity) == hits


def test_no_points_no_hits() -> None:
    assert lru_hits(builders.curve(points=()), 5) == 0


@given(st.integers(2, 60), st.integers(3, 20), st.integers(0, 59))
def test_selection_keeps_ends_and_mark(size: int, limit: int, at: int) -> None:
    points = tuple(CurvePoint(10 * n, n, n) for n in range(1, size + 1))
    marked = 10 * (at % size + 1)
    chosen = selection(builders.curve(points=points, marked_capacity_tokens=marked), limit)
    capacities = [point.capacity_tokens for point in chosen]
    assert capacities == sorted(set(capacities))
    assert len(capacities) == min(size, limit)
    assert {10, 10 * size, marked} <= set(capacities)


def test_evaluated_leaves_out_lru_only_points_and_zero() -> None:
    points = (CurvePoint(0, 0, 0), CurvePoint(1, 1), CurvePoint(2, 1, 2))
    assert evaluated(builders.curve(points=points)) == [points[2]]
