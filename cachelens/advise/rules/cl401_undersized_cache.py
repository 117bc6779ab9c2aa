"""The cache is too small for what comes back.

What it detects
    Tokens that the cache had held and had to give up before they were sent again (outcome `capacity`), under an
    engine that has a size.

Why it costs
    An agent sends its whole history with every request. When a session is evicted between two of its turns, its
    next request computes the history from the first evicted token on: with 8 sessions of 50,000 tokens in a cache
    of 300,000 under LRU in turn, every request misses everything, since each session is the least recently used
    one when its turn comes. The loss is not proportional to what is lacking.

How it is measured
    The trace is replayed at up to 12 other sizes by the same engine and policy. Reported is the smallest of them
    that removes 90 % of the tokens lost to capacity, the largest that does not, and the saving of exactly the
    first. 90 % because the last tenth often takes as much memory as the rest: what is used once more after an hour.

How to fix
    A larger cache: `--mem-fraction-static` (SGLang), `--gpu-memory-utilization` (vLLM), fewer bits for KV
    (`--kv-cache-dtype fp8`), or a second tier in host memory (`--enable-hierarchical-cache` for SGLang, LMCache
    for vLLM). Fewer sessions at a time on one replica do the same as a larger cache.

Example
    Two sessions of 6,000 tokens each take turns in a cache of 8,000 tokens. 12,000 tokens hold both.

When to ignore
    When the size in the replay is not that of the server, or other traffic that the capture does not hold shares
    the server: then the replay knows too little of what was in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.simulate.smallest import smallest_capacity

#: Share of capacity misses that the proposed size removes.
REMOVED = 0.9


class UndersizedCache:
    """CL401."""

    code = "CL401"
    name = "undersized-cache"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding, with the smallest size that would do."""
        lost = {request: case.lost(request, "capacity") for request in range(len(case))}
        spoiled = [request for request, tokens in lost.items() if tokens]
        now = case.setup.capacity_tokens
        total = sum(lost.values())
        if now is None or not case.engine.facts.sized or total < case.thresholds.min_tokens:
            return
        size = smallest_capacity(case.engine, case.work, case.setup, REMOVED)
        working_set = case.work.working_set(case.engine.facts.keeps_output)
        details: dict[str, int | float | str] = {"capacity now": now, "working set": working_set}
        if size is not None:
            details = {
                "capacity needed": size.capacity_tokens,
                "share of misses removed": round(size.removed_tokens / size.lost_tokens, 4),
                "too small at": size.fails_at_tokens,
                **details,
            }
        yield Candidate(
            title=f"{total:,} tokens were evicted before they were sent again"
            + (
                f"; a cache of {size.capacity_tokens:,} tokens would have kept "
                f"{size.removed_tokens / size.lost_tokens:.0%} of them"
                if size
                else ""
            ),
            group=(),
            place=None,
            requests=spoiled,
            tokens=total,
            measure="computed again",
            fix="a larger cache, a second tier in host memory, or fewer sessions at a time on one replica",
            plan=Plan(capacity_tokens=size.capacity_tokens) if size is not None else None,
            details=details,
        )
