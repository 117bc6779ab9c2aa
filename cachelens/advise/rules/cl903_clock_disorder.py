"""Times are missing, or cannot be true.

What it detects
    Requests without a time of start; requests that start at the very moment as the one they continue, or before
    it had ended, though they send back its reply; ends and first tokens before the start.

Why it costs
    Nothing by itself. Lifetimes, gaps, who ran at the same time and what was evicted when are computed from these
    times, and are only as good as they are.

How it is measured
    Counts of requests. Requests that run at the same time are not disorder: only a request that holds the reply
    of another must have started after it. Clocks of a proxy and of a client differ, and a response may be logged
    as ended when its connection closes, so up to one second counts as in
    order. Fewer than 3 requests out of order, and fewer than a tenth, are left alone.

How to fix
    Capture with times of start and end for each call, in milliseconds or finer. If only the order is known, use
    `--sequential`, and engines without lifetimes.

Example
    A log that writes one time for each batch: 40 requests of a conversation carry the same second.

When to ignore
    When nothing expires and nothing is evicted in the replay, times do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules.wording import count
from cachelens.model.trace import Trace

#: Microseconds by which times of one exchange may be off.
TOLERANCE_US = 1_000_000
#: Requests out of order before anything is said, in number or as a share of those that send back a reply.
_LEAST, _LEAST_SHARE = 3, 0.1


class ClockDisorder:
    """CL903."""

    code = "CL903"
    name = "clock-disorder"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per kind of disorder."""
        trace = case.trace
        start, first, end = (
            trace.requests[name].to_physical().to_list()
            for name in ("started_at", "first_token_at", "ended_at")
        )
        requests = range(len(case))
        missing = [r for r in requests if start[r] is None]
        if missing:
            yield _candidate(
                case, "missing", f"{len(missing):,} of {count(len(case), 'request')} without a time", missing
            )
        backwards = [
            r
            for r in requests
            if start[r] is not None and any(at is not None and at < start[r] for at in (first[r], end[r]))
        ]
        if backwards:
            title = f"{count(len(backwards), 'response')} with times before the request"
            yield _candidate(case, "ends-before-start", title, backwards)
        equal, early = [], []
        worst = answering = 0
        for request, before in enumerate(trace.predecessor.tolist()):
            if before < 0 or start[request] is None or start[before] is None:
                continue
            if not _answers(case, before, request):
                continue
            answering += 1
            ended = end[before]
            if start[request] == start[before]:
                equal.append(request)
            elif ended is not None and ended - start[request] > TOLERANCE_US:
                early.append(request)
                worst = max(worst, ended - start[request])
        least = min(_LEAST, _LEAST_SHARE * answering)
        if equal and len(equal) >= least:
            title = f"{len(equal):,} of {count(answering, 'request')} start with the request whose reply they send back"
            yield _candidate(case, "equal", title, equal)
        if early and len(early) >= least:
            title = (
                f"{len(early):,} of {count(answering, 'request')} start before the reply in them had ended"
            )
            yield _candidate(
                case, "before-its-cause", title, early, {"most seconds too early": round(worst / 1e6, 1)}
            )


def _answers(case: Case, before: int, request: int) -> bool:
    """Whether a request sends back something of the reply to the one it continues."""
    trace: Trace = case.trace
    if trace.last_output[before] == trace.last_segment[before]:
        return False
    pair = case.past.pairs.get(request)
    if pair is not None:
        return pair.echoed
    work = case.work
    # All of it: the frame of a message alone begins like that of any other.
    shared = work.forest.common_depth(int(work.kept[before]), int(work.prompt[request]))
    return shared == int(work.kept_tokens[before]) > int(work.prompt_tokens[before])


def _candidate(
    case: Case,
    kind: str,
    title: str,
    requests: Sequence[int],
    details: dict[str, int | float | str] | None = None,
) -> Candidate:
    return Candidate(
        title=title,
        group=(kind,),
        place=None,
        requests=requests,
        tokens=int(case.work.prompt_tokens[list(requests)].sum()),
        measure="prompt tokens of these requests",
        fix="capture when each call started and ended, in milliseconds",
        verdict=Verdict.DIAGNOSTIC,
        details={"requests": len(requests), **(details or {})},
    )
