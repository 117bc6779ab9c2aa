"""A reply is sent back other than it was generated.

What it detects
    The reply to request N against its copy in request N+1, segment by segment: tool arguments written anew (other
    white space, key order, escapes), text added, cut, changed or dropped, tool calls dropped or turned into text.
    Thinking is the matter of CL111.

Why it costs
    Servers keep the KV of what they generate, so a faithful copy is served like any other prefix. From the first
    token that differs on, the copy is computed as if nobody had ever generated it. It is not much for one reply,
    and it happens with every one.

How it is measured
    Generated tokens that came back and were computed instead of served: of a part that only differs in spelling
    or form all, of one that was changed those at its unchanged ends; and only what lies behind the tokens that were
    served. The remedy is replayed: replies come back as they were generated. Where the cache keeps no generated
    text (Anthropic, OpenAI, Gemini and most other provider APIs), nothing is lost and nothing is said.

How to fix
    Keep the reply as the server sent it, and send that. Tool arguments: keep the string, do not parse and write it
    again. smolagents writes tool calls into the text of the message; `CodeAgent` does so by design, for
    `ToolCallingAgent` it takes a model class of one's own. CrewAI drops the text beside tool calls. pydantic-ai,
    opencode, Cline and Qwen Code write arguments again without the spaces that models put behind `:` and `,`.

Example
    The model calls a tool with `{"path": "src/app.py"}`; the harness sends back `{"path":"src/app.py"}`. The tokens of
    the arguments, and any call behind them, are computed again: 12 tokens a step, 4,000 for a 200-line file that
    was passed to a tool that writes it.

When to ignore
    Servers that parse arguments before they render them do not see spaces and escapes: vLLM and SGLang do this for
    chat templates, and llama.cpp for templates that want objects. There, arguments written anew cost nothing, unless
    the order of keys changed; templates of DeepSeek, and whatever renders the string itself, do see it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, place_of, plan_of
from cachelens.advise.rules.echo_kinds import SAME_MEANING, WORDS, echo_kind, spelling_of
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

_FIX = {
    "arguments-respelled": "send the string of arguments as it came, instead of parsing it and writing it again",
    "call-as-text": "send tool calls back as tool calls",
    "text-dropped": "send the text beside tool calls back",
    "text-appended": "put what is added into a message of its own behind the reply",
}
#: Differences in spelling that parsing undoes.
_PARSED_AWAY = ("white space", "JSON spelling")


class UnfaithfulEcho(EditRule):
    """CL112."""

    code = "CL112"
    name = "unfaithful-echo"
    precedence = 55

    def claim(self, view: View) -> Claim | None:
        """A part of a reply that is not as it was generated."""
        kind = echo_kind(view)
        if kind is None:
            return None
        spelling = spelling_of(view) if kind.endswith("-respelled") else None
        return Claim((kind,) if spelling is None else (kind, spelling), silent=True)

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per way of changing; none where the cache keeps no generated text."""
        if not case.engine.facts.keeps_output:
            return None
        kind, *spelling = claims[0].key
        by_request: defaultdict[int, list[Edit]] = defaultdict(list)
        for edit in edits:
            by_request[edit.request].append(edit)
        computed = {one: _computed(case, one, own, kind) for one, own in by_request.items()}
        parts = [edit for edit in edits if edit.kind != "framed"]
        worst = max(parts, key=lambda edit: (computed[edit.request], -edit.number))
        details: dict[str, int | float | str] = {"parts of replies": len(parts)}
        names = Counter(name for edit in parts if (name := case.name(edit.row)) is not None)
        if names:
            details["tool, most often"] = min(names, key=lambda name: (-names[name], name))
        if kind == "arguments-respelled" and spelling[0] in _PARSED_AWAY:
            details["costs nothing on"] = "servers that parse arguments first: vLLM, SGLang"
        how = f" ({spelling[0]})" if spelling else ""
        return Candidate(
            title=f"{WORDS[kind]}{how} when replies are sent back, in {count(len(by_request), 'request')}",
            group=claims[0].key,
            place=place_of(case, worst),
            requests=sorted(by_request),
            tokens=sum(computed.values()),
            measure="generated, sent back and computed again",
            fix=_FIX.get(kind, "send replies back as they were generated"),
            plan=plan_of(edits, claims),
            changes_input=kind not in SAME_MEANING,
            details=details,
            excerpt=View(case, worst).excerpt(),
        )


def _computed(case: Case, request: int, own: Sequence[Edit], kind: str) -> int:
    """Generated tokens that came back in `request` and were not served, if one of its `own` edits is the first."""
    first = next(edit for edit in case.past.edits_of[request] if edit.kind != "framed")
    if first.number not in {edit.number for edit in own}:
        return 0
    pair, hit, tokens = case.past.pairs[request], int(case.replay.hit[request]), case.tokens
    total = 0
    rewritten = {edit.now_at for edit in case.past.edits_of[request] if edit.kind == "respelled"}
    spans = [(match.now, match.head, match.tail) for match in pair.found if match.before >= pair.reply_at]
    found = {now for now, _, _ in spans}
    spans += [
        (edit.now_at, edit.head, edit.tail) for edit in own if edit.now_at >= 0 and edit.now_at not in found
    ]
    for now, head, tail in spans:
        start, end = pair.offsets[now], pair.offsets[now + 1]
        if now in rewritten:
            head, tail = end - start, 0
        total += max(0, start + head - max(start, hit)) + max(0, end - max(end - tail, hit))
    if kind == "call-as-text":
        calls = sum(tokens(edit.before_row) for edit in own if case.is_kind(edit.before_row, "tool_call"))
        longer = sum(tokens(edit.now_row) - edit.head - edit.tail for edit in own if edit.now_at >= 0)
        total += min(calls, longer)
    return total
