"""Text out of a trace, made safe to stand in a comment. In: names, paths, titles as captured. Out: inline Markdown.

Whoever posts the comment must not ping people, link issues or commits, or show markup because a captured text says so.
GitHub looks for `@names`, `#numbers`, addresses and hashes everywhere but in code: so whatever is no plain word is put
into a code span, where nothing has a meaning. Nothing is added to the text itself. (Pipes are the business of tables.)
"""

from __future__ import annotations

import re

from cachelens.report.untrusted import clean

#: A word of letters, with hyphens and apostrophes inside; a number. Neither means anything to GitHub.
_PLAIN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,]\d+)*%?|%", re.ASCII | re.IGNORECASE)
#: May be the name of a commit.
_HASH = re.compile(r"[0-9a-f]{7,}", re.IGNORECASE)
#: Quotes, brackets and stops around a word, which mean nothing there either.
_AROUND = re.compile(r"""(["'(]*)(.*?)(["'),.;:!?…]*)""", re.DOTALL)
_NOTHING = "–"


def code(text: str, limit: int = 80, keep_end: bool = False) -> str:
    """`text` as code, of at most `limit` cells; a dash when there is nothing to show."""
    return _span(clean(text, limit, keep_end)) or _NOTHING


def prose(text: str, limit: int = 300) -> str:
    """A sentence that may quote a trace: plain words as they are, all else as code."""
    words = clean(text, limit).split(" ")
    out: list[str] = []
    pending: list[str] = []  # neighbors that are all code stand in one span

    def flush() -> None:
        if pending:
            out.append(_span(" ".join(pending)))
            pending.clear()

    for at, word in enumerate(words):
        before, core, after = _parts(word)
        if _is_plain(core) and not (at == 0 and core[:1].isdigit() and after):  # `1.` begins a list
            flush()
            out.append(word)
            continue
        if before or not pending:
            flush()
        pending.append(core)
        if before or after:
            span = _span(" ".join(pending))
            pending.clear()
            out.append(before + span + after)
    flush()
    return " ".join(out) or _NOTHING


def _parts(word: str) -> tuple[str, str, str]:
    """What stands around a word, and the word; a word of nothing else is all core."""
    found = _AROUND.fullmatch(word)
    if found is None or not found[2]:
        return "", word, ""
    return found[1], found[2], found[3]


def _is_plain(word: str) -> bool:
    return _PLAIN.fullmatch(word) is not None and _HASH.fullmatch(word) is None


def _span(text: str) -> str:
    """A code span with fences longer than any run of backticks inside."""
    if not text:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"
