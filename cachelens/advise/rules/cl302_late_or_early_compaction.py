"""Compaction where it does not pay, or none where it would have paid.

What it detects
    Early: a summary replaced the history, and less than half of the requests followed that it takes to pay for
    itself. Late: a lineage was never compacted, and at some request a summary would have saved more than 20 % of
    the cost of the whole trace, with more than 20 requests of the lineage still to come.

Why it costs
    A summary is generated over the whole history, and the shorter prompt is computed anew; it pays only over
    the requests that follow. Carrying a long history costs the price of cached input with every request.

How it is measured
    Early: as in CL109, whose figures it takes. Late: at list prices alone, for a server of one's own has none. Of the
    tokens behind tools and system prompt a fifth is assumed to stay, 2,000 at least, all of it generated and
    computed anew; what is dropped is counted as served, at the price of cached input, although some of it may
    have cost more. The best request is the one whose later requests save most, less what compaction costs there.
    Nothing is replayed: other prompts would have had other replies.

How to fix
    Set the threshold of automatic compaction by cost instead of by the context window, and compact at a new task.
    Where sessions end soon after, do not compact.

Example
    A session of 120 requests grows from 20,000 to 150,000 tokens. At request 60 its prompt holds 85,000 tokens,
    of which 10,000 are tools and system prompt: a summary of 15,000 leaves 60,000 out of 59 prompts, 3.5 M tokens.

When to ignore
    A model may need what a summary leaves out, and then reads it again. Early: when the context window was full.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from cachelens.advise.candidate import Candidate, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules.compactions import Compacted, compactions, head_length
from cachelens.advise.rules.token_costs import TokenCost, token_cost
from cachelens.advise.rules.wording import count

#: Share of the cost of all requests that compaction must save, so that the assumptions do not decide.
_CLEAR_SHARE = Decimal("0.2")
#: Requests that must follow.
_FOLLOWING = 20
#: Of a history so much is assumed to stay: its last messages and the summary.
_KEPT_PARTS = 5
_KEPT_TOKENS = 2_000


class _Moment(NamedTuple):
    """Compaction after `request`: millionths of a dollar saved by the `following` requests, tokens left out of each."""

    request: int
    saved: Decimal
    dropped: int
    following: int


class LateOrEarlyCompaction:
    """CL302."""

    code = "CL302"
    name = "late-or-early-compaction"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate about those that came too early, one about those that never came."""
        found = compactions(case)
        early = [one for one in found if one.payback is None or 2 * one.later < one.payback]
        if early:
            yield _early(early)
        late = _never_compacted(case, found)
        if late:
            yield _late(case, late)


def _early(found: Sequence[Compacted]) -> Candidate:
    worst = max(found, key=lambda one: (one.computed + one.writer_computed, -one.request))
    followed = min(one.later for one in found)
    needed = max((one.payback for one in found if one.payback is not None), default=None)
    details: dict[str, int | float | str] = {
        "requests that followed, at least": followed,
        "summary tokens generated": sum(one.written for one in found),
    }
    if needed is not None:
        details["requests it takes, at most"] = needed
    return Candidate(
        title=f"a summary replaced the history {count(len(found), 'time')} with too few requests left to repay it",
        group=("early",),
        place=Place(worst.request, worst.row),
        requests=[one.request for one in found],
        tokens=sum(one.computed + one.writer_computed for one in found),
        measure="computed for the summary and the new prefix",
        fix="compact later, or not in sessions that end soon after",
        verdict=Verdict.DIAGNOSTIC,
        details=details,
    )


def _late(case: Case, found: Sequence[_Moment]) -> Candidate:
    best = max(found, key=lambda moment: (moment.saved, -moment.request))
    saved = float(sum(moment.saved for moment in found)) / 1e6
    carried = sum(moment.dropped * moment.following for moment in found)
    return Candidate(
        title=f"no summary although {count(best.following, 'later request')} carried {best.dropped:,} tokens "
        "more than a summary would leave",
        group=("late",),
        place=Place(best.request, int(case.path(best.request)[-1])),
        requests=[moment.request for moment in found],
        tokens=carried,
        measure="carried after the best moment to compact",
        fix="set the threshold of automatic compaction by cost, and compact at a new task",
        verdict=Verdict.DIAGNOSTIC,
        break_even=f"at list prices it saves about {saved:.4f} USD, what it costs taken off",
        details={
            "lineages": len(found),
            "tokens left out of each later prompt, at most": max(moment.dropped for moment in found),
            "requests that followed, at most": max(moment.following for moment in found),
        },
    )


def _never_compacted(case: Case, found: Sequence[Compacted]) -> list[_Moment]:
    """The best moment of each lineage that was never compacted, where it would have paid by a clear margin."""
    if case.engine.facts.kind != "api":
        return []
    total = _total(case)
    if total is None:
        return []
    compacted = {case.lineages[request] for one in found for request in (one.request, one.before)}
    moments = []
    for lineage, requests in case.requests_of_lineage.items():
        if lineage in compacted or len(requests) <= _FOLLOWING + 2:
            continue
        best = max(_moments(case, requests), key=lambda moment: (moment.saved, -moment.request))
        if best.saved > _CLEAR_SHARE * total:
            moments.append(best)
    return moments


def _moments(case: Case, requests: Sequence[int]) -> Iterable[_Moment]:
    """Compaction after each request of a lineage that has enough requests behind it."""
    path = case.path(requests[0]).tolist()
    head = sum(case.tokens(row) for row in path[: head_length(case, path)])
    costs = [token_cost(case, request) for request in requests]
    prompts = [int(case.work.prompt_tokens[request]) for request in requests]
    for at, request in enumerate(requests[: -_FOLLOWING - 2]):
        history = prompts[at] - head
        kept = max(_KEPT_TOKENS, history // _KEPT_PARTS)
        dropped = max(0, history - kept)
        # A prompt that is shorter holds a history that went back.
        later = [costs[one] for one in range(at + 2, len(requests)) if prompts[one] >= prompts[at]]
        gain = sum((cost.served for cost in later if cost is not None), Decimal(0)) * dropped
        yield _Moment(request, gain - _spent(costs[at + 1], kept, head), dropped, len(later))


def _spent(cost: TokenCost | None, kept: int, head: int) -> Decimal:
    """The summary is generated over a served history, and computed once more behind the head."""
    if cost is None:
        return Decimal("Infinity")
    return kept * (cost.generated + cost.computed) + head * cost.served


def _total(case: Case) -> Decimal | None:
    """Millionths of a dollar for all input and output, None when a price is not known."""
    total = Decimal(0)
    columns = (case.work.prompt_tokens, case.replay.hit, case.work.output_tokens)
    for request, (prompt, hit, output) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        cost = token_cost(case, request)
        if cost is None:
            return None
        total += (prompt - hit) * cost.computed + hit * cost.served + output * cost.generated
    return total
