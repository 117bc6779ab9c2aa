"""Prompts as a few ranges of page numbers. In: a forest and a page size. Out: the pages of any path.

Every page of the forest (the `page` tokens that end at a multiple of `page` tokens of depth) gets one
number, consecutive along each heavy path. A path from the root is then a handful of ranges of numbers,
two paths share a page exactly when they share its number, and what a cache holds fits flat arrays.
"""

from __future__ import annotations

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.forest import Forest

#: Ranges of a path, root first: pages below `hi` (and not in an earlier range) are numbered `shift` + page.
Ranges = tuple[tuple[int, int], ...]


class Paths:
    """Numbers for the pages of a forest. `size` of them in all; `page` in tokens.

    Raises ValueError for a page below 1.
    """

    def __init__(self, forest: Forest, page: int = 1) -> None:
        if page < 1:
            raise ValueError(f"page must be at least 1 token, not {page}")
        self.page = page
        heads = forest.heads
        bottom = np.zeros(len(forest), dtype=np.int64)
        np.maximum.at(bottom, heads, forest.end)
        first = forest.start // page
        count = np.where(heads == np.arange(len(forest)), bottom // page - first, 0)
        base = np.cumsum(count) - count
        self.size = int(count.sum())
        self._shift: list[int] = (base - first).tolist()
        self._heads: list[int] = heads.tolist()
        self._parent: list[int] = forest.parent.tolist()
        self._pages: list[int] = (forest.end // page).tolist()

    def ranges(self, node: int, pages: int) -> Ranges:
        """The first `pages` pages of the path that ends at `node`; O(log nodes)."""
        found: list[tuple[int, int]] = []
        heads, shift, parent, ends = self._heads, self._shift, self._parent, self._pages
        hi = min(pages, ends[node])
        while True:
            head = heads[node]
            found.append((hi, shift[head]))
            node = parent[head]
            if node < 0:
                break
            if ends[node] < hi:
                hi = ends[node]
        found.reverse()
        return tuple(found)


def page_ids(ranges: Ranges, lo: int = 0) -> Int64:
    """Numbers of the pages of a path from page `lo` on, by depth."""
    pieces = []
    for hi, shift in ranges:
        if hi > lo:
            pieces.append(np.arange(shift + lo, shift + hi, dtype=np.int64))
            lo = hi
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def common_pages(a: Ranges, b: Ranges) -> int:
    """How many leading pages two paths share."""
    shared = 0
    for (hi_a, shift_a), (hi_b, shift_b) in zip(a, b, strict=False):
        if shift_a != shift_b:
            break
        shared = min(hi_a, hi_b)
        if hi_a != hi_b:
            break
    return shared
