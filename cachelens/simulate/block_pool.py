"""vLLM's pool of blocks as flat arrays. In: numbers of the pages on a path. Out: hits, evictions.

A cached block is named by the page whose KV it holds. Blocks are not de-duplicated, so a page may have
several copies: copy c of page p lives at index c * pages + p of each array. Blocks without a hash (never
used, or a partly filled tail) are only counted: all of them are taken before any cached one.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.paths import Paths, page_ids
from cachelens.simulate.losses import Latest

_UNLIMITED = 1 << 60


class BlockPool:
    """`blocks` usable blocks (None: unlimited), none in use. `evicted` blocks lost their hash so far.

    The free queue is kept as releases, oldest first: a block belongs to the release whose stamp it bears,
    and within a release the deepest block is the first to go. A block that is taken again loses its stamp.
    `latest`, if given, is told which pages lose a block.
    """

    def __init__(
        self, paths: Paths, nodes: list[int], blocks: int | None, latest: Latest | None = None
    ) -> None:
        self._latest = latest
        self._paths = paths
        self._nodes = nodes
        self._pages = paths.size
        self.blank = _UNLIMITED if blocks is None else blocks  # free blocks without a hash
        self.cached_free = 0  # free blocks with one
        self.evicted = 0
        self._copies = 1
        self._cached = np.zeros(self._pages, dtype=np.bool_)
        self._users = np.zeros(self._pages, dtype=np.int32)
        self._stamp = np.full(self._pages, -1, dtype=np.int64)
        self._born = np.zeros(self._pages, dtype=np.int64)
        self._clock = 0
        self._released: deque[tuple[int, int, int]] = deque()  # (stamp, request, pages not yet evicted)

    @property
    def free(self) -> int:
        """Blocks that can be allocated."""
        return self.blank + self.cached_free

    def find(self, pages: Int64) -> Int64:
        """Indices of the cached blocks for the longest run from the first page; the oldest copy of each."""
        if self._copies == 1:
            cached = self._cached[pages]
            missing = int(cached.argmin()) if len(cached) else 0
            return pages if len(cached) and cached[missing] else pages[:missing]
        index = pages + self._pages * np.arange(self._copies)[:, None]
        cached = self._cached[index]
        some = cached.any(axis=0)
        missing = int(some.argmin()) if len(some) else 0
        run = len(pages) if len(some) and some[missing] else missing
        age = np.where(cached[:, :run], self._born[index[:, :run]], np.iinfo(np.int64).max)
        return np.asarray(pages[:run] + self._pages * age.argmin(axis=0), dtype=np.int64)

    def idle(self, found: Int64) -> int:
        """How many of these blocks nobody uses: taking them uses up free blocks."""
        return int((self._users[found] == 0).sum())

    def take(self, found: Int64) -> None:
        """Use cached blocks; they leave the free queue."""
        self.cached_free -= self.idle(found)
        self._users[found] += 1
        self._stamp[found] = -1

    def allocate(self, blocks: int) -> None:
        """Use `blocks` free blocks: blank ones first, then the oldest cached ones, which lose their hash."""
        blank = min(self.blank, blocks)
        self.blank -= blank
        if blocks > blank:
            self._evict(blocks - blank)

    def fill(self, pages: Int64) -> Int64:
        """Hash allocated blocks that now hold `pages`; returns their indices."""
        index = pages.copy()
        unplaced = np.arange(len(pages))
        copy = 0
        while len(unplaced):
            if copy == self._copies:
                self._add_copy()
            index[unplaced] = pages[unplaced] + copy * self._pages
            unplaced = unplaced[self._cached[index[unplaced]]]
            copy += 1
        self._cached[index] = True
        self._users[index] = 1
        self._born[index] = np.arange(self._clock, self._clock + len(index))
        self._clock += len(index)
        return index

    def release(self, request: int, index: Int64, blank: int) -> None:
        """Free the blocks of a request, `index` by depth, and `blank` partly filled ones."""
        self._users[index] -= 1
        idle = index[self._users[index] == 0]
        self._clock += 1
        self._stamp[idle] = self._clock
        self.cached_free += len(idle)
        self.blank += blank
        if len(idle):
            self._released.append((self._clock, request, len(index)))

    def _evict(self, blocks: int) -> None:
        if blocks > self.cached_free:
            raise RuntimeError("more blocks were allocated than are free")
        self.cached_free -= blocks
        self.evicted += blocks
        stamps = self._stamp.reshape(self._copies, self._pages)
        while blocks:
            stamp, request, pages = self._released[0]
            ids = page_ids(self._paths.ranges(self._nodes[request], pages))
            held = (stamps[:, ids] == stamp).any(axis=0)
            deepest = np.flatnonzero(held)
            if len(deepest) > blocks:
                deepest = deepest[-blocks:]
                self._released[0] = (stamp, request, int(deepest[0]))
            else:
                self._released.popleft()
            blocks -= len(deepest)
            index = ids[deepest] + self._pages * np.arange(self._copies)[:, None]
            index = index[self._stamp[index] == stamp]
            self._cached[index] = False
            self._stamp[index] = -1
            if self._latest is not None:
                self._latest.evicted(ids[deepest])

    def _add_copy(self) -> None:
        self._copies += 1
        self._cached = np.concatenate([self._cached, np.zeros(self._pages, dtype=np.bool_)])
        self._users = np.concatenate([self._users, np.zeros(self._pages, dtype=np.int32)])
        self._stamp = np.concatenate([self._stamp, np.full(self._pages, -1, dtype=np.int64)])
        self._born = np.concatenate([self._born, np.zeros(self._pages, dtype=np.int64)])
