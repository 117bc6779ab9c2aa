"""What findings call the parts of a prompt. In: a segment kind. Out: words with an article."""

from __future__ import annotations

from typing import Final

from cachelens.advise.rules.wording import count

_WORDS: Final = {
    "tools": "the tool definitions",
    "system": "the system prompt",
    "user": "a user message",
    "assistant": "an assistant message",
    "thinking": "the thinking",
    "tool_call": "the arguments of a tool call",
    "tool_result": "a tool result",
    "image": "an image",
}


def component(kind: str, name: str | None = None) -> str:
    """A segment kind in the middle of a sentence; `name`: of the tool whose definition it is."""
    if kind == "tools" and name:
        return f"the definition of tool {name}"
    return _WORDS.get(kind, "the prompt")


def listed(names: list[str], most: int = 4) -> str:
    """Names in a sentence: the first `most` of them, and how many more."""
    shown = names[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def counted(number: int, thing: str) -> str:
    """The same as `wording.count`."""
    return count(number, thing)
