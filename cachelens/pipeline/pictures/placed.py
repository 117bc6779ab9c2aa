"""Tokens of each position of a trace over all requests: sent, served, sent before. In: a case. Out: `Placed`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cachelens.advise.case import Case
from cachelens.model.trace import Int64


@dataclass(frozen=True, eq=False)
class Placed:
    """Per segment row: `requests` whose prompts hold it, and tokens of it in all of them together: `sent`, of which
    `hit` were served from cache, `repeated` had been sent before."""

    requests: Int64
    sent: Int64
    hit: Int64
    repeated: Int64


def placed(case: Case) -> Placed:
    """Sums over the requests of a case. What is served or repeated is the beginning of a prompt."""
    segments = case.trace.segments
    tokens = case.trace.contents.tokens[segments.content].astype(np.int64)
    start = np.array(case.tree.start, dtype=np.int64)
    parent = segments.parent.tolist()
    ends = case.trace.last_segment.tolist()
    covered = _Covered(parent, tokens, start, ends)
    requests, sent = covered.by(case.work.prompt_tokens)
    _, hit = covered.by(case.replay.hit)
    _, repeated = covered.by(case.reusable)
    return Placed(requests, sent, hit, repeated)


@dataclass(frozen=True, eq=False)
class _Covered:
    """The trie of prompts: row, its parent, its tokens, the tokens before it; `ends` by request."""

    parent: list[int]
    tokens: Int64
    start: Int64
    ends: list[int]

    def by(self, lengths: Int64) -> tuple[Int64, Int64]:
        """Of the first `lengths[request]` tokens of each prompt, by row: requests that reach into it, and tokens."""
        reached = np.zeros(len(self.parent), dtype=np.int64)
        whole = np.zeros(len(self.parent), dtype=np.int64)
        partial = np.zeros(len(self.parent), dtype=np.int64)
        start, parent = self.start.tolist(), self.parent
        for row, length in zip(self.ends, lengths.tolist(), strict=True):
            while row >= 0 and start[row] >= length:
                row = parent[row]
            if row < 0:
                continue
            reached[row] += 1
            partial[row] += length - start[row]
            if parent[row] >= 0:
                whole[parent[row]] += 1
        total, through = reached.tolist(), whole.tolist()
        for row in range(len(parent) - 1, -1, -1):
            above = parent[row]
            if above >= 0:
                total[above] += total[row]
                through[above] += through[row]
        covered = np.array(through, dtype=np.int64) * self.tokens + partial
        return np.array(total, dtype=np.int64), covered
