"""Something of a session's own stands before what sessions share.

What it detects
    The first request of a session or sub-agent, compared with the earlier first request that it has most in common
    with. It is one when they differ early, in tools, system prompt or a description of the environment, while at
    least 512 tokens behind (`shareable_tokens`) are the same and no cache could serve them. Where the
    message of the user is the first difference there is nothing to find: that is what sessions differ in. Prompts
    of which most that follows differs as well are simply other prompts.

Why it costs
    A prefix ends at the first difference. A line about the agent, the working directory or the date in front of
    tools and instructions makes every session and sub-agent compute them anew. In one session the general agent and
    its sub-agent differed in the first sentence of the system prompt, and 10,541 equal tokens behind it, of 12,194,
    could not be shared.

How it is measured
    Tokens of first requests behind the difference that the earlier request held too, and that an infinite cache did
    not serve. The remedy is replayed: the request starts like the earlier one, and what is its own comes
    behind. Where this gives an agent instructions or tools that are not its own, the saving is an upper bound.

How to fix
    Put what all share first (tools in one order, common instructions), and what is one agent's, session's or day's
    own last, or into the first message. Give sub-agents the tools of the main agent and forbid those that are not
    theirs; or sort tools so that the shared ones come first.

Example
    `You are the reviewer of …` opens the system prompt of sub-agents, `You are the planner of …` that of the main
    agent; 9,000 tokens of rules and tools follow in both. With the sentence at the end, sub-agents start from cache.

When to ignore
    When sessions are so far apart that nothing would be cached, or when the shared part is small beside what sessions
    add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.cl101_volatile_prefix import volatile_pieces
from cachelens.advise.rules.cl102_billing_header_nonce import billing_fields
from cachelens.advise.rules.components import component
from cachelens.advise.rules.environment import environment_of
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

#: Share of tools and system prompt behind a difference that must be the same.
_MOSTLY = 0.5
_OWN_TEXT, _TOOL_SET, _ORDER, _DEFINITION = "own text", "tool set", "order of tools", "tool definition"
_CHANGES_INPUT = frozenset((_OWN_TEXT, _TOOL_SET, _DEFINITION))
_FIXES = {
    _OWN_TEXT: "put shared instructions first and the text of one agent or session last",
    _TOOL_SET: "send the shared tools first, or all tools to all agents",
    _ORDER: "sort tools by name in every session",
    _DEFINITION: "define a tool with the same bytes for all agents and sessions",
}


class ShareablePrefixLost(EditRule):
    """CL114."""

    code = "CL114"
    name = "shareable-prefix-lost"
    precedence = 120
    looks_at = ("sibling",)

    def claim(self, view: View) -> Claim | None:
        """What stands too early, and what must be out of the way behind it."""
        first = _first(view.case, view.edit.request)
        if first is None or view.edit.number < first.number or view.edit.kind == "framed":
            return None
        cause = View(view.case, first)
        what = _what(cause)
        if what is None or not _mostly_shared(cause):
            return None
        if view.edit.number != first.number:
            least = view.case.thresholds.shareable_tokens
            if _what(view) is None or view.edit.after_tokens < least:
                return None
        return Claim((cause.kind, what), silent=_what(view) == _ORDER, note=_what(view))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per kind of difference."""
        kind, what = claims[0].key
        requests = sorted({edit.request for edit in edits})
        firsts = [first for request in requests if (first := _first(case, request)) is not None]
        tokens = sum(_unshared(case, first) for first in firsts)
        further = sorted({str(claim.note) for claim in claims} - {what})
        changes = bool(_CHANGES_INPUT & {str(claim.note) for claim in claims})
        details: dict[str, int | float | str] = {"what": what}
        if further:
            details["further differences behind it"] = ", ".join(further)
        details["tokens before the first difference, at most"] = max(first.depth for first in firsts)
        subject = {
            _OWN_TEXT: f"text of its own in {component(kind)}",
            _TOOL_SET: "another set of tools",
            _ORDER: "another order of tools",
            _DEFINITION: "another definition of a tool",
        }.get(what, f"{what} in {component(kind)}")
        found = finding(
            case,
            edits,
            claims,
            title=f"{subject} before {tokens:,} tokens that {count(len(requests), 'first request')} could share",
            fix=_FIXES.get(what, "put it behind what all sessions share, or into the first message"),
            details=details,
            changes_input=changes,
            break_even=_break_even(case, edits) if changes else None,
        )
        if found is None:
            return None
        return replace(found, tokens=tokens, measure="could have been shared", details=details)


def _break_even(case: Case, edits: Sequence[Edit]) -> str:
    """What following the remedy to the letter costs."""
    carried = sum(
        case.tokens(edit.before_row) - edit.head - edit.tail for edit in edits if edit.before_row >= 0
    )
    return f"the earlier request's own {carried:,} tokens are carried along, where common text cannot stand in for them"


def _first(case: Case, request: int) -> Edit | None:
    """The first difference from the earlier first request, if enough stands behind it.

    A billing line is not looked at: it has a finding of its own.
    """
    for edit in case.past.sibling_edits[request]:
        if edit.kind != "framed" and not billing_fields(View(case, edit)):
            return edit if _unshared(case, edit) >= case.thresholds.shareable_tokens else None
    return None


def _unshared(case: Case, edit: Edit) -> int:
    """Tokens behind an edit that the earlier request held too and that no request served, at least so many.

    What follows may begin like what was there, or like the prompt of a third request.
    """
    prompt = case.work.prompt
    shared = case.work.forest.common_depth(int(prompt[edit.before]), int(prompt[edit.request]))
    reached = max(shared, int(case.reusable[edit.request]))
    return edit.after_tokens - max(0, reached - edit.depth)


def _what(view: View) -> str | None:
    """What differs; None for what sessions are there to differ in."""
    edit = view.edit
    if billing_fields(view):
        return None
    if view.kind == "tools":
        if edit.kind == "moved":
            return _ORDER
        return _DEFINITION if edit.kind in ("changed", "respelled") else _TOOL_SET
    if view.kind not in ("system", "user"):
        return None
    if edit.kind == "changed" and (pieces := volatile_pieces(view)):
        return pieces[0].shape.words
    environment = environment_of(view.before, view.now)
    if environment is not None:
        return environment
    return _OWN_TEXT if view.kind == "system" else None


def _mostly_shared(view: View) -> bool:
    """Whether of the tools and system prompt behind a difference most is the same."""
    case, edit = view.case, view.edit
    start, behind = 0, 0
    for row in case.path(edit.request).tolist():
        end = start + case.tokens(row)
        if case.is_kind(row, "tools", "system"):
            behind += max(0, end - max(start, edit.depth))
        start = end
    return edit.after_tokens >= _MOSTLY * behind
