"""Both planes of the accounting in one: each prompt token has an outcome, a label and at most one bucket.

In: a trace, `Outcomes` under one cache, `Labels`. Out: a `Ledger`: sums per request, and rows of any request.
The sums follow what is labeled or computed, not what is sent: labels are kept up to date along one walk over
the distinct prompt positions, and only computed tokens are looked at one segment after the other.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from cachelens.model.kinds import BUCKET_CODE, BUCKETS, KIND_CODE, LABEL_CODE, LABELS, OUTCOME_CODE, OUTCOMES
from cachelens.model.labels import Labels
from cachelens.model.outcomes import Outcomes
from cachelens.model.trace import Int64, Trace

_RESULT = KIND_CODE["tool_result"]
_LIVE = LABEL_CODE["live"]
#: Labels of what is sent twice, and of what is no longer of use.
_REPEATED = frozenset(LABEL_CODE[name] for name in ("dup_exact", "dup_call", "echo"))
_STALE = frozenset(
    LABEL_CODE[name] for name in ("superseded_read", "superseded_write", "failed_rerun", "unreferenced")
)
_NOT_AGAIN = frozenset(OUTCOME_CODE[name] for name in ("hit", "fresh"))
_HIT, _DIVERGENCE = OUTCOME_CODE["hit"], OUTCOME_CODE["divergence"]
_NONE, _RETRANSMISSION, _REPARSING, _HISTORY = (BUCKET_CODE[name] for name in BUCKETS)


def bucket_of(outcome: int, label: int, is_result: bool) -> int:
    """The bucket of a token: index into BUCKETS, from its outcome, its label and whether a tool gave it."""
    again = outcome not in _NOT_AGAIN
    if is_result and (again or label in _REPEATED):
        return _REPARSING
    if label in _STALE:
        return _HISTORY
    return _RETRANSMISSION if again else _NONE


class LedgerRow(NamedTuple):
    """Tokens `[lo, hi)` of a prompt, all in segment row `row`. Codes index OUTCOMES, LABELS and BUCKETS.

    `label_cause`: the segment row that makes the label so (-1: none).
    """

    lo: int
    hi: int
    row: int
    outcome: int
    label: int
    label_cause: int
    bucket: int


@dataclass(frozen=True, eq=False)
class Ledger:
    """The accounts of a trace.

    Per request: `labels[i, l]` tokens with label l, `carried[i, b]` tokens in bucket b, and `computed[i, b]`
    those of them that were not served. Over all requests: `causes[b, o]` tokens of bucket b with outcome o,
    `held[b]` tokens that an unlimited cache holds for it, each counted once. `spans`: rows (bucket, lo, hi), the
    computed tokens of buckets by their place in their prompts.
    """

    trace: Trace
    outcomes: Outcomes
    facts: Labels
    labels: Int64
    carried: Int64
    computed: Int64
    causes: Int64
    held: Int64
    spans: Int64

    def rows(self, request: int) -> list[LedgerRow]:
        """Every token of one request, in order, without gaps: its outcome, label and bucket."""
        path = self.trace.segments.path(int(self.trace.last_segment[request])).tolist()
        segments, tokens = self.trace.segments, self.trace.contents.tokens
        on_path = set(path)
        facts: defaultdict[int, list[_Fact]] = defaultdict(list)
        for row in path:
            facts[row] = [fact for fact in self._by_row.get(row, ()) if fact.since in on_path]
        first, last = np.searchsorted(self.outcomes.request, [request, request + 1])
        runs = [
            (int(self.outcomes.lo[at]), int(self.outcomes.hi[at]), int(self.outcomes.outcome[at]))
            for at in range(first, last)
        ]
        found: list[LedgerRow] = []
        start, at = 0, 0
        for row in path:
            end = start + int(tokens[segments.content[row]])
            is_result = int(segments.kind[row]) == _RESULT
            for lo, hi, label, cause in _pieces(facts[row], end - start):
                lo, hi = start + lo, start + hi
                while lo < hi:
                    while runs[at][1] <= lo:
                        at += 1
                    stop = min(hi, runs[at][1])
                    outcome = runs[at][2]
                    bucket = bucket_of(outcome, label, is_result)
                    found.append(LedgerRow(lo, stop, row, outcome, label, cause, bucket))
                    lo = stop
            start = end
        return found

    @cached_property
    def _by_row(self) -> dict[int, list[_Fact]]:
        return _by_row(self.facts)


class _Fact(NamedTuple):
    """One label of a segment row, as in `Labels`."""

    lo: int
    hi: int
    label: int
    since: int
    cause: int


def _by_row(labels: Labels) -> dict[int, list[_Fact]]:
    found: dict[int, list[_Fact]] = {}
    columns = (labels.row, labels.lo, labels.hi, labels.label, labels.since, labels.cause)
    for row, *fact in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault(row, []).append(_Fact(*fact))
    return found


def _pieces(facts: Sequence[_Fact], tokens: int) -> list[tuple[int, int, int, int]]:
    """(lo, hi, label, cause) of a whole segment, without gaps; of overlapping facts the lowest label counts."""
    if not facts:
        return [(0, tokens, _LIVE, -1)] if tokens else []
    edges = sorted({0, tokens, *(min(f.lo, tokens) for f in facts), *(min(f.hi, tokens) for f in facts)})
    pieces: list[tuple[int, int, int, int]] = []
    for lo, hi in itertools.pairwise(edges):
        holding = [fact for fact in facts if fact.lo <= lo and fact.hi >= hi]
        best = min(holding, key=lambda fact: (fact.label, fact.since), default=None)
        label, cause = (best.label, best.cause) if best else (_LIVE, -1)
        if pieces and pieces[-1][2:] == (label, cause):
            pieces[-1] = (pieces[-1][0], hi, label, cause)
        else:
            pieces.append((lo, hi, label, cause))
    return pieces


def ledger(trace: Trace, outcomes: Outcomes, labels: Labels) -> Ledger:
    """The accounts of `trace` under the cache that `outcomes` came from."""
    return _Walk(trace, outcomes, labels).run()


@dataclass
class _Walk:
    """One walk over the segment trie, children after parents; what holds on the path is kept and taken back."""

    trace: Trace
    outcomes: Outcomes
    facts: Labels
    by_since: defaultdict[int, list[tuple[int, _Fact]]] = field(init=False)

    def run(self) -> Ledger:
        trace = self.trace
        count = len(trace)
        self.labels = np.zeros((count, len(LABELS)), dtype=np.int64)
        self.carried = np.zeros((count, len(BUCKETS)), dtype=np.int64)
        self.computed = np.zeros((count, len(BUCKETS)), dtype=np.int64)
        self.causes = np.zeros((len(BUCKETS), len(OUTCOMES)), dtype=np.int64)
        self.held = np.zeros(len(BUCKETS), dtype=np.int64)
        self.spans = array("q")
        self.tokens: list[int] = trace.contents.tokens[trace.segments.content].tolist()
        self.result: list[bool] = (trace.segments.kind == _RESULT).tolist()
        self.by_since = defaultdict(list)
        for row, facts in _by_row(self.facts).items():
            for fact in facts:
                self.by_since[fact.since].append((row, fact))
            self._hold(row, facts)
        self._runs()
        self._walk()
        return Ledger(
            trace,
            self.outcomes,
            self.facts,
            self.labels,
            self.carried,
            self.computed,
            self.causes,
            self.held,
            np.frombuffer(self.spans, dtype=np.int64).reshape(-1, 3),
        )

    def _hold(self, row: int, facts: Sequence[_Fact]) -> None:
        """Count what an unlimited cache holds of a labeled segment, whatever request it is for."""
        for lo, hi, label, _ in _pieces(facts, self.tokens[row]):
            bucket = bucket_of(_HIT, label, self.result[row])
            if bucket != _NONE:
                self.held[bucket] += hi - lo

    def _runs(self) -> None:
        """Outcome runs of each request beyond its hit."""
        out = self.outcomes
        keep = out.outcome != _HIT
        columns = (out.request, out.lo, out.hi, out.outcome)
        self.missed: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for request, lo, hi, outcome in zip(*(c[keep].tolist() for c in columns), strict=True):
            self.missed[request].append((lo, hi, outcome))

    def _walk(self) -> None:
        trace = self.trace
        parent = trace.segments.parent.tolist()
        children: defaultdict[int, list[int]] = defaultdict(list)
        for row in range(len(parent) - 1, -1, -1):
            children[parent[row]].append(row)
        ending: defaultdict[int, list[int]] = defaultdict(list)
        for request, row in enumerate(trace.last_segment.tolist()):
            ending[row].append(request)
        self.rows: list[int] = []  # the path
        self.ends: list[int] = []  # tokens up to the end of each of its segments
        self.active: dict[int, list[_Fact]] = {}
        self.sums: defaultdict[int, int] = defaultdict(int)  # label * 2 + whether a tool gave it -> tokens
        for request in ending[-1]:
            self._close(request)
        stack = [(row, False) for row in children[-1]]
        while stack:
            row, left = stack.pop()
            if left:
                self._leave(row)
                continue
            self._enter(row)
            for request in ending.get(row, ()):
                self._close(request)
            stack.append((row, True))
            stack += [(child, False) for child in children.get(row, ())]

    def _enter(self, row: int) -> None:
        self.rows.append(row)
        self.ends.append((self.ends[-1] if self.ends else 0) + self.tokens[row])
        for labeled, fact in self.by_since.get(row, ()):
            self._sum(labeled, -1)
            self.active.setdefault(labeled, []).append(fact)
            self._sum(labeled, 1)

    def _leave(self, row: int) -> None:
        for labeled, _ in reversed(self.by_since.get(row, ())):
            self._sum(labeled, -1)
            facts = self.active[labeled]
            facts.pop()
            if facts:
                self._sum(labeled, 1)
            else:
                del self.active[labeled]
        self.rows.pop()
        self.ends.pop()

    def _sum(self, row: int, sign: int) -> None:
        facts = self.active.get(row)
        if facts:
            for lo, hi, label, _ in _pieces(facts, self.tokens[row]):
                self.sums[label * 2 + self.result[row]] += sign * (hi - lo)

    def _close(self, request: int) -> None:
        """Book one request, whose prompt is the path."""
        labels = self.labels[request]
        labeled = 0
        for key, tokens in self.sums.items():
            label, is_result = key // 2, bool(key % 2)
            if label != _LIVE and tokens:
                labels[label] += tokens
                labeled += tokens
                self.carried[request, bucket_of(_HIT, label, is_result)] += tokens
        labels[_LIVE] = (self.ends[-1] if self.ends else 0) - labeled
        for lo, hi, outcome in self.missed.get(request, ()):
            self._book(request, lo, hi, outcome)
        self._hits(request)

    def _book(self, request: int, lo: int, hi: int, outcome: int) -> None:
        """Move computed tokens `[lo, hi)` to the buckets that their outcome puts them in."""
        at = bisect_right(self.ends, lo)
        while lo < hi:
            row, start = self.rows[at], self.ends[at] - self.tokens[self.rows[at]]
            end = min(hi, self.ends[at])
            is_result = self.result[row]
            facts = self.active.get(row, ())
            for first, last, label, _ in _pieces(facts, self.tokens[row]):
                tokens = min(end, start + last) - max(lo, start + first)
                if tokens <= 0:
                    continue
                served = bucket_of(_HIT, label, is_result)
                bucket = bucket_of(outcome, label, is_result)
                if bucket != served:
                    self.carried[request, served] -= tokens if served != _NONE else 0
                    self.carried[request, bucket] += tokens
                if bucket != _NONE:
                    self.computed[request, bucket] += tokens
                    self.causes[bucket, outcome] += tokens
                    self._span(bucket, max(lo, start + first), min(end, start + last))
                    if outcome == _DIVERGENCE and label == _LIVE:
                        self.held[bucket] += tokens
            lo = end
            at += 1

    def _span(self, bucket: int, lo: int, hi: int) -> None:
        spans = self.spans
        if len(spans) and spans[-3] == bucket and spans[-1] == lo:
            spans[-1] = hi
        else:
            spans.extend((bucket, lo, hi))

    def _hits(self, request: int) -> None:
        """What is in no bucket is the rest; what is in one and was served counts as a hit in it."""
        total = self.ends[-1] if self.ends else 0
        in_buckets = int(self.carried[request, 1:].sum())
        self.carried[request, _NONE] = total - in_buckets
        for bucket in range(1, len(BUCKETS)):
            self.causes[bucket, _HIT] += int(self.carried[request, bucket] - self.computed[request, bucket])
