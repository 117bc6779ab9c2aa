"""Tool calls that a harness writes into the text of messages. In: texts. Out: calls, and which texts answer them.

Only spellings that nothing else looks like, and only when a message holds one call; all others stay text.
"""

from __future__ import annotations

import ast
import contextlib
import re
from typing import Any, Final, NamedTuple

import msgspec

#: Longer texts are not parsed.
_LONGEST: Final = 200_000
_CALLING: Final = "Calling tools:\n"
_FENCE: Final = re.compile(r"^```(?:bash|mswea_bash_command)\n(.*?)\n```[ \t]*$", re.DOTALL | re.MULTILINE)
_CLOSING: Final = re.compile(r"</([a-z][a-z_]{2,40})>$")
_ARGUMENT: Final = re.compile(r"\s*<([a-z_]{2,40})>")


class Spelled(NamedTuple):
    """A call found in a text: it begins at character `start`; its answer begins with `answer`."""

    name: str
    arguments: dict[str, Any]
    start: int
    answer: str


def spelled_call(text: str) -> Spelled | None:
    """The one call that the text of an assistant spells; None when there is none, or more than one."""
    if len(text) > _LONGEST:
        return None
    if _CALLING in text:
        return _smolagents(text)
    if "```" in text:
        # One fence has two ends.
        fence = _FENCE.search(text) if text.count("```") == len(("begin", "end")) else None
        return Spelled("bash", {"command": fence[1]}, fence.start(), "<returncode>") if fence else None
    return _xml(text) if text.rstrip().endswith(">") else None


def _smolagents(text: str) -> Spelled | None:
    """smolagents: `Calling tools:`, then a list of calls as Python or JSON; the answer is an `Observation:`."""
    start = text.rfind(_CALLING)
    written = text[start + len(_CALLING) :].rstrip()
    if (start > 0 and text[start - 1] != "\n") or not written.startswith("[{") or not written.endswith("}]"):
        return None
    calls = _literal(written)
    if not isinstance(calls, list) or len(calls) != 1 or not isinstance(calls[0], dict):
        return None
    function = calls[0].get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = _literal(arguments)
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        return None
    return Spelled(function["name"], arguments, start, "Observation:")


def _xml(text: str) -> Spelled | None:
    """Cline's XML: one element named like the tool, in it one element for each argument."""
    body = text.rstrip()
    closing = _CLOSING.search(body)
    if closing is None:
        return None
    opening = f"<{closing[1]}>"
    start = body.find(opening)
    if start < 0 or body.count(opening) != 1 or (start > 0 and body[start - 1] != "\n"):
        return None
    at, end, arguments = start + len(opening), closing.start(), {}
    while body[at:end].strip():
        argument = _ARGUMENT.match(body, at, end)
        close = body.find(f"</{argument[1]}>", argument.end(), end) if argument else -1
        if argument is None or close < 0 or argument[1] in arguments:
            return None
        arguments[argument[1]] = body[argument.end() : close].removeprefix("\n").removesuffix("\n")
        at = close + len(f"</{argument[1]}>")
    return Spelled(closing[1], arguments, start, f"[{closing[1]}") if arguments else None


def _literal(text: str) -> Any:
    """A value written as JSON or as a Python literal; None for anything else."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):  # no JSON: it may be Python
        return msgspec.json.decode(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
