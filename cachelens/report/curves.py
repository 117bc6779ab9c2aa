"""Reading a hit-rate curve. In: a `Curve`. Out: hits at any capacity, and a choice of points."""

from __future__ import annotations

from bisect import bisect_right

from cachelens.model.curve import Curve, CurvePoint


def lru_hits(curve: Curve, capacity: float) -> float:
    """Hit tokens of least-recently-used at `capacity`: linear between points, flat beyond the last one.

    Below the first point the curve goes to 0 hits at 0 tokens.
    """
    points = curve.points
    at = bisect_right(points, capacity, key=lambda point: point.capacity_tokens)
    if at == len(points):
        return float(points[-1].lru_hit_tokens) if points else 0.0
    left = points[at - 1] if at else CurvePoint(0, 0, 0)
    right = points[at]
    step = right.capacity_tokens - left.capacity_tokens
    part = (capacity - left.capacity_tokens) / step if step else 0.0
    return left.lru_hit_tokens + part * (right.lru_hit_tokens - left.lru_hit_tokens)


def evaluated(curve: Curve) -> list[CurvePoint]:
    """The points at which perfect eviction is known, above capacity 0, by capacity."""
    return [
        point for point in curve.points if point.optimal_hit_tokens is not None and point.capacity_tokens > 0
    ]


def selection(curve: Curve, limit: int) -> list[CurvePoint]:
    """At most `limit` (3 or more) evaluated points, evenly spaced, with both ends and the marked one."""
    known = evaluated(curve)
    if len(known) <= limit:
        return known
    chosen = {round(at * (len(known) - 1) / (limit - 1)) for at in range(limit)}
    marked = [at for at, point in enumerate(known) if point.capacity_tokens == curve.marked_capacity_tokens]
    for at in marked:
        if at not in chosen:
            inner = sorted(chosen)[1:-1]
            chosen -= set(sorted(inner, key=lambda other: (abs(other - at), other))[:1])
            chosen.add(at)
    return [known[at] for at in sorted(chosen)]
