"""Leaves out of a JSON record what an earlier record already said.

In: records whose list of messages grows from one to the next. Out: the record without the elements it
shares with an earlier one, byte for byte, and a reference to those. An agent sends its history with
every request, so comparing bytes (as fast as memory) saves parsing nearly all of a capture.

Why this is safe: the list is found by its key, such as `"messages":[`. Inside a JSON string a quote is
always escaped, so these bytes can only be that key; a record with two lists under it is not shortened. An
element is left out only when all bytes from the start of the list to its end equal those of a record that was
parsed before; after parsing,
`Shortener.remember` checks that the remaining elements stand exactly where the cut was made, and
otherwise the caller restores the whole body (`Elided.restore`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

_KEY = re.compile(rb'"(?:messages|input|contents)"\s*:\s*\[')
#: A shared part shorter than this is not worth the cut.
_WORTHWHILE_BYTES = 512
#: Earlier lists kept for comparison: by number and by bytes.
_KEPT_LISTS = 64
_KEPT_BYTES = 64 << 20
_CHUNK = 1 << 16
_ELEMENT_ENDS = frozenset(b'}"]')


@dataclass(slots=True)
class KnownList:
    """A list of messages parsed before.

    `region` holds its bytes from `[` to the end of the last element; `ends[i]` is where element i ends
    in it. `payload` is whatever the caller attached.
    """

    region: bytes
    ends: list[int]
    payload: Any


@dataclass(slots=True)
class Elided:
    """How a record was shortened: bytes `start + 1` to `resume` of `record`, `kept` elements of `known`."""

    record: bytes
    start: int
    resume: int
    known: KnownList | None = None
    kept: int = 0

    def restore(self, body: bytes) -> bytes:
        """`body`, a part of the shortened record, with the cut put back where it contains it."""
        if not self.kept:
            return body
        cut = self.record[self.start + 1 : self.resume]
        short = self.record[: self.start + 1] + self.record[self.resume :]
        begin = short.find(body)
        at = self.start + 1 - begin
        return body[:at] + cut + body[at:] if begin >= 0 and 0 < at <= len(body) else body


@dataclass(slots=True)
class Shortener:
    """Remembers the lists of messages of one source. `keys`: spellings of the list's key seen so far."""

    _lists: OrderedDict[int, KnownList] = field(default_factory=OrderedDict)
    _keys: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _next: int = 0

    def shorten(self, record: bytes) -> tuple[bytes, Elided]:
        """The record without the longest known beginning of its list, and what was done (start -1: no list)."""
        start = self._find(record)
        if start < 0:
            return record, Elided(record, -1, 0)
        best_key, best_end = self._longest(record, start)
        if best_key < 0:
            return record, Elided(record, start, start + 1)
        best = self._lists[best_key]
        kept = bisect_right(best.ends, best_end)
        end = best.ends[kept - 1] if kept else 0
        if end < _WORTHWHILE_BYTES or best.region[end - 1] not in _ELEMENT_ENDS:
            return record, Elided(record, start, start + 1)
        resume = _after_comma(record, start + end)
        short = record[: start + 1] + record[resume:]
        if self._ambiguous(short, start):
            return record, Elided(record, -1, 0)
        self._lists.move_to_end(best_key)
        return short, Elided(record, start, resume, best, kept)

    def _ambiguous(self, short: bytes, start: int) -> bool:
        """Whether the list at `start` may not be the body's: the record has another one under the same name."""
        name = short[short.rfind(b'"', 0, short.rfind(b'"', 0, start)) : start].rstrip(b": \t\r\n")
        return short.count(name) > 1 and sum(m.group().startswith(name) for m in _KEY.finditer(short)) > 1

    def _longest(self, record: bytes, start: int) -> tuple[int, int]:
        """The known list that shares most with the one at `start`, and how many bytes; (-1, 0) for none.

        A list that the record holds whole is nearly always its predecessor's; only without one are the
        others measured.
        """
        best_key, best_end = -1, 0
        for key, known in self._lists.items():
            if len(known.region) > best_end and record.startswith(known.region, start):
                best_key, best_end = key, len(known.region)
        if best_key >= 0:
            return best_key, best_end
        for key in reversed(self._lists):
            known = self._lists[key]
            if record.startswith(known.region[: max(best_end + 1, known.ends[0])], start):
                best_key, best_end = key, _common(known.region, record, start)
        return best_key, best_end

    def _find(self, record: bytes) -> int:
        """Where the list starts (its `[`), or -1."""
        for key in self._keys:
            at = record.find(key)
            if at >= 0:
                return at + len(key) - 1
        return -1

    def learn(self, record: bytes, list_bytes: bytes) -> Elided | None:
        """Find the list of a record that `shorten` could not place, given its bytes as parsed."""
        for match in _KEY.finditer(record):
            start = match.end() - 1
            if record.startswith(list_bytes, start):
                key = match.group()
                if record.find(key) == match.start() and key not in self._keys:
                    self._keys.append(key)
                return Elided(record, start, start + 1) if record.find(key) == match.start() else None
        return None

    def remember(self, elided: Elided, elements: list[bytes], payload: Any) -> bool:
        """Keep a parsed list for later records; False when `elements` do not stand where the cut was made.

        `elements` are the raw elements that were parsed: those after the `kept` ones.
        """
        record, at = elided.record, elided.resume
        ends = elided.known.ends[: elided.kept] if elided.known else []
        last = ends[-1] + elided.start if ends else elided.start + 1
        for element in elements:
            if not record.startswith(element, at):
                return False
            last = at + len(element)
            ends.append(last - elided.start)
            at = _after_comma(record, last)
        if record[at : at + 1] != b"]":
            return False
        if not ends:
            return True
        known = KnownList(record[elided.start : last], ends, payload)
        if elided.known is not None and elided.kept == len(elided.known.ends):
            self._forget(elided.known)
        self._lists[self._next] = known
        self._next += 1
        self._bytes += len(known.region)
        while len(self._lists) > 1 and (len(self._lists) > _KEPT_LISTS or self._bytes > _KEPT_BYTES):
            self._forget(next(iter(self._lists.values())))
        return True

    def _forget(self, known: KnownList) -> None:
        for key, value in self._lists.items():
            if value is known:
                del self._lists[key]
                self._bytes -= len(known.region)
                return


def _after_comma(record: bytes, at: int) -> int:
    """The next byte that is neither white space nor one comma."""
    comma = False
    while at < len(record) and (record[at] in b" \t\r\n" or (record[at] == 0x2C and not comma)):
        comma = comma or record[at] == 0x2C
        at += 1
    return at


def _common(known: bytes, record: bytes, start: int) -> int:
    """Length of the longest common prefix of `known` and `record[start:]`."""
    low, size = 0, len(known)
    while low < size and record.startswith(known[low : low + _CHUNK], start + low):
        low += _CHUNK
    if low >= size:
        return size
    high = min(low + _CHUNK, size)
    # known[:low] is equal, known[:high] is not: halve until they meet.
    while high - low > 1:
        middle = (low + high) // 2
        if record.startswith(known[low:middle], start + low):
            low = middle
        else:
            high = middle
    return low
