"""What servers said against what was simulated. In: a trace, hits. Out: verdicts and sums over the same requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cachelens.advise.case import Case, Told
from cachelens.advise.rules.shortfalls import Shortfalls, difference
from cachelens.model.findings import Confusion
from cachelens.model.kinds import OUTCOMES
from cachelens.model.trace import Int64, Trace
from cachelens.simulate.workload import Workload

#: Half of what vocabularies and framing make of a cached share on captures that hold whole prompts.
TOLERANCE = Fraction(2, 100)
#: Requests of a lineage that are looked through for a prompt that is a prefix of another.
_LOOKED_BACK = 64
#: Reasons for missing that a cache has, in the order in which equal losses are named.
_CAUSES = tuple(name for name in OUTCOMES if name not in ("hit", "fresh", "divergence"))


@dataclass(frozen=True, eq=False)
class Reported:
    """`told`: requests whose server reported both counts; their `cached` and `prompt` tokens as it counts them."""

    told: Int64
    cached: Int64
    prompt: Int64

    def gap(self, hit: Int64, prompt_tokens: Int64) -> float | None:
        """Simulated less reported hit rate over these requests; None when there is nothing to compare."""
        ours, theirs = int(prompt_tokens[self.told].sum()), int(self.prompt.sum())
        if not ours or not theirs:
            return None
        return float(Fraction(int(hit[self.told].sum()), ours) - Fraction(int(self.cached.sum()), theirs))

    def expected(self, hit: Int64, work: Workload) -> Int64:
        """For each of these requests the tokens of `hit` as its server would count them.

        Vocabularies differ, and by more for tool schemas than for prose. Servers have counted prefixes of the
        prompt themselves: the prompts of requests that it goes on from. Between two such places, and the ends
        of the prompt, tokens are taken to correspond in proportion.
        """
        counted = dict(zip(self.told.tolist(), self.prompt.tolist(), strict=True))
        predecessor, ends = work.trace.predecessor.tolist(), work.prompt.tolist()
        ours: list[int] = work.prompt_tokens.tolist()
        found = np.zeros(len(self.told), dtype=np.int64)
        for at, request in enumerate(self.told.tolist()):
            depth = int(hit[request])
            below, above = (0, 0), (ours[request], counted[request])
            before = predecessor[request]
            for _ in range(_LOOKED_BACK if depth else 0):
                if before < 0 or below[0]:
                    break
                # Servers that go through a prompt several times (tools of their own) count it as often.
                if counted.get(before, above[1] + 1) <= above[1]:
                    whole = work.forest.common_depth(ends[before], ends[request]) == ours[before]
                    if whole and ours[before] <= depth:
                        below = (ours[before], counted[before])
                    elif whole:
                        above = (ours[before], counted[before])
                before = predecessor[before]
            found[at] = _between(below, above, depth)
        return found

    def verdicts(self, hit: Int64, work: Workload) -> list[str]:
        """For each of these requests `as expected`, `less` or `more` cached than simulated.

        Both as the server counts them; TOLERANCE of the prompt apart is as expected.
        """
        found = []
        for expected, cached, prompt in zip(
            self.expected(hit, work).tolist(), self.cached.tolist(), self.prompt.tolist(), strict=True
        ):
            above = cached - expected
            close = abs(above) <= TOLERANCE * prompt
            found.append("as expected" if close else "more" if above > 0 else "less")
        return found


def _between(below: tuple[int, int], above: tuple[int, int], depth: int) -> int:
    """Where `depth` lies between two pairs of (our count, their count), rounded to the nearer token."""
    (x, y), (x_above, y_above) = below, above
    if x_above <= x:
        return y
    return y + round(Fraction((depth - x) * (y_above - y), x_above - x))


def reported(trace: Trace) -> Reported:
    """The requests of `trace` whose server reported prompt and cached tokens."""
    frame = trace.requests
    cached, prompt = frame["reported_cache_read_tokens"], frame["reported_prompt_tokens"]
    told = np.flatnonzero((cached.is_not_null() & prompt.is_not_null()).to_numpy())
    return Reported(
        told=told.astype(np.int64),
        cached=cached.fill_null(0).to_numpy()[told].astype(np.int64),
        prompt=prompt.fill_null(0).to_numpy()[told].astype(np.int64),
    )


def told_of(work: Workload, hit: Int64) -> Told:
    """What servers said about the requests of a workload, beside what `hit` lets expect."""
    said = reported(work.trace)
    cached, prompt, expected = (np.full(len(work), -1, dtype=np.int64) for _ in range(3))
    cached[said.told], prompt[said.told] = said.cached, said.prompt
    expected[said.told] = said.expected(hit, work)
    verdict = [""] * len(work)
    for request, word in zip(said.told.tolist(), said.verdicts(hit, work), strict=True):
        verdict[request] = word
    return Told(cached, prompt, verdict, expected, float(TOLERANCE))


def confusion(case: Case) -> Confusion | None:
    """What servers reported against the simulation of `case`; None when they reported nothing."""
    told = [request for request, word in enumerate(case.told.verdict) if word]
    if not told:
        return None
    verdicts = Counter(case.told.verdict[request] for request in told)
    explained: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    shortfalls = Shortfalls(case)
    tokens = Counter(less=0, more=0, unexplained=0)
    for request in told:
        verdict = case.told.verdict[request]
        if verdict == "as expected":
            continue
        apart = abs(difference(case, request))
        tokens[verdict] += apart
        why = shortfalls.explain(request)
        if why is None:
            tokens["unexplained"] += apart
        else:
            explained[why] += 1
    for request, theirs in enumerate(case.trace.requests["reported_miss_reason"].to_list()):
        if theirs is not None:
            reasons.setdefault(_ours(case, request), Counter())[theirs] += 1
    return Confusion(
        told=len(told),
        as_expected=verdicts["as expected"],
        less=verdicts["less"],
        more=verdicts["more"],
        less_tokens=tokens["less"],
        more_tokens=tokens["more"],
        unexplained=verdicts["less"] + verdicts["more"] - explained.total(),
        unexplained_tokens=tokens["unexplained"],
        explained=dict(sorted(explained.items())),
        reasons={ours: dict(sorted(theirs.items())) for ours, theirs in sorted(reasons.items())},
    )


def _ours(case: Case, request: int) -> str:
    """Why the simulation did not serve all that had been sent before.

    The break of the prompt, as kind and component; else what most tokens were lost to; else `hit`, or `fresh`
    for a prompt of which nothing had been sent.
    """
    broken = case.past.breaks.get(request)
    if broken is not None:
        return f"{broken.kind} {broken.component}"
    lost = {name: case.lost(request, name) for name in _CAUSES}
    worst = max(lost, key=lambda name: lost[name])
    if lost[worst]:
        return worst
    return "hit" if case.replay.hit[request] else "fresh"
