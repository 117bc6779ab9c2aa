"""The history of a conversation is replaced by a summary.

What it detects
    Several earlier messages give way to one text of a third of their length or less, and what followed them
    stays; or a new conversation of the same session begins with the same tools and system prompt and a summary,
    and nobody continues the old one. A text counts as the summary when an earlier reply of 64 tokens or more
    stands in it, or when it is introduced as harnesses do, such as `<summary>`. A short notice that messages
    were left out is no summary: see CL108.

Why it costs
    The summary is generated, which takes one more request over the whole history, and everything from the
    summary on is computed anew. In return every later request carries less. Served tokens are cheap, so this
    takes a number of requests to pay for itself.

How it is measured
    Tokens of the shorter prompt that were not served in the first request with it, without what is new at its
    end. The payback compares with a history that goes on and is served from cache: what was computed at the
    price of input or of cache writes, what was generated at the price of output, and what is no longer carried at
    the price of cached input. Without known prices every token counts the same, and the payback is in tokens no
    longer carried: a server's own cost of a served token is near nothing, so it then pays later than stated, or
    never. If the request that wrote the summary was not captured, its cost is missing. There is no remedy to
    replay: another history would have had other replies.

How to fix
    Compact rarely and at a boundary: at a new task, or after a pause longer than the cache's lifetime, when
    the prefix must be computed anyway. Let the summary be written by a request that continues the conversation,
    so that the history is served. Raise the threshold of automatic compaction where it comes long before the
    context window is full.

Example
    A prompt of 60,000 tokens becomes 12,000, of which 10,000 are computed; the summary of 2,000 tokens was
    written by a request of its own that computed 60,000 more. At 3 dollars for input, 0.30 for cached input and 15
    for output this took 0.22 dollars, and each later request saves 0.0144: it pays after 16 of them.

When to ignore
    The context window was full, or the model did better with a clean history: neither shows in a prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cachelens.advise.candidate import Candidate, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View
from cachelens.advise.rules.compactions import Compacted, compactions, is_summary
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit


class Compaction(EditRule):
    """CL109."""

    code = "CL109"
    name = "compaction"
    precedence = 45

    def claim(self, view: View) -> Claim | None:
        """What a summary replaced, and the summary."""
        edit = view.edit
        if edit.kind != "summarized" or not is_summary(view.case, edit.request):
            return None
        return Claim(("compaction",))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """None: findings are made of compactions, of which not all are edits."""
        return None

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate about those that paid for themselves, and one about those that did not."""
        groups: defaultdict[bool, list[Compacted]] = defaultdict(list)
        for one in compactions(case):
            groups[one.repaid].append(one)
        for repaid in sorted(groups):
            yield _candidate(case, groups[repaid], repaid)


def _candidate(case: Case, found: Sequence[Compacted], repaid: bool) -> Candidate:
    largest = max(found, key=lambda one: (one.saved, -one.request))
    requests = [one.request for one in found]
    what = "paid for itself" if repaid else "did not pay for itself in the requests that followed"
    title = (
        f"a summary replaced the history {count(len(found), 'time')}, at most {largest.tokens_before:,} tokens "
        f"by {largest.tokens_after:,}, and {what}"
    )
    details: dict[str, int | float | str] = {
        "tokens before": sum(one.tokens_before for one in found),
        "tokens after": sum(one.tokens_after for one in found),
        "prompt tokens computed to write summaries": sum(one.writer_computed for one in found),
        "summary tokens generated": sum(one.written for one in found),
    }
    paybacks = [one.payback for one in found if one.payback is not None]
    if paybacks:
        details["pays after requests, at most"] = max(paybacks)
    details["requests that followed, at least"] = min(one.later for one in found)
    details["payback counted in"] = _unit(found)
    unseen = sum(one.writer < 0 for one in found)
    if unseen:
        details["summaries whose request was not captured"] = unseen
    return Candidate(
        title=title,
        group=("compaction", "paid" if repaid else "not paid"),
        place=Place(largest.request, largest.row),
        requests=requests,
        tokens=sum(one.computed for one in found),
        measure="computed for the new prefix",
        fix="compact at a new task or after a pause, and raise the threshold if the context window is not full",
        verdict=Verdict.LEGITIMATE if repaid else Verdict.AVOIDABLE,
        break_even=_sentence(largest),
        details=details,
    )


def _unit(found: Sequence[Compacted]) -> str:
    priced = {one.cost is not None for one in found}
    if len(priced) > 1:
        return "list prices or tokens carried"
    return "list prices" if True in priced else "tokens carried"


def _sentence(one: Compacted) -> str:
    unit = "at list prices" if one.cost is not None else "in tokens no longer carried"
    when = "never" if one.payback is None else f"after {count(one.payback, 'later request')}"
    return f"the largest pays {when} {unit}; {one.later:,} followed"
