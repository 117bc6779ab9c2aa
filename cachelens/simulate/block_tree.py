"""TensorRT-LLM's blocks: a tree of what is reusable, queues of what is free, two levels of memory.

In: paths as ranges of token numbers. Out: blocks matched, allocated, stored, released. A block is known by
the number of its last token, which stands for all tokens before it as well; a block that is not full is
stored like any other. The device has `blocks`, the host `host_blocks`; which of them a block lies in is all
that changes when it moves.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from cachelens.prefix.paths import Ranges, common_pages
from cachelens.simulate.losses import Losses

#: Priority of blocks for which a request asks for none.
DEFAULT_PRIORITY = 35
_UNLIMITED = 1 << 60


class Key(NamedTuple):
    """Tokens [start, end) of a path: the numbers of the first and the last, and the path down to `end`."""

    first: int
    last: int
    start: int
    end: int
    ranges: Ranges


class Keys:
    """The blocks of a path of token numbers, `tokens` long, in steps of `page`; the last may not be full."""

    def __init__(self, ranges: Ranges, tokens: int, page: int) -> None:
        self._ranges = ranges
        self._page = page
        self.tokens = max(tokens, 0)
        starts = np.arange(0, self.tokens, page, dtype=np.int64)
        ends = np.minimum(starts + page, self.tokens)
        self._firsts = _numbers(ranges, starts)
        self._lasts = _numbers(ranges, ends - 1)

    def __len__(self) -> int:
        return len(self._lasts)

    def last(self, block: int) -> int:
        """The number of the last token of a block."""
        return self._lasts[block]

    def key(self, block: int) -> Key:
        """What block number `block` is to hold."""
        start = block * self._page
        end = min(start + self._page, self.tokens)
        return Key(self._firsts[block], self._lasts[block], start, end, self._ranges)


def _numbers(ranges: Ranges, depths: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """Token numbers at ascending depths of a path."""
    found: list[int] = []
    lo = 0
    for hi, shift in ranges:
        if hi > lo:
            at, to = np.searchsorted(depths, [lo, hi])
            found += (depths[at:to] + shift).tolist()
            lo = hi
    return found


class Block:
    """One block. `key` None: not in the tree. `filled`: it was told which tokens it holds."""

    __slots__ = ("children", "filled", "host", "key", "parent", "priority", "queued", "refs")

    def __init__(self, host: bool) -> None:
        self.key: Key | None = None
        self.parent: Block | None = None
        self.children: set[Block] = set()
        self.refs = 0
        self.priority = DEFAULT_PRIORITY
        self.queued = -1  # the priority under which it is queued, -1 while it is not
        self.host = host
        self.filled = False


class Match(NamedTuple):
    """A block and how many of its leading tokens are wanted. `partial`: no tokens after it can match."""

    block: Block
    tokens: int
    partial: bool


class _Queues:
    """Free blocks of one level of memory: by priority, and within one the first released is the first taken."""

    def __init__(self, blank: int, host: bool) -> None:
        self.free = blank
        self._blank = blank  # never used; they stand before all others of the default priority
        self._host = host
        self._queues: dict[int, OrderedDict[Block, None]] = {DEFAULT_PRIORITY: OrderedDict()}
        self._priorities = [DEFAULT_PRIORITY]

    def front(self) -> tuple[Block, int]:
        """The block to be taken next, and the priority under which it waits."""
        for priority in self._priorities:
            queue = self._queues[priority]
            if priority == DEFAULT_PRIORITY and self._blank:
                self._blank -= 1
                block = Block(self._host)
                block.queued = priority
                queue[block] = None
                return block, priority
            if queue:
                return next(iter(queue)), priority
        raise RuntimeError("a block was asked for while none is free")

    def add(self, block: Block) -> None:
        """Append a block that nobody uses."""
        queue = self._queues.get(block.priority)
        if queue is None:
            queue = self._queues[block.priority] = OrderedDict()
            insort(self._priorities, block.priority)
        queue[block] = None
        block.queued = block.priority
        self.free += 1

    def remove(self, block: Block) -> None:
        """Take a block out, wherever it waits."""
        if block.queued >= 0:
            del self._queues[block.queued][block]
            block.queued = -1
            self.free -= 1


class BlockTree:
    """All blocks. `evicted_tokens` were dropped from both levels so far.

    `blocks` None: unlimited. `partial`: blocks may match in part; `copy`: also those that are in use or have
    children, by a copy. A block whose priority is below `offload_priority` is dropped, not moved to the host.
    `losses`, if given, is told what can be found no more and what was missed: tokens, or where blocks match
    whole only the last tokens of blocks.
    """

    def __init__(
        self,
        blocks: int | None,
        host_blocks: int,
        *,
        partial: bool,
        copy: bool,
        offload_priority: int,
        losses: Losses | None = None,
    ) -> None:
        self.losses = losses
        self._device = _Queues(_UNLIMITED if blocks is None else blocks, host=False)
        self._host = _Queues(host_blocks, host=True)
        self._partial = partial
        self._copy = copy
        self._offload_priority = offload_priority
        self._at: dict[int, Block] = {}  # number of its last token -> block in the tree
        self._alike: dict[int, dict[Block, None]] = {}  # number of the first token -> blocks, oldest first
        self.evicted_tokens = 0

    @property
    def free(self) -> int:
        """Blocks of the device that nobody uses."""
        return self._device.free

    def held(self, last: int) -> Block | None:
        """The block in the tree that ends with this token."""
        return self._at.get(last)

    def match(self, key: Key, page: int) -> Match | None:
        """The block to reuse for `key`: the same one, else the one with the most leading tokens in common."""
        block = self._at.get(key.last)
        if block is not None:
            tokens = key.end - key.start
            return Match(block, tokens, partial=tokens < page)
        if not self._partial:
            return None
        best: Match | None = None
        for other in self._alike.get(key.first, ()):
            if other.key is not None and (self._copy or not (other.refs or other.children)):
                end = min(common_pages(key.ranges, other.key.ranges), other.key.end, key.end)
                if best is None or end - key.start > best.tokens:
                    best = Match(other, end - key.start, partial=True)
        return best

    def reuse(self, match: Match, priority: int | None) -> Block:
        """Use what was matched, brought to the device; returns the block that now holds the tokens."""
        block = match.block
        if match.partial and (block.refs or block.children):
            copy = self.allocate(block.priority, filled=True)
            copy.refs += 1
            return copy
        if match.partial and block.key is not None:
            self.evicted_tokens += block.key.end - block.key.start - match.tokens
            self._lose(block.key)
            self._unlink(block)
        return self.claim(block, priority)

    def claim(self, block: Block, priority: int | None) -> Block:
        """Use a whole block, brought to the device; it keeps its priority unless another one is asked for."""
        if block.queued >= 0:
            self._queues_of(block).remove(block)
        if priority is not None:
            block.priority = priority
        if block.host:
            space = self._take(DEFAULT_PRIORITY)
            block.host, space.host = False, True
            self._host.add(space)
        block.refs += 1
        return block

    def allocate(self, priority: int, filled: bool | None) -> Block:
        """A free block, to be used and not in the tree.

        `filled`: whether it is told now what it will hold. None: it is told when it is stored, and counts as
        holding what it held until then; an empty block is never moved to the host.
        """
        block = self._take(priority)
        if filled is not None:
            block.filled = filled
        return block

    def miss(self, key: Key, tokens: int) -> None:
        """Of what `key` asks for nothing was matched after its first `tokens` tokens."""
        if self.losses is None or tokens == key.end - key.start:
            return
        if not self._partial:
            self.losses.miss_number(key.last)
        elif not any(
            min(common_pages(key.ranges, other.key.ranges), other.key.end) > key.start + tokens
            for other in self._alike.get(key.first, ())
            if other.key is not None
        ):
            # No block holds it, not even one that may not be copied.
            self.losses.miss(key.ranges, key.start + tokens)

    def store(self, keys: Keys, blocks: list[Block], known: int) -> None:
        """Put the blocks of a request into the tree, as far as the same tokens are not there.

        `known`: leading blocks that were taken from the tree, which speeds up finding where to begin.
        """
        count = min(len(keys), len(blocks))
        at = min(known, count)
        parent = self._at.get(keys.last(at - 1)) if at else None
        if parent is None:
            at = 0
        while at < count and (found := self._at.get(keys.last(at))) is not None:
            parent = found
            at += 1
        for number in range(at, count):
            block = blocks[number]
            if block.key is not None:
                raise RuntimeError("a block is in the tree under other tokens")
            self._link(block, keys.key(number), parent)
            parent = block

    def release(self, blocks: list[Block]) -> None:
        """The request that used these blocks has ended: the last one is queued first, so it goes first."""
        for block in reversed(blocks):
            block.refs -= 1
            if not block.refs:
                self._queues_of(block).add(block)

    def _queues_of(self, block: Block) -> _Queues:
        return self._host if block.host else self._device

    def _take(self, priority: int) -> Block:
        """The next free block of the device. What it held moves to the host, or is dropped with all below it."""
        block, queued = self._device.front()
        if block.filled and queued >= self._offload_priority and self._host.free:
            space, _ = self._host.front()
            self._device.remove(block)
            self._host.remove(space)
            block.host, space.host = True, False
            self._host.add(block)
            block = space
        else:
            self._device.remove(block)
        self._drop(block)
        block.priority = priority
        return block

    def _drop(self, block: Block) -> None:
        """Take a block and all below it out of the tree."""
        if block.key is None:
            return
        below = [block]
        for upper in below:
            below += upper.children
        for lower in reversed(below):
            if lower.key is not None and not lower.refs:
                self.evicted_tokens += lower.key.end - lower.key.start
            if lower.key is not None:
                self._lose(lower.key)
            self._unlink(lower)

    def _lose(self, key: Key) -> None:
        """The tokens of `key` can be found no more, unless another block holds them."""
        if self.losses is None:
            return
        if self._partial:
            self.losses.lose(key.ranges, key.start, key.end)
        else:
            self.losses.lose_numbers(key.last, key.last + 1)

    def _link(self, block: Block, key: Key, parent: Block | None) -> None:
        block.key = key
        block.filled = True
        block.parent = parent
        if parent is not None:
            parent.children.add(block)
        self._at[key.last] = block
        self._alike.setdefault(key.first, {})[block] = None

    def _unlink(self, block: Block) -> None:
        key = block.key
        if key is None:
            return
        block.key = None
        if block.parent is not None:
            block.parent.children.discard(block)
            block.parent = None
        del self._at[key.last]
        alike = self._alike[key.first]
        del alike[block]
        if not alike:
            del self._alike[key.first]
