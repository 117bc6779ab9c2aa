"""A value that changes by itself stands early in the prompt.

What it detects
    Both sides of a change have the same volatile shape: a date, a time of day, a Unix timestamp, a UUID, a
    hexadecimal or random token, a counter, a percentage, a port, a temporary path. Everything that differs in the
    segment must be such a value, at the same place of the same line. A number in running text is a counter only
    where a word beside it says so (`turn 3`, `12 of 50`), and numbers in names of files and versions are none. The
    finest unit that is written (microsecond, second, day) and the smallest interval between two values tell how
    often it can break the prefix.

Why it costs
    Caches match from the first token on. What stands behind the value is computed again, however large and
    unchanged it is; the value itself is a handful of tokens. A clock with microseconds in a system prompt of 117
    tokens changed twice in a session of 35 requests, at each new turn of the user, and made the server compute
    7,638 and 24,105 tokens again.

How it is measured
    Tokens computed again in requests whose first change is of this kind. The remedy is replayed: the value
    stays as it was first sent, and the new one is sent behind everything that was sent before.

How to fix
    Leave the value out, round it (a date instead of a time), or send it with the latest message. In Agno set
    add_datetime_to_context=False, or give the time in the message of the user; in frameworks with prompt templates
    look for `{date}`, `now()` and ids of runs in the system prompt.

Example
    The first line of a system prompt is `The current time is 2026-03-01T10:31:07Z.`; the next request says
    `10:31:15`. All tools and messages behind it are computed again, and the finding says: a date and time, to the
    second, smallest step 8 seconds.

When to ignore
    A date that changes once a day costs one prefix a day and session.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.components import component
from cachelens.advise.rules.volatile import Piece, pieces_of
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit


class VolatilePrefix(EditRule):
    """CL101."""

    code = "CL101"
    name = "volatile-prefix"
    precedence = 20

    def claim(self, view: View) -> Claim | None:
        """A change of which all that differs is volatile."""
        if view.edit.kind != "changed" or view.edit.in_reply:
            return None
        pieces = volatile_pieces(view)
        if not pieces:
            return None
        tool = view.case.name(view.edit.row) if view.kind == "tools" else None
        return Claim((view.kind, pieces[0].shape.kind, *((tool,) if tool else ())), note=tuple(pieces))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per kind of value and kind of segment."""
        changes = [_pieces(claim) for claim in claims]
        shape = changes[0][0].shape
        kind, _, *tool = claims[0].key
        costly = {edit.request for edit in edits if case.costly(edit)}
        steps = [
            piece.shape.step_s for pieces in changes for piece in pieces if piece.shape.step_s is not None
        ]
        values = {text for pieces in changes for text in (pieces[0].before, pieces[0].now)}
        details: dict[str, int | float | str] = {"shape": shape.kind}
        if shape.granularity:
            details["granularity"] = shape.granularity
        if steps:
            details["smallest step in seconds"] = min(steps)
        details["distinct values"] = len(values)
        what = f"{shape.words}, to the {shape.granularity}," if shape.granularity else shape.words
        place = component(kind, tool[0] if tool else None)
        return finding(
            case,
            edits,
            claims,
            title=f"{what} in {place} changes in {count(len(costly), 'request')}",
            fix="leave it out, round it, or put it into the latest message",
            details=details,
        )


def volatile_pieces(view: View) -> list[Piece]:
    """All that differs between the two texts of an edit, empty unless all of it is volatile."""
    if view.kind != "tools":
        return pieces_of(view.before, view.now)
    # Definitions are JSON in one line: lines of a description are spelled as escapes.
    return pieces_of(view.before.replace("\\n", "\n"), view.now.replace("\\n", "\n"))


def _pieces(claim: Claim) -> tuple[Piece, ...]:
    assert isinstance(claim.note, tuple)
    return claim.note
