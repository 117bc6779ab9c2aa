"""A comment is put together here. In: its parts, most important first. Out: Markdown that GitHub accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Bytes of a comment. GitHub takes 65,536 characters.
MOST = 60_000
_MOST_NOTES = 12_000
_PIPE = "\\|"
_TOO_LONG = "What else there is to say is too long for a comment; other formats of cachelens hold it."
#: Begins each comment, so that a script finds the one to replace.
MARKER = "<!-- cachelens -->"


def comment(parts: Sequence[str], notes: Sequence[str], version: str) -> str:
    """All parts that have room, one below the other, then sentences that are notes, and who wrote it.

    The first part always stands there, and is to be short. Empty parts are left out.
    """
    closing = "\n\n".join(text for text in (_notes(notes), f"<sub>cachelens {version}</sub>") if text)
    used = len(f"{MARKER}\n{_TOO_LONG}{closing}".encode()) + 8
    shown: list[str] = []
    left_out = 0
    for part in parts:
        size = len(part.encode()) + 2
        if part and (not shown or used + size <= MOST):
            shown.append(part)
            used += size
        elif part:
            left_out += 1
    if left_out:
        shown.append(_TOO_LONG)
    return f"{MARKER}\n" + "\n\n".join([*shown, closing]) + "\n"


def _notes(sentences: Sequence[str]) -> str:
    lines: list[str] = []
    used = 0
    for sentence in sentences:
        used += len(sentence.encode()) + 3
        if used > _MOST_NOTES:
            lines.append("more notes stand in other formats of cachelens")
            break
        lines.append(sentence)
    return bullets(lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table of inline Markdown; `right`: columns aligned to the right. Empty without rows."""
    lines = [_line(row) for row in rows]
    if not lines:
        return ""
    aligned = set(right)
    rule = _line(["--:" if at in aligned else ":--" for at in range(len(header))])
    return "\n".join([_line(header), rule, *lines])


def section(title: str, body: str) -> str:
    """A titled part; empty without a body."""
    return f"#### {title}\n\n{body}" if body else ""


def folded(summary: str, parts: Iterable[str]) -> str:
    """Parts that are shown when somebody asks; empty when all of them are. `summary` is HTML."""
    body = "\n\n".join(part for part in parts if part)
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>" if body else ""


def bullets(sentences: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _line(cells: Sequence[str]) -> str:
    """One row. A pipe in a cell is escaped, in code as well: tables are split before anything else is looked at."""
    return f"| {' | '.join(cell.replace('|', _PIPE) for cell in cells)} |"
