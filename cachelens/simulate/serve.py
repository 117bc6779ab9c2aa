"""Requests in time through one cache. In: a workload, a `Cache`. Out: a `Replay`.

Requests start in order of the trace. Where every request has a start and an end, those that overlap run
at the same time: what they hold is pinned, and one that finds no room waits, first come first served,
and then takes as long as it took in the trace. Without times each request ends before the next begins.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

import numpy as np

from cachelens.simulate.engine import Cache, Replay
from cachelens.simulate.workload import Workload


def serve(work: Workload, cache: Cache, concurrent: bool = True) -> Replay:
    """Replay the requests of `work.order`. `concurrent` False: one after the other, whatever the times."""
    hit = np.zeros(len(work), dtype=np.int64)
    rejected = np.zeros(len(work), dtype=np.bool_)
    waited = 0
    if not concurrent or work.start_us is None or work.end_us is None:
        for request in work.order.tolist():
            if cache.fits(request):
                served = cache.start(request)
                if served is None:
                    raise RuntimeError("a request that fits an idle cache was refused")
                hit[request] = served
                cache.finish(request)
            else:
                rejected[request] = True
        return Replay(hit=hit, rejected=rejected, evicted_tokens=cache.evicted_tokens)

    running: list[tuple[int, int]] = []  # heap of (end, request)
    waiting: deque[int] = deque()
    start, end = work.start_us.tolist(), work.end_us.tolist()

    def finish_until(now: int | None) -> None:
        """Finish what ends up to `now` (None: everything), and let waiting requests start then."""
        nonlocal waited
        while running and (now is None or running[0][0] <= now):
            clock, done = heappop(running)
            cache.finish(done)
            while waiting:
                served = cache.start(waiting[0])
                if served is None:
                    break
                request = waiting.popleft()
                hit[request] = served
                heappush(running, (clock + max(end[request] - start[request], 0), request))

    for request in work.order.tolist():
        finish_until(start[request])
        if not cache.fits(request):
            rejected[request] = True
            continue
        served = None if waiting else cache.start(request)
        if served is None:
            waiting.append(request)
            waited += 1
            continue
        hit[request] = served
        heappush(running, (max(end[request], start[request]), request))
    finish_until(None)
    if waiting:
        raise RuntimeError("requests were still waiting when the cache was idle")
    return Replay(hit=hit, rejected=rejected, waited=waited, evicted_tokens=cache.evicted_tokens)
