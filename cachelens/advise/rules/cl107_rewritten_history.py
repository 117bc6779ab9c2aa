"""An earlier message is changed, taken out, put in or moved.

What it detects
    Whatever differs between a prompt and the one before it in its lineage and is the matter of no other rule. Told
    apart are: tool results that were cleared or cut (a stub such as `[Old tool result content cleared]`, or half
    of the text or less); reminders such as `<system-reminder>` that wander; messages in another order, as after
    a resume; images that were dropped; a system prompt that changes in mid-session, as with a change of mode; and
    messages that were taken out, put in or changed. A prompt that ends earlier than the one before is no change:
    everything up to there is served.

Why it costs
    Caches match from the first token on. What stands behind the change is computed again, once for every change.
    Clearing tool results makes later prompts shorter, which may repay it, or not: with writes at 1.25 times and reads
    at 0.1 times the price and 20 requests left, what is cleared must be more than 58 % of what stands behind it.

How it is measured
    Tokens computed again in requests whose first change is of this kind. The remedy is replayed: what was sent
    stays, and what is new comes behind it. For cleared results the finding says with hindsight whether it paid: the
    tokens no longer carried by each later request of the lineage, at the price of cached input, against those
    computed again. It is legitimate if it did. Without prices a served token counts nothing, so clearing never
    pays by itself; where the cache is limited, the replay decides. A system prompt that changes is legitimate if it
    does so only in requests that bring a new message of the user, who may have asked for it; no other change is,
    whenever it happens, for it could have been sent behind the rest.

How to fix
    Send what is new with the latest message, and leave what was sent as it was. Clear tool results in one go, where the
    prefix is computed anyway: after a pause longer than the cache's lifetime, or when the history is summarized.
    opencode: `"compaction": {"prune": false}`. Keep modes out of the system prompt: say in a message what holds now.

Example
    A harness keeps the last 10 tool results and replaces the eleventh by a stub with every step. Behind the stub stand
    10 results of 1,500 tokens: 15,000 are computed again with every step, to carry 1,400 tokens less.

When to ignore
    Clearing is needed to stay within the context window. A single change, such as one resume, costs one prefix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, broken_first, finding, plan_of
from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import rewrite
from cachelens.advise.rules.rewriting import WORDS, cut, rewriting
from cachelens.advise.rules.token_costs import token_cost
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit
from cachelens.simulate.workload import workload

_FIX = {
    "pruned": "clear in one go where the prefix is computed anyway, or not at all",
    "pruned-calls": "clear in one go where the prefix is computed anyway, or not at all",
    "reminder": "put reminders into the latest message, and leave earlier ones where they are",
    "reordered": "send messages in the order in which they were sent before",
    "images": "leave images where they were sent, or drop many at once",
    "system": "leave the system prompt as it is, and say in a message what holds now",
    "tools": "send the tools as they were sent before",
}
_PRUNED = ("pruned", "pruned-calls")
#: Where what is new only says that something is gone.
_STUBBED = (*_PRUNED, "images")
#: What stays where it was, or comes behind the rest, without anything more or less being sent.
_SAME_INPUT = ("reordered", "inserted")


class RewrittenHistory(EditRule):
    """CL107."""

    code = "CL107"
    name = "rewritten-history"
    precedence = 100

    def claim(self, view: View) -> Claim | None:
        """Whatever is left."""
        slug = rewriting(view)
        return Claim((slug,), silent=slug in _STUBBED)

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per way of rewriting."""
        slug = claims[0].key[0]
        costly = [edit for edit in edits if case.costly(edit)]
        requests = sorted({edit.request for edit in costly})
        details: dict[str, int | float | str] = {"segments": len(costly)}
        paid, sentence = False, None
        if slug in _PRUNED and costly:
            paid, sentence = _hindsight(case, costly, plan_of(edits, claims))
            details["tokens cleared"] = sum(cut(case, edit) for edit in costly)
        asked_for = slug == "system" and all(case.new_user_turn(request) for request in requests)
        return finding(
            case,
            edits,
            claims,
            title=f"{WORDS[slug]}, in {count(len(requests), 'request')}",
            fix=_FIX.get(slug, "send what is new behind what was sent before"),
            details=details,
            changes_input=slug not in _SAME_INPUT,
            verdict=Verdict.LEGITIMATE if paid or asked_for else Verdict.AVOIDABLE,
            break_even=sentence,
        )


def _hindsight(case: Case, edits: Sequence[Edit], plan: Plan) -> tuple[bool, str]:
    """Whether clearing paid in the requests that followed, and the sentence that says so."""
    by_request: defaultdict[int, list[Edit]] = defaultdict(list)
    for edit in edits:
        by_request[edit.request].append(edit)
    again = carried = 0
    money = Decimal(0)
    priced = True
    for request, own in by_request.items():
        computed = broken_first(case, own)
        lineage = case.requests_of_lineage[case.lineages[request]]
        less = sum(cut(case, edit) for edit in own) * sum(one >= request for one in lineage)
        again, carried = again + computed, carried + less
        cost = token_cost(case, request)
        if cost is None:
            priced = False
        else:
            money += less * cost.served - computed * (cost.computed - cost.served)
    sums = f"{again:,} tokens computed again, {carried:,} no longer carried by the requests up to the end"
    if priced:
        verb = "saved" if money > 0 else "cost"
        return money > 0, f"with hindsight clearing {verb} {abs(float(money)) / 1e6:.4f} USD: {sums}"
    if case.setup.capacity_tokens is None:
        return False, f"a served token costs nothing here, so clearing did not pay: {sums}"
    work = workload(rewrite(case.trace, case.past, plan))
    replay = case.engine(work, replace(case.setup, explain=False)).replay()
    more = int((work.prompt_tokens - replay.hit).sum()) - case.computed
    if more > 0:
        return (
            True,
            f"clearing paid: without it the cache is short of room and {more:,} tokens more are computed",
        )
    return False, f"clearing did not pay, even in a cache of this size: {sums}"
