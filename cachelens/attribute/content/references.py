"""Whether what a tool answered was made use of later. In: calls, contents. Out: a `Use` by row of a result.

With hindsight over the whole lineage: everything the assistant wrote, in the order in which it first appeared in
any request of the lineage or reply to it. What an output is known by are its rare identifiers: those of which it is
among the first texts that hold them, whatever was written about them afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cachelens.attribute.content.calls import Calls
from cachelens.attribute.content.identifiers import identifiers, name_hash
from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.preorder import Journal
from cachelens.attribute.content.shingles import UInt64
from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE
from cachelens.model.trace import Int64, Trace

_CALL = KIND_CODE["tool_call"]
_AUTHORED = (KIND_CODE["assistant"], KIND_CODE["thinking"], _CALL)
_NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Use:
    """Of the `rare` identifiers of an output, how many were `used` later; `named`: its file was, by its name."""

    used: int
    rare: int
    named: bool

    @property
    def referenced(self) -> bool:
        """Whether anything later refers to the output."""
        return self.used > 0 or self.named


def find_references(
    trace: Trace,
    texts: Texts,
    calls: Calls,
    options: LabelOptions,
    payloads: Int64,
    order: list[int],
    depths: list[int],
) -> Mapping[int, Use]:
    """What became of every tool result of at least `options.min_unreferenced_tokens` tokens with rare identifiers.

    `payloads[content]` is the first content of the same text. `order` and `depths` are the walk over segments.
    """
    sizes = trace.contents.tokens - trace.contents.framing
    content = trace.segments.content
    results = [row for row in calls.call_of if sizes[content[row]] >= options.min_unreferenced_tokens]
    if not results or texts.decode is None:
        return {}
    known = _Known(trace, texts, calls, options, payloads, results)
    return _Lineages(trace, known, set(results), order, depths).run()


class _Known:
    """Numbers of identifiers: rare ones of outputs by content, those the assistant wrote by content, names by row."""

    def __init__(
        self,
        trace: Trace,
        texts: Texts,
        calls: Calls,
        options: LabelOptions,
        payloads: Int64,
        results: list[int],
    ) -> None:
        contents = trace.contents
        assert texts.decode is not None
        authored = np.isin(contents.kind, _AUTHORED)
        first = payloads == np.arange(len(contents))
        wanted = np.flatnonzero((contents.offsets[1:] > contents.offsets[:-1]) & (authored | first))
        escaped = frozenset(_escaped(trace, texts, calls, wanted.tolist()))
        words = identifiers(contents, wanted.tolist(), escaped, texts.decode, options)
        # Content numbers take the place of the lowest bits of the hashes: then one sort brings every identifier
        # together, in order of first sight, and what is left of a hash is still as good as unique.
        self.bits = np.uint64(max(1, len(contents) - 1).bit_length())
        pairs = np.sort((words.hash >> self.bits << self.bits) | words.owner.astype(np.uint64))
        pairs = pairs[np.concatenate((np.ones(min(1, len(pairs)), dtype=bool), pairs[1:] != pairs[:-1]))]
        owner = (pairs & ((np.uint64(1) << self.bits) - np.uint64(1))).astype(np.int64)
        high = pairs >> self.bits
        new = np.concatenate((np.ones(min(1, len(high)), dtype=bool), high[1:] != high[:-1]))
        number = np.cumsum(new) - 1
        self.size = int(new.sum())
        counted = ~authored[owner]
        seen = np.cumsum(counted)
        before = (seen - counted)[new][number]
        rare = counted & (seen - before <= options.rare_segments)
        answers = np.unique(payloads[trace.segments.content[results]])
        self.rare = _grouped(owner[rare], number[rare], answers)
        self.written = _grouped(owner[~counted], number[~counted], np.flatnonzero(authored))
        self.same = payloads.tolist()
        self.names = self._names(calls, results, high[new])

    def _names(self, calls: Calls, results: list[int], hashes: UInt64) -> dict[int, Int64]:
        found: dict[int, Int64] = {}
        places: dict[str, int] = {}
        for row in results:
            touches = calls.at[calls.call_of[row]].deed.touches
            for touch in touches:
                if touch.path not in places:
                    name = name_hash(touch.path)
                    wanted = np.uint64(name) >> self.bits if name is not None else np.uint64(0)
                    at = int(np.searchsorted(hashes, wanted))
                    known = name is not None and at < self.size and hashes[at] == wanted
                    places[touch.path] = at if known else -1
            numbers = [places[touch.path] for touch in touches if places[touch.path] >= 0]
            if numbers:
                found[row] = np.array(numbers, dtype=np.int64)
        return found


def _escaped(trace: Trace, texts: Texts, calls: Calls, wanted: list[int]) -> set[int]:
    """Contents that spell their text as in JSON."""
    kind = trace.contents.kind.tolist()
    content = trace.segments.content.tolist()
    found = {content[row] for row, call in calls.at.items() if call.start or call.deed.structured}
    for one in wanted:
        if kind[one] in _AUTHORED:
            continue
        framing = int(trace.contents.framing[one])
        head = trace.contents.token_ids(one)[framing : framing + 1].tolist()
        if texts.decode is not None and texts.decode(head)[:1] in ("{", "["):
            found.add(one)
    return found


def _grouped(owner: Int64, number: Int64, wanted: Int64) -> dict[int, Int64]:
    """The numbers of each owner that is wanted; owners without any have an empty array."""
    size = int(number.max()) + 1 if len(number) else 1
    owner, number = np.divmod(np.sort(owner * size + number), size)
    starts = np.searchsorted(owner, wanted, side="left").tolist()
    ends = np.searchsorted(owner, wanted, side="right").tolist()
    return {one: number[a:b] for one, a, b in zip(wanted.tolist(), starts, ends, strict=True)}


class _Lineages:
    """One pass over every lineage: when was each identifier last written, and was that after the output?"""

    def __init__(
        self, trace: Trace, known: _Known, results: set[int], order: list[int], depths: list[int]
    ) -> None:
        self.trace, self.known, self.results = trace, known, results
        self.content = trace.segments.content.tolist()
        self.parent = trace.segments.parent.tolist()
        # Every position of every lineage has a number of its own, so the last use of an identifier in another
        # lineage lies before all positions of this one.
        self.last = np.full(known.size, -1, dtype=np.int64)
        self.position = 0
        self.copy = self._copies(order, depths)
        self.found: dict[int, Use] = {}

    def run(self) -> dict[int, Use]:
        lineages: dict[str, list[int]] = {}
        for request, lineage in enumerate(self.trace.requests["lineage_id"].to_list()):
            lineages.setdefault(lineage, []).append(request)
        seen = [-1] * len(self.parent)
        for number, requests in enumerate(lineages.values()):
            self._lineage(number, requests, seen)
        return self.found

    def _copies(self, order: list[int], depths: list[int]) -> dict[int, int]:
        """The how many-th of its content each row is on its path, for the rows that matter."""
        journal = Journal()
        counts: dict[int, int] = {}
        found: dict[int, int] = {}
        content, results, written = self.content, self.results, self.known.written
        for row in journal.visit(order, depths):
            if row in results or content[row] in written:
                found[row] = copy = counts.get(content[row], 0) + 1
                journal.set(counts, content[row], copy)
        return found

    def _lineage(self, number: int, requests: list[int], seen: list[int]) -> None:
        at: dict[tuple[int, int], int] = {}
        outputs: list[tuple[int, tuple[int, int]]] = []
        written, last, copies = self.known.written, self.last, self.copy
        for request in requests:
            rows: list[int] = []
            row = int(self.trace.last_output[request])
            while row >= 0 and seen[row] != number:
                seen[row] = number
                if row in copies:
                    rows.append(row)
                row = self.parent[row]
            for row in reversed(rows):
                key = self.content[row], copies[row]
                if key not in at:
                    at[key] = self.position
                    if key[0] in written:
                        last[written[key[0]]] = self.position
                    self.position += 1
                if row in self.results:
                    outputs.append((row, key))
        for row, key in outputs:
            self._judge(row, at[key])

    def _judge(self, row: int, position: int) -> None:
        rare = self.known.rare[self.known.same[self.content[row]]]
        if not len(rare):
            return
        used = int(np.count_nonzero(self.last[rare] > position))
        named = bool((self.last[self.known.names.get(row, _NOTHING)] > position).any())
        before = self.found.get(row)
        if before is not None:
            used, named = max(used, before.used), named or before.named
        self.found[row] = Use(used, len(rare), named)
