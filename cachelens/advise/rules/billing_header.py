"""The billing line that Claude Code puts into the system prompt. In: two texts. Out: which of its fields differ."""

from __future__ import annotations

import re

from cachelens.advise.rules.differing import hunks

#: `x-anthropic-billing-header: cc_version=2.1.36.a1b; cc_entrypoint=cli; cch=0f3a9;`, keys taken loosely.
_HEADER = re.compile(
    r"\s*[\w-]*billing[\w-]*header[\w-]*\s*:\s*(?P<fields>(?:[\w.-]+\s*=\s*[^;\s]*\s*;?\s*)+)$", re.IGNORECASE
)
_FIELD = re.compile(r"([\w.-]+)\s*=\s*([^;\s]*)")


def header_fields(line: str) -> dict[str, str] | None:
    """Fields of a billing line by name; None when the line is none."""
    match = _HEADER.match(line)
    return None if match is None else dict(_FIELD.findall(match["fields"]))


def fields_changed(before: str, now: str) -> tuple[str, ...]:
    """Names of the fields that differ, when nothing but fields of a billing line does; else empty.

    An empty text stands for a segment that is not there: then the other one must be a billing line alone, and all
    its fields differ.
    """
    one, other = (text.split("\n") if text else [] for text in (before, now))
    names: set[str] = set()
    for hunk in hunks(one, other):
        then = [header_fields(line) for line in hunk.before if line.strip()]
        later = [header_fields(line) for line in hunk.now if line.strip()]
        if None in then or None in later or max(len(then), len(later)) > 1:
            return ()
        a, b = (found[0] or {} if found else {} for found in (then, later))
        names |= {name for name in a.keys() | b.keys() if a.get(name) != b.get(name)}
    return tuple(sorted(names))
