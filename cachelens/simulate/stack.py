"""Who pushed tokens off the LRU stack. In: reuse runs and a capacity. Out: the evictor of each miss.

Of what a request touched, later requests take away leading parts only, since paths share leading parts only:
what it used last is one stretch of its path, of which the deepest tokens lie lowest in the stack. So the
bottom of the cache moves from request to request, the oldest first, and from deep to shallow within each.
"""

from __future__ import annotations

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.runs import ReuseRuns


def stack_evictors(runs: ReuseRuns, touched: ReuseRuns, touched_tokens: Int64, capacity: int) -> Int64:
    """For each request of `runs`: during which request its first missed token fell out of `capacity` tokens.

    -1 where that token was never touched, or nothing was missed. `touched` are the runs of the same requests
    when each looks up all that it touches, `touched_tokens` how much that is. A request that touches more
    than the capacity pushes out its own tokens. Requests are numbered as in `runs`.
    """
    page = runs.page
    room = capacity // page * page
    count = len(touched_tokens)
    found = np.full(count, -1, dtype=np.int64)
    served = np.clip(room - runs.above, 0, runs.tokens)
    lost = np.flatnonzero(served < runs.tokens)
    asker, first = np.unique(runs.request[lost], return_index=True)  # the shallowest run that is not whole
    row = lost[first]
    depth = runs.lo[row] + served[row]
    if not len(row):
        return found
    owner, left, by = _bottom(touched, touched_tokens // page * page, room)
    # Ascending: by owner, and for one owner from deep to shallow.
    span = int(touched_tokens.max()) + 1
    keys = owner * span + (span - 1 - left)
    # The first entry at which no more than `depth` tokens of the path of the owner were left.
    at = np.searchsorted(keys, runs.last_request[row] * span + (span - 1 - depth))
    found[asker] = by[at]
    return found


def _bottom(runs: ReuseRuns, tokens: Int64, room: int) -> tuple[Int64, Int64, Int64]:
    """How the bottom of the cache moves: whose stretch is cut, down to which depth it stays, and by whom."""
    count = len(tokens)
    top = [0] * count  # of what a request used last the cache holds depths top to end
    end = [0] * count
    owners: list[int] = []
    left: list[int] = []
    by: list[int] = []
    held = oldest = 0
    row, rows = 0, len(runs)
    request_of: list[int] = runs.request.tolist()
    last_of: list[int] = runs.last_request.tolist()
    hi_of: list[int] = runs.hi.tolist()
    for request, touched in enumerate(tokens.tolist()):
        while row < rows and request_of[row] == request:
            last, hi = last_of[row], hi_of[row]
            held -= max(min(hi, end[last]) - top[last], 0)
            top[last] = hi
            row += 1
        end[request] = touched
        held += touched
        while held > room:
            have = end[oldest] - top[oldest]
            if have <= 0:
                oldest += 1
                continue
            cut = min(have, held - room)
            end[oldest] -= cut
            held -= cut
            owners.append(oldest)
            left.append(end[oldest])
            by.append(request)
    return np.array(owners, np.int64), np.array(left, np.int64), np.array(by, np.int64)
