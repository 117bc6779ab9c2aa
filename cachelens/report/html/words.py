"""Text and figures as a page shows them. In: what a Result holds. Out: short strings, safe to read."""

from __future__ import annotations

from collections.abc import Callable

from cachelens.model.findings import Saving
from cachelens.report.units import exact, percent
from cachelens.report.untrusted import clean

#: Characters shown of a name, a path, a sentence.
_NAME, _PATH, _SENTENCE = 60, 140, 600


def name(text: str) -> str:
    """An id, a model, a tool: one short line. What shows nothing at all is said to be unnamed."""
    return clean(text, _NAME) or "(unnamed)"


def path(text: str) -> str:
    """A place in the body of a request."""
    return clean(text, _PATH)


def file(text: str) -> str:
    """A file: of a long one the end, which tells more."""
    return clean(text, _PATH, keep_end=True) or "(unnamed)"


def sentence(text: str) -> str:
    """A title, a remark, a remedy: they may quote names of the trace."""
    return clean(text, _SENTENCE)


def signed(form: Callable[[float], str], value: float) -> str:
    """`value` in a form that knows no negative numbers."""
    return "-" + form(-value) if value < 0 else form(value)


def signed_count(tokens: int) -> str:
    """Tokens with all digits, of a saving that may be negative."""
    return signed(lambda value: exact(int(value)), tokens)


def part(value: float) -> str:
    """A share that may be negative, in percent."""
    return signed(percent, value)


def detail(key: str, value: int | float | str) -> str:
    """A piece of evidence: counts with all digits, shares in percent."""
    if isinstance(value, (bool, str)):
        return sentence(str(value))
    if isinstance(value, int):
        return exact(value)
    return part(value) if "share" in key else f"{value:,.6g}"


def upper(saving: Saving, changes_input: bool) -> str:
    """`up to`, where a saving is a bound and there is one."""
    return "up to " if changes_input and saving.computed_tokens > 0 else ""
