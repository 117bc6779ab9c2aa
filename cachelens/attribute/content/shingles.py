"""Shingles of contents: hashes of every `size` token ids in a row. In: contents. Out: arrays of hashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cachelens.model.trace import Contents, Int64

UInt64 = npt.NDArray[np.uint64]
Owner = npt.NDArray[np.int32]

#: Tokens that are hashed at a time.
_CHUNK: Final = 1 << 22
#: Slots of the table of owners, per shingle: a third of strangers share a slot, which costs time alone.
_SLOTS_PER_SHINGLE: Final = 2
_MOST_SLOTS: Final = 1 << 24
#: Odd, and without pattern: the constants of splitmix64.
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXER: Final = np.uint64(0xBF58476D1CE4E5B9)
_LAST_MIXER: Final = np.uint64(0x94D049BB133111EB)


@dataclass(eq=False)
class Shingles:
    """The shingles of `size` tokens of contents, framing left out, computed a chunk of contents at a time."""

    contents: Contents
    size: int
    _first: int = 0
    _end: int = 0
    _hashes: UInt64 = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    def of(self, content: int) -> UInt64:
        """Hashes of the shingles of one content in order; as many as it has tokens less `size` - 1."""
        offsets, framing = self.contents.offsets, int(self.contents.framing[content])
        begin, end = int(offsets[content]) + framing, int(offsets[content + 1]) - self.size + 1
        if end <= begin:
            return np.zeros(0, dtype=np.uint64)
        if begin < self._first or end + self.size - 1 > self._end:
            self._compute(content)
        return self._hashes[begin - self._first : end - self._first]

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Contents from the first to before the second, as many as are hashed together."""
        offsets = self.contents.offsets
        at = 0
        while at < len(self.contents):
            stretch = int(offsets[at]) // _CHUNK
            end = int(np.searchsorted(offsets[:-1], (stretch + 1) * _CHUNK, side="left"))
            yield at, end
            at = end

    def of_stretch(self, low: int, high: int, wanted: npt.NDArray[np.bool_]) -> tuple[UInt64, Owner]:
        """The shingles of those contents of a stretch `[low, high)` that are wanted, and the content of each."""
        offsets, framing = self.contents.offsets[low : high + 1], self.contents.framing[low:high]
        if offsets[0] < self._first or offsets[-1] > self._end:
            self._compute(low)
        hashes = self._hashes[offsets[0] - self._first : offsets[-1] - self._first]
        starts, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
        inside = np.repeat(wanted[low:high], np.diff(offsets))
        # A shingle neither begins in a frame nor ends in the next content.
        for framed in range(int(framing.max(initial=0))):
            inside[(starts + framed)[(framing > framed) & (starts + framed < ends)]] = False
        for short in range(1, self.size):
            inside[np.maximum(ends - short, starts)[ends > starts]] = False
        inside = inside[: len(hashes)]
        owner = np.repeat(np.arange(low, high, dtype=np.int32), np.diff(offsets))[: len(hashes)]
        return hashes[inside], owner[inside]

    def _compute(self, content: int) -> None:
        offsets = self.contents.offsets
        # Contents that begin in the same stretch of tokens: a chunk is the same whichever of it is asked for.
        stretch = int(offsets[content]) // _CHUNK
        first, last = np.searchsorted(offsets, [stretch * _CHUNK, (stretch + 1) * _CHUNK], side="left")
        self._first, self._end = int(offsets[first]), int(offsets[min(last, len(offsets) - 1)])
        self._hashes = windows(self.contents.ids[self._first : self._end].astype(np.uint64), self.size)


def windows(ids: UInt64, size: int) -> UInt64:
    """A hash of every `size` numbers in a row."""
    # Hashes of windows of 1, 2, 4 … numbers are put together as the binary digits of `size` say.
    whole: UInt64 | None = None
    part, width = ids, 1
    while True:
        if size & width:
            whole = part if whole is None else _joined(part, whole, width, size & (width - 1))
        width <<= 1
        if width > size:
            break
        part = _joined(part, part, width >> 1, width >> 1)
    assert whole is not None
    return mixed(whole)


def mixed(hashes: UInt64) -> UInt64:
    """The hashes with every bit depending on all others, so that any part of one is a hash as well."""
    found = hashes ^ (hashes >> np.uint64(30))
    found *= _MIXER
    found ^= found >> np.uint64(27)
    found *= _LAST_MIXER
    found ^= found >> np.uint64(31)
    return found


def _joined(first: UInt64, second: UInt64, width: int, following: int) -> UInt64:
    """Hashes of windows of `width` numbers and the `following` behind them; `second` are those of the latter."""
    size = max(0, min(len(first), len(second) - width))
    factor = np.uint64(pow(int(_FACTOR), following, 1 << 64))
    found = first[:size] * factor
    found += second[width : width + size]
    return found


def mostly_elsewhere(shingles: Shingles, candidates: list[int], payloads: Int64, share: float) -> list[int]:
    """The candidates of whose shingles at least `share` may be in contents of another text: an upper bound.

    `payloads[content]` is the first content of the same text.
    """
    if not candidates:
        return []
    contents = shingles.contents
    slots = 1 << 10
    while slots < min(_SLOTS_PER_SHINGLE * len(contents.ids), _MOST_SLOTS):
        slots <<= 1
    mask = np.uint64(slots - 1)
    first = np.full(slots, -1, dtype=np.int32)
    several = np.zeros(slots, dtype=bool)
    once = payloads == np.arange(len(contents))
    for low, high in shingles.stretches():
        hashes, owner = shingles.of_stretch(low, high, once)
        slot = (hashes & mask).astype(np.int32)
        free = first[slot] < 0
        # Of entries with the same slot the last one stays: backwards, so that it is the first.
        first[slot[free][::-1]] = owner[free][::-1]
        several[slot[first[slot] != owner]] = True
    found = []
    for content in candidates:
        slot = (shingles.of(content) & mask).astype(np.int32)
        if np.count_nonzero(several[slot]) >= share * max(1, len(slot)):
            found.append(content)
    return found
