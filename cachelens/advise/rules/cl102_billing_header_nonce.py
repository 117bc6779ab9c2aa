"""A billing line in the system prompt has a hash that changes with every request.

What it detects
    A line such as `x-anthropic-billing-header: cc_version=2.1.36.a1b; cc_entrypoint=cli; cch=0f3a9;` in the system
    prompt, of which nothing but fields changed, or that came or went as a whole. Names of header and fields are
    taken loosely. `cch` changes with every request; the suffix of `cc_version` differs between conversations
    and sub-agents, so that their first requests share nothing behind it either.

Why it costs
    Claude Code puts the line in front of its system prompt. Anthropic's servers leave it out of the cache key; every
    other server and many gateways treat it as text, match some 40 tokens and compute the rest again. In vllm-mlx it
    was reported as 40 of 60,000 tokens matched, and it is known to vLLM (36829), SGLang (21064) and
    llama.cpp (21793).

How it is measured
    Tokens computed again in requests whose first change is this line; for first requests of conversations, the
    tokens up to the next difference that an earlier one held too. The remedy is replayed: the line stays as it was
    first sent, and the new one is not sent at all, since it says nothing to the model.

How to fix
    Set CLAUDE_CODE_ATTRIBUTION_HEADER=0 in the environment of Claude Code (or under `env` in its settings.json), or
    let the gateway strip the line before the request reaches the server.

Example
    Three requests of one conversation start their system prompt with `cch=0f3a9`, `cch=77b1c` and `cch=e02d4`. The
    tools, instructions and history behind are the same, and all are computed three times.

When to ignore
    When the traffic goes to Anthropic's own servers, and the usage that they report shows that the cache is hit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, broken_first, finding
from cachelens.advise.rules.billing_header import fields_changed
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

_KINDS = ("changed", "inserted", "removed")


class BillingHeaderNonce(EditRule):
    """CL102."""

    code = "CL102"
    name = "billing-header-nonce"
    precedence = 10
    looks_at = ("predecessor", "sibling")

    def claim(self, view: View) -> Claim | None:
        """A change of nothing but fields of a billing line."""
        names = billing_fields(view)
        return Claim(("billing-header",), silent=True, note=names) if names else None

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding: the line has one cause and one switch."""
        within = [edit for edit in edits if not edit.sibling]
        first = [edit for edit in edits if edit.sibling and case.costly(edit)]
        fields = Counter(
            name
            for claim, edit in zip(claims, edits, strict=True)
            if case.costly(edit)
            for name in _names(claim)
        )
        again = broken_first(case, within)
        unshared = sum(_up_to_next(case, edit) for edit in first)
        requests = count(len({edit.request for edit in edits if case.costly(edit)}), "request")
        details: dict[str, int | float | str] = {
            "fields that change": ", ".join(f"{name} in {fields[name]}" for name in sorted(fields))
        }
        if again and unshared:
            details |= {
                "computed again in a conversation": again,
                "not shared between conversations": unshared,
            }
        found = finding(
            case,
            edits,
            claims,
            title=f"the billing line of Claude Code in the system prompt changes in {requests}",
            fix="set CLAUDE_CODE_ATTRIBUTION_HEADER=0 for Claude Code, or strip the line in the gateway",
            details=details,
        )
        if found is None or not first:
            return found
        measure = "computed again or not shared" if again else "could have been shared"
        return replace(found, tokens=again + unshared, measure=measure)


def billing_fields(view: View) -> tuple[str, ...]:
    """Names of the fields of a billing line that an edit changes, empty when it changes anything else."""
    if view.edit.kind not in _KINDS or view.edit.in_reply or view.kind != "system":
        return ()
    return fields_changed(view.before, view.now)


def _names(claim: Claim) -> tuple[str, ...]:
    assert isinstance(claim.note, tuple)
    return claim.note


def _up_to_next(case: Case, edit: Edit) -> int:
    """Tokens that both requests hold between an edit and the next one."""
    later = [
        other.after_tokens
        for other in case.past.sibling_edits[edit.request]
        if other.depth > edit.depth and other.kind != "framed"
    ]
    return edit.after_tokens - max(later, default=0)
