"""The thinking of an earlier turn is gone, or comes back in other words.

What it detects
    Thinking that a prompt held, or that a reply was generated with, and that the next prompt of the lineage leaves
    out, moves or changes. Either the harness does not send it back, or it does and the server leaves it out: that
    shows when the trace is read with `--render thinking-stripped` or `thinking-last-turn`.

Why it costs
    Servers keep the KV of what they generate, thinking included. Without the thinking, the text and tool calls
    generated behind it stand at other positions, and are computed again. Where thinking had been in prompts
    before, everything behind it is.

How it is measured
    Tokens computed again in requests whose first change is of this kind. The remedy is replayed: the thinking stays
    where it was. Prompts get longer and the model sees more, so the saving is an upper bound. Nothing is said of
    a reply's thinking where the cache keeps no generated text (Anthropic, OpenAI, Gemini and most other provider
    APIs), and nothing where it cannot come back: Gemini's thought summaries and the summaries of Responses are not
    what was generated, and DeepSeek's API leaves out earlier thinking at a new turn of the user. What a server leaves
    out by its template is counted as legitimate: the model was trained that way.

How to fix
    Harness: send `reasoning_content` (Chat Completions), `thinking` blocks with their signature (Anthropic), or
    reasoning items with `encrypted_content` (Responses) back as they came. Server: templates that can keep thinking
    have a switch, Qwen3.6 `preserve_thinking: true` and GLM-4.7 `clear_thinking: false` in `chat_template_kwargs`.
    Or keep thinking out of the cache: `--strip-thinking-cache` of SGLang makes room, and saves no computing.

Example
    A reply thinks for 800 tokens and calls a tool in 60. The next request sends the call alone: the 60 tokens are
    computed again, and so with every step. At a new turn of the user a template drops the thinking of ten steps:
    what stands behind the first of them, 12,000 tokens of tool results, is computed again, once a turn.

When to ignore
    Many templates (Qwen3, DeepSeek-R1 and others) leave out the thinking of earlier turns whether it is sent or
    not, so for them the harness may as well drop it at a new turn; within a turn of tool calls they keep it. Long
    thinking that is carried along costs more reads than it saves where sessions are short on turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.model.edits import Edit
from cachelens.model.render import Render

_FIX = {
    "harness": "send thinking back as it came",
    "server": "let the chat template keep it where the model allows that",
}


class DroppedReasoning(EditRule):
    """CL111."""

    code = "CL111"
    name = "dropped-reasoning"
    precedence = 50

    def claim(self, view: View) -> Claim | None:
        """Thinking that had been sent or generated."""
        how = _how(view)
        if how is None:
            return None
        edit, case = view.edit, view.case
        then, now = (case.tokens(row) if row >= 0 else 0 for row in (edit.before_row, edit.now_row))
        return Claim((how, _who(case, edit)), silent=True, note=max(0, then - now))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding by what is done, and who does it."""
        how, who = claims[0].key
        if who == "nobody":
            return None
        own = [edit for edit in edits if edit.kind != "framed" and edit.before_row >= 0]
        tokens = {edit.number: claim.note for edit, claim in zip(edits, claims, strict=True)}
        count = sum(case.is_kind(edit.before_row, "thinking") or how == "dropped" for edit in own)
        verb = {
            "dropped": "is left out of later prompts",
            "changed": "comes back in other words or as text",
            "moved": "comes back at another place",
        }[how]
        by = " by the server's template" if who == "server" else ""
        return finding(
            case,
            edits,
            claims,
            title=f"the thinking of {count} {'reply' if count == 1 else 'replies'} {verb}{by}",
            fix=_FIX[who],
            details={
                "thinking tokens left out": sum(
                    note for edit in own if isinstance(note := tokens[edit.number], int)
                ),
                "generated in the request before": sum(edit.in_reply for edit in own),
            },
            changes_input=True,
            verdict=Verdict.LEGITIMATE if who == "server" else Verdict.AVOIDABLE,
            break_even="kept thinking is carried by every later request; it pays where that is served from cache",
        )


def _how(view: View) -> str | None:
    """What is done to thinking: `dropped`, `changed` or `moved`; None where it is no thinking."""
    edit, case = view.edit, view.case
    if edit.before_row >= 0 and case.is_kind(edit.before_row, "thinking"):
        if _went_with_its_message(case, edit):
            return None
        kinds = {"changed": "changed", "respelled": "changed", "moved": "moved"}
        return "changed" if _written_as_text(case, edit.request) else kinds.get(edit.kind, "dropped")
    if edit.kind == "changed" and _tagged(view.before) and not _tagged(view.now):
        return "dropped"
    return "changed" if _puts_tags(case, edit) and _written_as_text(case, edit.request) else None


def _went_with_its_message(case: Case, edit: Edit) -> bool:
    """Whether the whole message is gone that the thinking was a part of: then it is no matter of thinking."""
    if edit.in_reply or edit.now_row >= 0:
        return False
    pair = case.past.pairs[edit.request]
    location = case.trace.segments.location
    message = location(edit.before_row).partition("]")[0]
    places = {at for at, row in enumerate(pair.then) if location(row).partition("]")[0] == message}
    gone = {one.before_at for one in case.past.edits_of[edit.request] if one.now_row < 0}
    return len(places) > 1 and places <= gone


def _written_as_text(case: Case, request: int) -> bool:
    """Whether a request sends the thinking of the reply before it between tags in a text."""
    edits = case.past.edits_of[request]
    gone = any(
        edit.in_reply and edit.now_row < 0 and case.is_kind(edit.before_row, "thinking") for edit in edits
    )
    return gone and any(_puts_tags(case, edit) for edit in edits)


def _puts_tags(case: Case, edit: Edit) -> bool:
    """Whether tags of thinking stand in a text that had none, or that was not there."""
    if edit.now_row < 0 or not case.is_kind(edit.now_row, "assistant"):
        return False
    return _tagged(case.text(edit.now_row) or "") and not _tagged(case.text(edit.before_row) or "")


def _tagged(text: str) -> bool:
    """Whether thinking stands inside a text."""
    return "<think>" in text or "</think>" in text


def _who(case: Case, edit: Edit) -> str:
    """Who left it out: `harness`, `server`, or `nobody` where it could not come back or nothing is lost by it."""
    if edit.in_reply and not case.engine.facts.keeps_output:
        return "nobody"
    render = Render.parse(case.trace.render).thinking
    if render == "thinking-stripped" or (render == "thinking-last-turn" and case.new_user_turn(edit.request)):
        return "server"
    if not edit.in_reply:
        return "harness"
    frame, request = case.trace.requests, edit.request
    dialect = frame["dialect"][request]
    if dialect == "gemini":
        return "nobody"
    if dialect == "responses" and ".summary" in case.trace.segments.location(edit.before_row):
        return "nobody"
    if case.engine_name == "deepseek" and case.new_user_turn(request):
        return "nobody"
    return "harness"
