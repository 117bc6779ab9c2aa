"""MIN: the most that any eviction policy could have served at a given capacity.

In: the reuse-run table, whose rows read the other way round are next uses. Out: hit tokens per request
under the optimal policy.

What a policy may do: after each request it keeps any of the tokens it held and of those the request
touched, up to the capacity. It may thus decline to keep what was just touched (bypassing), which is what
makes this a bound on policies that do and that do not; and a prompt larger than the cache is served all
the same and may leave part of itself behind, as in the LRU model of `runs`. Room that a running request
occupies is charged to nobody, as there.

Why farthest next use, deepest first, is optimal: next use never comes sooner with depth, so what it drops
is always a leaf and no kept token is out of reach; and among unit-size intervals of which only `capacity`
may overlap, dropping the one that ends last keeps the most. It maximizes hit tokens, not saved FLOPs.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from cachelens.model.trace import Int64
from cachelens.prefix.runs import ReuseRuns


def min_hits(runs: ReuseRuns, n: int, capacity: int) -> Int64:
    """Hit tokens of each of `n` requests under MIN at `capacity` tokens. O(rows log rows).

    Which requests get the hits is a choice among equals; the total is the optimum.
    Raises ValueError for a negative capacity, or a table whose requests did not touch all they looked up:
    there a token can be used without being offered again, and the exchange argument fails.
    """
    return _Replay(runs, n).hits(capacity)


def min_curve(runs: ReuseRuns, n: int, capacities: npt.ArrayLike) -> Int64:
    """Total hit tokens under MIN at each of `capacities`; conditions as for `min_hits`."""
    replay = _Replay(runs, n)
    asked = np.asarray(capacities, dtype=np.int64)
    totals = [int(replay.hits(capacity).sum()) for capacity in asked.ravel().tolist()]
    return np.array(totals, dtype=np.int64).reshape(asked.shape)


class _Replay:
    """The rows of a table, in the order in which their tokens were last touched."""

    def __init__(self, runs: ReuseRuns, n: int) -> None:
        if not runs.covering:
            raise ValueError("MIN needs requests that touch all they look up")
        self.page = runs.page
        self.requests = n
        order = np.argsort(runs.last_request, kind="stable")
        self.last: list[int] = runs.last_request[order].tolist()
        self.next: list[int] = runs.request[order].tolist()
        self.tokens: list[int] = runs.tokens[order].tolist()

    def hits(self, capacity: int) -> Int64:
        """Hit tokens per request: keep all that has a next use, drop the farthest when it is too much."""
        if capacity < 0:
            raise ValueError("capacities must not be negative")
        capacity = capacity // self.page * self.page
        # Of the tokens wanted by one request the deepest go first, and those it wants that are touched
        # later are shallower still: how many are kept says which.
        kept = [0] * self.requests
        held = 0  # all tokens kept for a later request
        farthest: list[int] = []  # heap of next uses, negated
        row, rows = 0, len(self.last)
        for request in range(self.requests):
            held -= kept[request]
            while row < rows and self.last[row] == request:
                wanted = self.next[row]
                heappush(farthest, -wanted)
                kept[wanted] += self.tokens[row]
                held += self.tokens[row]
                row += 1
            while held > capacity:
                wanted = -farthest[0]
                dropped = min(kept[wanted], held - capacity)
                kept[wanted] -= dropped
                held -= dropped
                if not kept[wanted]:
                    heappop(farthest)
        return np.array(kept, dtype=np.int64)
