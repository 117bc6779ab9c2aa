"""Which session a plot is of. In: a `Result`, what was asked for. Out: the id of one session."""

from __future__ import annotations

from cachelens.errors import UsageError, unknown_name
from cachelens.model.result import Result
from cachelens.report.untrusted import clean

_SHOWN = 5
#: Longer names are none: suggestions for them would take long.
_LONGEST = 500


def chosen_session(result: Result, asked: str | None = None) -> str:
    """The session `asked` for, by its id or how it alone begins; None: the one with most prompt tokens.

    Of sessions alike the first. Empty when there are no requests. Raises UsageError when no session has that id, or
    several begin so.
    """
    tokens: dict[str, int] = {}
    for row in result.requests:
        tokens[row.session_id] = tokens.get(row.session_id, 0) + row.prompt_tokens
    if asked is None:
        return max(tokens, key=lambda name: tokens[name], default="")
    if asked in tokens:
        return asked
    found = [name for name in tokens if asked and name.startswith(asked)]
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        shown = ", ".join(clean(name, 40) for name in found[:_SHOWN])
        raise UsageError(f"session {clean(asked)!r} is the beginning of {len(found):,} ids", shown + more)
    largest = sorted(tokens, key=lambda name: -tokens[name])[:50]
    raise unknown_name("session", clean(asked), [clean(name, 80) for name in largest if len(name) < _LONGEST])
