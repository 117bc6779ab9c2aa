"""Tool results that repeat what stands earlier in their prompt. In: contents on their trie. Out: echoes.

Compared are shingles of token ids, against everything before the result. JSON escapes cut the same text into other
tokens, so the result of a write or edit is also compared word by word with the text its own call carries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from cachelens.attribute.content.arguments import plain
from cachelens.attribute.content.calls import Calls
from cachelens.attribute.content.lines import page
from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.shingles import Shingles, UInt64, mostly_elsewhere
from cachelens.attribute.texts import Texts
from cachelens.model.trace import Int64, Trace

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_CARRIES_TEXT: Final = ("write", "append", "edit", "patch")


class Echo(NamedTuple):
    """The result at `row` is an echo; `cause` is the row that holds most of it."""

    row: int
    cause: int


def find_echoes(
    trace: Trace,
    texts: Texts,
    calls: Calls,
    options: LabelOptions,
    payloads: Int64,
    order: list[int],
    depths: list[int],
    lost: Mapping[int, Sequence[tuple[int, int, int]]],
) -> Iterator[Echo]:
    """Echoes among tool results, but for those of which the very same text stands earlier.

    `payloads[content]` is the first content of the same text. `lost[since]` are rows and tokens that are superfluous
    from row `since` on: what repeats them alone is no echo, for it is what stays.
    """
    sizes = (trace.contents.tokens - trace.contents.framing).tolist()
    content = trace.segments.content.tolist()
    results = {
        row: content[row] for row in sorted(calls.call_of) if sizes[content[row]] >= options.min_echo_tokens
    }
    own = _Own(texts, calls, options)
    found: set[int] = set()
    for row, answer in results.items():
        call = calls.call_of[row]
        if own.echoes(call, content[call], answer):
            found.add(row)
            yield Echo(row, call)
    shingles = Shingles(trace.contents, options.shingle)
    candidates = sorted(set(results.values()))
    likely = mostly_elsewhere(shingles, candidates, payloads, options.echo_share)
    if likely:
        rows = {row for row, answer in results.items() if row not in found and answer in set(likely)}
        yield from _Walk(trace, shingles, likely, payloads, options.echo_share, lost).run(rows, order, depths)


class _Own:
    """Whether the result of a write or edit repeats what its call carries, once for each pair of contents."""

    def __init__(self, texts: Texts, calls: Calls, options: LabelOptions) -> None:
        self._texts, self._calls, self._options = texts, calls, options
        self._sizes = texts.contents.tokens.tolist()
        self._known: dict[tuple[int, int], bool] = {}

    def echoes(self, call: int, asked: int, answer: int) -> bool:
        if self._calls.at[call].deed.action not in _CARRIES_TEXT:
            return False
        if 2 * self._sizes[asked] < self._sizes[answer]:
            return False  # escapes make a text longer, never half as long
        if (asked, answer) not in self._known:
            self._known[asked, answer] = self._compare(asked, answer)
        return self._known[asked, answer]

    def _compare(self, asked: int, answer: int) -> bool:
        carried, given = self._texts(asked), self._texts(answer)
        if carried is None or given is None:
            return False
        before = set(self._words(plain(carried)))
        shown = page(given)
        after = self._words("\n".join(shown.plain) if shown.numbered else plain(given))
        return bool(after) and sum(shingle in before for shingle in after) >= self._options.echo_share * len(
            after
        )

    def _words(self, text: str) -> list[tuple[str, ...]]:
        words, size = _WORD.findall(text), self._options.shingle
        return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


class _Walk:
    """Counts, along each path, at how many rows every shingle of the likely echoes stands and is not superfluous."""

    def __init__(
        self,
        trace: Trace,
        shingles: Shingles,
        likely: list[int],
        payloads: Int64,
        share: float,
        lost: Mapping[int, Sequence[tuple[int, int, int]]],
    ) -> None:
        self.content = trace.segments.content.tolist()
        self.framing = trace.contents.framing.tolist()
        self.same = payloads.tolist()
        self.share, self.lost, self.shingles = share, lost, shingles
        own = [shingles.of(content) for content in likely]
        self.known: UInt64 = np.unique(np.concatenate(own))
        self.places = {c: np.searchsorted(self.known, hashes) for c, hashes in zip(likely, own, strict=True)}
        self.held = self._held(shingles, len(trace.contents))
        self.present = np.zeros(len(self.known), dtype=np.int32)
        # Of the rows of the path: the places of their shingles that count, and the tokens that do not.
        self.active: dict[int, Int64] = {}
        self.gone: dict[int, tuple[tuple[int, int], ...]] = {}

    def _held(self, shingles: Shingles, count: int) -> dict[int, Int64]:
        """Of each content, the places of those of its shingles that some likely echo has."""
        slots = 1 << 16
        while slots < 16 * len(self.known):
            slots <<= 1
        mask = np.uint64(slots - 1)
        used = np.zeros(slots, dtype=bool)
        used[self.known & mask] = True
        found: dict[int, Int64] = {}
        for content in range(count):
            if self.same[content] != content:
                continue
            hashes = shingles.of(content)
            hashes = hashes[used[hashes & mask]]
            if not len(hashes):
                continue
            places = self._known_places(hashes)
            if len(places):
                found[content] = places
        return found

    def run(self, rows: set[int], order: list[int], depths: list[int]) -> Iterator[Echo]:
        """Echoes among `rows`, whose contents are likely ones."""
        undo: list[tuple[int, int, Int64 | None, tuple[tuple[int, int], ...]]] = []
        for row, depth in zip(order, depths, strict=True):
            while undo and undo[-1][0] >= depth:
                _, other, places, gone = undo.pop()
                self._replace(other, places, gone)
            content = self.content[row]
            holds = self.same[content] in self.held
            if holds:
                undo.append((depth, row, None, ()))
                self._replace(row, self.held[self.same[content]], ())
            copied = False
            for other, lo, hi in self.lost.get(row, ()):
                copied = copied or other == row
                if other in self.active:
                    undo.append((depth, other, self.active[other], self.gone[other]))
                    gone = (*self.gone[other], (lo, hi))
                    self._replace(other, self._remaining(other, gone), gone)
            if row in rows and not copied:
                places = self.places[content]
                # The row itself is counted by now.
                if np.count_nonzero(self.present[places] > 1) >= self.share * len(places):
                    yield Echo(row, self._cause(row))

    def _replace(self, row: int, places: Int64 | None, gone: tuple[tuple[int, int], ...]) -> None:
        if row in self.active:
            self.present[self.active[row]] -= 1
        if places is None:
            del self.active[row], self.gone[row]
            return
        self.present[places] += 1
        self.active[row], self.gone[row] = places, gone

    def _remaining(self, row: int, gone: tuple[tuple[int, int], ...]) -> Int64:
        """The places of the shingles of a row that have no token in common with `gone`."""
        content = self.content[row]
        hashes, framing = self.shingles.of(content), self.framing[content]
        stays = np.ones(len(hashes), dtype=bool)
        for lo, hi in gone:
            stays[max(0, lo - framing - self.shingles.size + 1) : max(0, hi - framing)] = False
        return self._known_places(hashes[stays])

    def _known_places(self, hashes: UInt64) -> Int64:
        places = np.minimum(np.searchsorted(self.known, hashes), len(self.known) - 1)
        return np.unique(places[self.known[places] == hashes])

    def _cause(self, row: int) -> int:
        """The row above that holds most of the shingles; of equals the first."""
        own = self.active[row]
        best, most = -1, 0
        for above in sorted(self.active):
            if above != row:
                common = len(np.intersect1d(own, self.active[above], assume_unique=True))
                if common > most:
                    best, most = above, common
        return best
