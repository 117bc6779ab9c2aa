"""When requests start and their responses begin, as caches with lifetimes need it. In: a workload. Out: `Moments`."""

from __future__ import annotations

from dataclasses import dataclass

from cachelens.simulate.workload import Workload

#: What is said of a trace without times.
UNTIMED = "Not every request has a start time: expiry is not applicable, nothing expires."


@dataclass(frozen=True)
class Moments:
    """Microseconds, one entry per request; where the trace has no times, the number of the request.

    `start`: lifetimes run from here. `ready`: from here on others can read what the request wrote. `timed`
    says whether these are times at all; `notes` what had to be taken instead.
    """

    start: list[int]
    ready: list[int]
    timed: bool
    notes: tuple[str, ...]


def moments(work: Workload, concurrent: bool = True) -> Moments:
    """Starts, and beginnings of responses or else their ends.

    `concurrent` False: every response begins before the next request starts.
    """
    if work.start_us is None:
        count = list(range(len(work)))
        return Moments(count, count, False, (UNTIMED,))
    start: list[int] = work.start_us.tolist()
    if not concurrent:
        return Moments(start, start, True, ())
    frame = work.trace.requests
    first = frame["first_token_at"].to_physical().to_list()
    end = frame["ended_at"].to_physical().to_list()
    ready: list[int] = []
    by_end = at_once = 0
    for request in range(len(work)):
        if first[request] is not None:
            ready.append(max(first[request], start[request]))
        elif end[request] is not None:
            by_end += 1
            ready.append(max(end[request], start[request]))
        else:
            at_once += 1
            ready.append(start[request])
    notes = []
    if by_end:
        notes.append(
            f"Responses whose first token has no time: {by_end:,}; what they wrote is readable at their end."
        )
    if at_once:
        notes.append(f"Responses without times: {at_once:,}; what they wrote is readable at once.")
    return Moments(start, ready, True, tuple(notes))
