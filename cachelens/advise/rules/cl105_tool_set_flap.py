"""Tools are added or removed in mid-session.

What it detects
    A request with a tool that its predecessor did not have, or without one that it had. It is transient when the
    same tool goes and comes back (or comes and goes) within one conversation: a server that reconnects, a mode that
    hides tools. Tools of MCP servers that come with the second or third request are said to be late: the
    session started before the server had answered.

Why it costs
    Definitions stand before the conversation. A tool more or less makes the server compute every tool behind it, and
    the whole history, again; a tool that flaps makes it do so twice for nothing.

How it is measured
    Tokens computed again in requests whose first change is such a tool. The remedy is replayed: tools stay once they
    were sent, and new ones are defined behind everything that was sent before. The model then sees tools that it
    was not meant to see, so the saving is an upper bound.

How to fix
    Wait for MCP servers before the first request. Send all tools always, and say in a message which ones are not to
    be used now (or use `tool_choice` and allowed tools, which leave the definitions alone). Add tools between
    sessions, not in them.

Example
    A session of 40 requests has 12 tools; in requests 17 and 18 the two tools of one MCP server are missing, because
    it restarts. All prompts up to then are computed twice: at request 17, and at 19.

When to ignore
    A tool that the user asked for in mid-session, once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.components import listed
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

#: Edits that bring a tool, and those that take one.
_KINDS = ("inserted", "removed", "summarized", "truncated")
_MCP = re.compile(r"mcp[_.:-]", re.IGNORECASE)
#: Requests at the start of a conversation in which tools of MCP servers are late, not new.
_LATE = 3


class _Event(NamedTuple):
    """All tools that came and went with one request."""

    lineage: str
    request: int
    added: frozenset[str]
    removed: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return self.added | self.removed


class ToolSetFlap(EditRule):
    """CL105."""

    code = "CL105"
    name = "tool-set-flap"
    precedence = 35

    def claim(self, view: View) -> Claim | None:
        """A tool definition that came or went."""
        return Claim(("tools",)) if view.kind == "tools" and view.edit.kind in _KINDS else None

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per set of tools that comes and goes together, and what becomes of it."""
        of_request: defaultdict[int, list[Edit]] = defaultdict(list)
        for number, (code, _) in sorted(case.claims.items()):
            if code == self.code:
                of_request[case.past.edits[number].request].append(case.past.edits[number])
        events = [_event(case, request, edits) for request, edits in of_request.items()]
        turns = _turns(events)
        groups: defaultdict[tuple[str, ...], list[_Event]] = defaultdict(list)
        for event in events:
            groups[(_fate(case, event, turns), *sorted(event.names))].append(event)
        for key, group in groups.items():
            edits = [edit for event in group for edit in of_request[event.request]]
            away = _away(case, [event for event in events if event.names & group[0].names])
            candidate = self.candidate(case, edits, [Claim(key, note=away)] * len(edits))
            if candidate is not None:
                yield candidate

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """The finding about tools of one fate, named in the key of their claims; `note`: how long they were away."""
        fate, *names = claims[0].key
        own = sorted({edit.request for edit in edits})
        tokens = sum({case.name(edit.row) or "": case.tokens(edit.row) for edit in edits}.values())
        tools = f"tool {names[0]}" if len(names) == 1 else f"{len(names)} tools"
        comes, goes = ("comes", "goes") if len(names) == 1 else ("come", "go")
        details: dict[str, int | float | str] = {
            "tools": listed(names, 8),
            "tokens of their definitions": tokens,
        }
        if fate == "transient":
            title = f"{tools} {comes} and {goes} in mid-session, {count(len(own), 'change')} of the tool set"
            details["requests with the other tool set"] = int(str(claims[0].note))
            fix = "keep all tools for the whole session; wait for MCP servers that reconnect"
        elif fate == "late":
            title = f"{tools} of MCP servers {comes} late, after the first request"
            fix = "wait for MCP servers before the first request"
        elif fate == "replaced":
            title = f"{tools} {comes} or {goes} together in mid-session"
            fix = "keep all tools for the whole session; say in a message which are not to be used"
        else:
            title = f"{tools} {comes if fate == 'added' else goes} in mid-session"
            fix = "send all tools from the first request on, and keep them"
        return finding(
            case,
            edits,
            claims,
            title=title,
            fix=fix,
            details=details,
            changes_input=True,
            break_even=f"every request behind the change carries the definitions, {tokens:,} tokens, from cache",
        )


def _event(case: Case, request: int, edits: Sequence[Edit]) -> _Event:
    added = frozenset(case.name(edit.row) or "" for edit in edits if edit.now_row >= 0)
    removed = frozenset(case.name(edit.row) or "" for edit in edits if edit.now_row < 0)
    return _Event(case.lineages[request], request, added, removed)


def _turns(events: Sequence[_Event]) -> dict[tuple[str, str], set[bool]]:
    """Lineage and tool -> whether it came (True), went (False) or both."""
    found: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for event in events:
        for name in event.added:
            found[event.lineage, name].add(True)
        for name in event.removed:
            found[event.lineage, name].add(False)
    return found


def _fate(case: Case, event: _Event, turns: dict[tuple[str, str], set[bool]]) -> str:
    if any(len(turns[event.lineage, name]) > 1 for name in event.names):
        return "transient"
    if event.added and event.removed:
        return "replaced"
    if event.removed:
        return "removed"
    early = case.requests_of_lineage[event.lineage].index(event.request) < _LATE
    return "late" if early and all(_MCP.match(name) for name in event.added) else "added"


def _away(case: Case, events: Sequence[_Event]) -> int:
    """Requests between a change of some tools and the change back, or the end of the conversation."""
    changes: defaultdict[str, list[int]] = defaultdict(list)
    for event in events:
        changes[event.lineage].append(case.requests_of_lineage[event.lineage].index(event.request))
    away = 0
    for lineage, places in changes.items():
        ends = [*sorted(places)[1:], len(case.requests_of_lineage[lineage])]
        away += sum(end - start for start, end in list(zip(sorted(places), ends, strict=True))[::2])
    return away
