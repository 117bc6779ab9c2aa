"""The lineages of one session push each other out of the cache.

What it detects
    Tokens lost to capacity that were evicted for the sake of a request of the same session, but of another
    lineage: the main thread and its sub-agents, titles and summaries on the side.

Why it costs
    A sub-agent brings a prompt of its own. While it runs, the main thread is not used, so the cache lets it go,
    and the main thread computes its history again when the sub-agent reports back. With more sub-agents than fit,
    each evicts the next one to run.

How it is measured
    The replay names, for the first token that each request lost, the request for whose sake it was evicted. All
    tokens that the request lost to capacity are counted to that one, and reported when they are 5 % or more of
    what was lost to capacity. They are part of what CL401 counts, so no size is replayed here again.

How to fix
    Run sub-agents one after the other, or fewer at a time; give the main thread a higher priority (`priority` in the
    body, with `--radix-eviction-policy priority` in SGLang); send sub-agents to another replica; or enlarge the
    cache (CL401).

Example
    A main thread of 30,000 tokens and three sub-agents of 20,000 in a cache of 50,000: after every sub-agent the
    main thread is computed anew.

When to ignore
    When the sub-agents do what nothing else could, and the main thread comes back to its prompt once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules.wording import count

#: Share of all tokens lost to capacity below which nothing is said.
_TELLING = 0.05


class LineageThrash:
    """CL405."""

    code = "CL405"
    name = "lineage-thrash"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per kind of session: harness, as far as it is known."""
        by_harness: defaultdict[str, list[int]] = defaultdict(list)
        everything = sum(case.lost(request, "capacity") for request in range(len(case)))
        names = case.trace.requests["harness"].to_list()
        evictor = case.evictor.tolist()
        for request, by in enumerate(evictor):
            if by < 0 or not case.lost(request, "capacity"):
                continue
            same_session = case.sessions[by] == case.sessions[request]
            if same_session and case.lineages[by] != case.lineages[request]:
                by_harness[names[request] or ""].append(request)
        for harness, spoiled in sorted(by_harness.items()):
            if sum(case.lost(request, "capacity") for request in spoiled) > _TELLING * everything:
                yield _candidate(case, harness, spoiled, everything)


def _candidate(case: Case, harness: str, spoiled: list[int], everything: int) -> Candidate:
    pairs: Counter[str] = Counter()
    total = 0
    for request in spoiled:
        lost = case.lost(request, "capacity")
        total += lost
        pairs[f"{_role(case, request)} evicted by {_role(case, int(case.evictor[request]))}"] += lost
    sessions = len({case.sessions[request] for request in spoiled})
    return Candidate(
        title=f"lineages of {count(sessions, 'session')} evict each other: {total:,} tokens computed again",
        group=(harness,),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix="run sub-agents one after the other, give the main thread a priority, or enlarge the cache",
        details={
            **{f"tokens of {words}": tokens for words, tokens in pairs.most_common()},
            "share of all capacity misses": round(total / everything, 4),
        },
    )


def _role(case: Case, request: int) -> str:
    """What a request's lineage is in its session: the longest that none spawned, one that was spawned, or neither."""
    lineages = dict.fromkeys(case.lineages[r] for r in case.requests_of_session[case.sessions[request]])
    own = [one for one in lineages if not _spawned(case, one)]
    main = max(own, key=lambda one: len(case.requests_of_lineage[one]), default=None)
    lineage = case.lineages[request]
    if lineage == main:
        return "the main thread"
    return "a sub-agent" if _spawned(case, lineage) else "another thread"


def _spawned(case: Case, lineage: str) -> bool:
    first = case.requests_of_lineage[lineage][0]
    return case.trace.requests["parent_request_id"][first] is not None
