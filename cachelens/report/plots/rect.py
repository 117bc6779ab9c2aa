"""An upright rectangle. In: numbers of any one unit. Out: the same."""

from __future__ import annotations

from typing import NamedTuple


class Rect(NamedTuple):
    """`x`, `y`: its corner nearest the origin."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    @property
    def right(self) -> float:
        """Where it ends along x."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Where it ends along y, which runs downwards in pictures."""
        return self.y + self.height

    def within(self, margin: float) -> Rect:
        """The same, smaller by `margin` on each side, but by no more than a quarter of its width or height."""
        across, down = min(margin, self.width / 4), min(margin, self.height / 4)
        return Rect(self.x + across, self.y + down, self.width - 2 * across, self.height - 2 * down)
