"""The oldest messages are dropped while the rest stays.

What it detects
    Messages that stood right behind the tools and the system prompt, or behind the first message of the user, are
    gone, what followed them is still there, and nothing stands in their place, or a notice of less than 64 tokens.
    At least two messages at once, or one in each of two requests of a lineage that follow each other.

Why it costs
    Everything behind the gap moves forward, and caches match from the first token on: the whole window is computed
    again whenever it slides, which is with every request once it is full.

How it is measured
    Tokens computed again in requests whose first change is such a gap. The remedy is replayed: nothing is dropped.
    Prompts get longer then, by the tokens that the finding names, and the model sees more.

How to fix
    Drop a large part at once instead of a little with every request, and rarely: half of the history when it
    reaches its limit. Or summarize it (see CL109 for what that costs). Strands Agents:
    `SlidingWindowConversationManager(window_size=...)` drops from its limit on with every turn; raise the size, or
    use `SummarizingConversationManager`. LangChain and LangGraph: `trim_messages` with a `max_tokens` well
    below the limit at which it is called.

Example
    A window of 40 messages over a system prompt of 3,000 tokens: from the 41st message on, every request computes
    all but these 3,000 tokens again.

When to ignore
    The context window of the model is full, and nothing else can make room.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.compactions import head_length
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

#: Segments that start a message of their own, one after the other, make up messages: enough to be a window.
_MESSAGES = 2


class SlidingWindow(EditRule):
    """CL108."""

    code = "CL108"
    name = "sliding-window"
    precedence = 70

    def claim(self, view: View) -> Claim | None:
        """A message dropped from the front of the history, in company."""
        edit, case = view.edit, view.case
        if edit.kind not in ("removed", "summarized") or edit.in_reply or not case.costly(edit):
            return None
        dropped = _dropped(case, edit.request)
        if edit.before_at >= 0 and edit.before_at not in dropped:
            return None
        if edit.before_at < 0 and not dropped:
            return None
        if len(_messages(case, edit.request, dropped)) < _MESSAGES and not _again(case, edit.request):
            return None
        harness = case.trace.requests["harness"][edit.request]
        return Claim(("window", harness or ""))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per harness."""
        gone = [edit for edit in edits if edit.before_row >= 0]
        requests = {edit.request for edit in gone}
        by_lineage: dict[str, int] = {}
        for edit in gone:
            lineage = case.lineages[edit.request]
            by_lineage[lineage] = by_lineage.get(lineage, 0) + case.tokens(edit.before_row)
        return finding(
            case,
            edits,
            claims,
            title=f"the oldest messages are dropped in {count(len(requests), 'request')} while the rest stays",
            fix="drop a large part at once and rarely, raise the limit, or keep the history",
            details={
                "tokens dropped": sum(by_lineage.values()),
                "longest prompt without dropping, in tokens more": max(by_lineage.values()),
            },
            changes_input=True,
            break_even="it pays as long as the longer prompts fit into the context window and are served from cache",
        )


def _dropped(case: Case, request: int) -> set[int]:
    """Places of the earlier prompt that a request drops from the front of its history, in one run."""
    pair = case.past.pairs[request]
    kinds = ("removed", "summarized")
    gone = {
        edit.before_at for edit in case.past.edits_of[request] if edit.kind in kinds and not edit.in_reply
    }
    asked = pair.then[: pair.reply_at]
    at = head_length(case, asked)
    first = next((place for place in range(at, len(asked)) if place in gone), len(asked))
    pinned = asked[at:first]
    if not all(case.is_kind(row, "user", "image", "other") for row in pinned):
        return set()
    run: set[int] = set()
    while first in gone:
        run.add(first)
        first += 1
    # Something else that is gone further behind is no window.
    return run if run == {place for place in gone if 0 <= place < pair.reply_at} else set()


def _messages(case: Case, request: int, places: set[int]) -> set[str]:
    """Messages of the body that these places belong to."""
    then = case.past.pairs[request].then
    return {case.trace.segments.location(then[place]).partition("]")[0] for place in places}


def _again(case: Case, request: int) -> bool:
    """Whether the request before it, or one that continues it, drops from the front as well."""
    before = int(case.trace.predecessor[request])
    lineage = case.requests_of_lineage[case.lineages[request]]
    after = (one for one in lineage if int(case.trace.predecessor[one]) == request)
    return any(one in case.past.edits_of and _dropped(case, one) for one in (before, *after))
