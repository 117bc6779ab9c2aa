"""The errors a user can meet. In: what went wrong. Out: one message with place, reason and way out.

`main()` in `cachelens.cli` turns each into its exit code; anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CachelensError(Exception):
    """A failure the user can act on: `message` says what and where, `hint` the next step to take."""

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CachelensError):
    """Options or arguments that contradict each other or name something unknown."""


class InputError(CachelensError):
    """An input that cannot be read at all: missing, empty, or of no known format."""


class GateFailed(CachelensError):
    """A budget or baseline was missed."""

    exit_code = 1


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """A UsageError for `name`, which is no registered `kind`, suggesting the nearest of `known`."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    return UsageError(f"unknown {kind} {name!r}", hint)
