"""Which prompts hold a segment, for all segments at once. In: a trace. Out: a `Tree`.

Prompts are paths of one trie, so the prompts that hold a row are those that end below it: a slice of all prompts
in depth-first order.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from cachelens.attribute.content.preorder import preorder
from cachelens.model.trace import Int64, Trace

#: Places `[start, stop)` in `Tree.requests`.
Run = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Tree:
    """Rows in depth-first order.

    `enter[row]` is a row's place in that order, `leave[row]` the place behind its last descendant, `start[row]`
    the number of tokens before it in every prompt that holds it. `twin[row]` is the first row with the same contents
    up to and including its own: rows of one prefix may differ in cache breakpoints. `requests` are in order of where
    they end.
    """

    enter: list[int]
    leave: list[int]
    start: list[int]
    twin: list[int]
    requests: Int64
    _ends: list[int]

    def holds(self, above: int, row: int) -> bool:
        """Whether every prompt that holds `row` holds `above`, which is it or precedes it."""
        return self.enter[above] <= self.enter[row] < self.leave[above]

    def run(self, row: int) -> Run:
        """The requests whose prompts hold `row`, as a slice of `requests`."""
        return bisect_left(self._ends, self.enter[row]), bisect_left(self._ends, self.leave[row])

    def holders(self, row: int) -> Int64:
        """The requests whose prompts hold `row`, ascending."""
        start, stop = self.run(row)
        return np.sort(self.requests[start:stop])


def tree_of(trace: Trace) -> Tree:
    """The tree of a trace's prompts and replies."""
    segments = trace.segments
    order, _ = preorder(segments.parent)
    parent = segments.parent.tolist()
    tokens = trace.contents.tokens[segments.content].tolist() if len(segments) else []
    enter, start = [0] * len(order), [0] * len(order)
    for place, row in enumerate(order):
        enter[row] = place
    leave = [place + 1 for place in enter]
    for row in range(len(parent) - 1, -1, -1):
        above = parent[row]
        if above >= 0:
            leave[above] = max(leave[above], leave[row])
    first: dict[tuple[int, int], int] = {}
    twin: list[int] = []
    for row, (above, content) in enumerate(zip(parent, segments.content.tolist(), strict=True)):
        if above >= 0:
            start[row] = start[above] + tokens[above]
        twin.append(first.setdefault((twin[above] if above >= 0 else -1, content), row))
    ends = np.array([enter[row] if row >= 0 else -1 for row in trace.last_segment.tolist()], dtype=np.int64)
    requests = np.argsort(ends, kind="stable").astype(np.int64)
    return Tree(enter, leave, start, twin, requests, ends[requests].tolist())
