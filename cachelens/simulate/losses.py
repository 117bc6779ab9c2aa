"""Who pushed out what was missed. In: what left a cache and what was missed there, in order. Out: evictors.

Two ways to remember it. `Losses` keeps stretches of paths in the order in which they left, which costs as
much as there were evictions, whatever their length; `Latest` keeps the last eviction of every page.
"""

from __future__ import annotations

from array import array

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.paths import Ranges


class Losses:
    """A log of stretches of paths that left a cache, and of pages that were missed. `requests`: in the trace.

    `serving` is the request in whose favor things happen; set it before they do.
    """

    def __init__(self, requests: int) -> None:
        self.serving = -1
        self._requests = requests
        self._lo, self._hi, self._by = array("q"), array("q"), array("q")
        self._asker, self._page, self._after = array("q"), array("q"), array("q")

    def lose(self, ranges: Ranges, start: int, end: int) -> None:
        """Pages [start, end) of a path have left for the sake of `serving`."""
        for hi, shift in ranges:
            if hi > start:
                upto = hi if hi < end else end
                self.lose_numbers(shift + start, shift + upto)
                start = upto
            if start >= end:
                return

    def lose_numbers(self, lo: int, hi: int) -> None:
        """The pages with numbers [lo, hi) have left for the sake of `serving`."""
        self._lo.append(lo)
        self._hi.append(hi)
        self._by.append(self.serving)

    def miss(self, ranges: Ranges, page: int) -> None:
        """`serving` missed page `page` of a path, which the cache does not hold now."""
        for hi, shift in ranges:
            if page < hi:
                self.miss_number(shift + page)
                return
        raise IndexError(f"no page {page} on this path")

    def miss_number(self, number: int) -> None:
        """`serving` missed the page with this number, which the cache does not hold now."""
        self._asker.append(self.serving)
        self._page.append(number)
        self._after.append(len(self._lo))

    def evictors(self) -> Int64:
        """Per request of the trace: for whose sake the page it missed had left last; -1 for none."""
        found = np.full(self._requests, -1, dtype=np.int64)
        points, where = np.unique(_column(self._page), return_inverse=True)
        first = np.searchsorted(points, _column(self._lo))
        last = np.searchsorted(points, _column(self._hi))
        some = np.flatnonzero(last > first)  # what was missed again by nobody does not matter
        losses = zip(
            some.tolist(),
            first[some].tolist(),
            last[some].tolist(),
            _column(self._by)[some].tolist(),
            strict=True,
        )
        newest = np.full(len(points), -1, dtype=np.int64)
        loss = next(losses, None)
        for asker, point, after in zip(self._asker, where.tolist(), self._after, strict=True):
            while loss is not None and loss[0] < after:
                newest[loss[1] : loss[2]] = loss[3]
                loss = next(losses, None)
            found[asker] = newest[point]
        return found


class Turns:
    """Numbers the turns in which requests are served. `now` is a stamp: it grows, and tells the request."""

    def __init__(self, requests: int) -> None:
        self.now = -1
        self._requests = requests
        self._turn = 0

    def begin(self, request: int) -> None:
        """What happens from here on happens for the sake of `request`."""
        self._turn += 1
        self.now = self._turn * self._requests + request

    def request(self, stamp: int) -> int:
        """The request that was served then; -1 for a stamp of -1."""
        return stamp % self._requests if stamp >= 0 else -1


class Latest:
    """When each of `pages` pages was last evicted: `at`, by number, -1 for never.

    Tiers with the same `turns` tell which of them lost a page last.
    """

    def __init__(self, pages: int, turns: Turns) -> None:
        self.turns = turns
        self.at = np.full(pages, -1, dtype=np.int64)

    def evicted(self, pages: int | Int64) -> None:
        """These pages are evicted now."""
        self.at[pages] = self.turns.now


def _column(values: array[int]) -> Int64:
    return np.frombuffer(values, dtype=np.int64) if len(values) else np.zeros(0, dtype=np.int64)
