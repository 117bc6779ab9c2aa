"""The definition of a tool changes in mid-session.

What it detects
    A tool of the same name with other bytes. Told apart: the same definition with its keys, numbers or
    lists spelled otherwise (`key order`, `spelling`, `list order` of `required`, `enum` and `type`); another
    description; another schema, with the field that changed.

Why it costs
    Definitions stand before the conversation, so one changed word in them makes the server compute all tools behind,
    and the history, again. Key order changes when a schema is made anew from a map for each request; descriptions
    change when they list agents, skills, files or models that are found while the session runs.

How it is measured
    Tokens computed again in requests whose first change is this one. The remedy is replayed: the definition stays as
    it was first sent; what is new in it is sent behind everything that was sent before, or, where it says
    nothing, not at all. With another schema this changes what the model sees, and the saving is an upper bound.

How to fix
    Make definitions once per session and send those bytes. Serialize schemas with sorted keys. Move lists that grow
    (agents, skills) out of descriptions into a message, or into the result of a tool that lists them.

Example
    `search` is defined with `{"query": …, "limit": …}` in one request and `{"limit": …, "query": …}` in the next:
    nothing is said that was not said before, and 12,000 tokens of tools and history are computed again.

When to ignore
    A definition that really gained something, once, near the start of a session.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.definitions import Difference, common_path, difference
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

_FIXES = {
    "key order": "serialize schemas with sorted keys, or keep the bytes that the session first sent",
    "spelling": "serialize definitions once per session and send the same bytes",
    "list order": "sort lists such as `required` and `enum`, or keep the bytes that the session first sent",
    "description": "keep descriptions fixed; send what changes in a message or a tool result",
    "schema": "keep the schema fixed for a session; add what is new in a tool of its own at a session's start",
}


class ToolSchemaChurn(EditRule):
    """CL104."""

    code = "CL104"
    name = "tool-schema-churn"
    precedence = 40

    def claim(self, view: View) -> Claim | None:
        """A tool definition with other bytes under the same name."""
        if view.kind != "tools" or view.edit.kind not in ("changed", "respelled"):
            return None
        found = difference(view.before, view.now)
        where = common_path(found.paths)
        name = view.case.name(view.edit.row) or ""
        return Claim((name, found.part, where), silent=found.says_nothing, note=found)

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per tool and part of its definition."""
        name, part, where = claims[0].key
        requests = count(len({edit.request for edit in edits if case.costly(edit)}), "request")
        tool = f"tool {name}" if name else "a tool"
        title = {
            "description": f"the description of {tool} changes in {requests}",
            "schema": f"the schema of {tool} changes in {requests}",
        }.get(part, f"the definition of {tool} changes in {part} alone in {requests}")
        paths = tuple(dict.fromkeys(path for claim in claims for path in _difference(claim).paths if path))
        details: dict[str, int | float | str] = {"part": part}
        if where:
            details["field"] = where
        if len(paths) > 1:
            details["fields that differ"] = len(paths)
        return finding(
            case,
            edits,
            claims,
            title=title,
            fix=_FIXES[part],
            details=details,
            changes_input=part == "schema",
            break_even="the model works with the definition that was sent first"
            if part == "schema"
            else None,
        )


def _difference(claim: Claim) -> Difference:
    assert isinstance(claim.note, Difference)
    return claim.note
