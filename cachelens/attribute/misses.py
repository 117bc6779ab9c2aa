"""Who used a missed token last, and how long ago. In: reuse runs, requests and depths. Out: requests, microseconds.

Who pushed out what was lost to capacity, and how long ago an expired prefix was used, an engine says itself
(`Replay.evictor`, `Replay.idle_us`): only it knows what was resident, and what counts as a use.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cachelens.model.trace import Int64
from cachelens.prefix.runs import ReuseRuns
from cachelens.simulate.workload import Workload


def last_use(runs: ReuseRuns, request: npt.ArrayLike, depth: npt.ArrayLike) -> Int64:
    """The request that last touched the token at each `depth` (0-based, in tokens) of each `request` before it.

    `request` and the answer are numbered as in `runs`: by their place in `Workload.order`, which for a whole
    trace is their own number. -1 for tokens that no earlier request touched, and depths beyond the prompt.
    Broadcasts; O(log rows) for each. Raises ValueError for a negative depth.
    """
    asker, at = np.broadcast_arrays(np.asarray(request, dtype=np.int64), np.asarray(depth, dtype=np.int64))
    if bool(np.any(at < 0)):
        raise ValueError("a depth must not be negative")
    if not len(runs):
        return np.full(asker.shape, -1, dtype=np.int64)
    span = int(runs.hi.max()) + 1
    # The rows of a request follow one another from depth 0, so the last that begins at or above is the one.
    row = (
        np.searchsorted(runs.request * span + runs.lo, asker * span + np.minimum(at, span - 1), side="right")
        - 1
    )
    inside = (row >= 0) & (runs.request[row] == asker) & (at < runs.hi[row])
    return np.where(inside, runs.last_request[row], -1).astype(np.int64)


def idle_us(work: Workload, request: npt.ArrayLike, last: npt.ArrayLike) -> Int64 | None:
    """Microseconds from the start of request `last` to the start of `request`; -1 where `last` is -1.

    Start to start, as every lifetime here is counted: a request that reads or writes an entry starts it anew
    when it starts, not when its answer ends. Both are numbers of requests of the trace. None where the trace has no
    times. Of an expired prefix `Replay.idle_us` is the gap to take: a request may have sent a token since
    without using the entry that held it. Raises IndexError for numbers that are none of the trace.
    """
    if work.start_us is None:
        return None
    asker, used = np.broadcast_arrays(np.asarray(request, dtype=np.int64), np.asarray(last, dtype=np.int64))
    return np.where(used >= 0, work.start_us[asker] - work.start_us[used], -1).astype(np.int64)
