"""The same content is sent in another spelling.

What it detects
    A segment that was sent before (not a reply coming back for the first time, that is CL112; not a tool definition,
    that is CL104) with other bytes of the same meaning: other white space, another Unicode form, other order of
    JSON keys, other spelling of JSON numbers and escapes, JSON as a string.

Why it costs
    Caches compare tokens, not meaning. A history that is stored and read back, or goes through a second
    serializer, can differ in a line end or an escape; from there on everything is computed again.

How it is measured
    Tokens computed again in requests whose first change is of this kind. The remedy is replayed: the segment stays as
    it was first sent, and the other spelling is not sent at all.

How to fix
    Keep the bytes that were sent, or serialize always in one way: sorted keys, one set of separators, no escaping of
    what needs none, one Unicode form (NFC), no trimming. Look at the code that restores a session.

Example
    A message is sent with two line ends at its end; after the session is resumed it has one. The 20 messages behind
    it are computed again.

When to ignore
    Once per session, at resume, when nothing of it is cached anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.components import component
from cachelens.advise.rules.wording import count
from cachelens.attribute.spelling import respelling
from cachelens.model.edits import Edit

_FIXES = {
    "white space": "send the text as it was first sent: no trimming, one kind of line end",
    "Unicode form": "keep one Unicode form (NFC) from the first request on",
    "key order": "serialize JSON with sorted keys, or keep the bytes that were sent",
    "JSON spelling": "serialize JSON in one way, or keep the bytes that were sent",
    "JSON in a string": "keep arguments as they were sent: always an object, or always a string",
}


class UnstableSerialisation(EditRule):
    """CL113."""

    code = "CL113"
    name = "unstable-serialisation"
    precedence = 65

    def claim(self, view: View) -> Claim | None:
        """A segment with other bytes of the same meaning."""
        if view.edit.kind != "respelled" or view.edit.in_reply:
            return None
        how = respelling(view.before, view.now)
        return None if how is None else Claim((view.kind, how), silent=True)

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per kind of segment and of respelling."""
        kind, how = claims[0].key
        requests = count(len({edit.request for edit in edits if case.costly(edit)}), "request")
        return finding(
            case,
            edits,
            claims,
            title=f"{component(kind)} is sent again in another spelling ({how}) in {requests}",
            fix=_FIXES[how],
            details={"what differs": how, "segments": len(edits)},
        )
