"""What a plausible provider would report. In: turns with their rendered prompts. Out: one Usage each.

Token counts are of a simple vocabulary of our own, near those of real ones but equal to none: reported
figures of real servers differ from a local count, too. Replies become reusable when they are complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_PIECE = re.compile(r" ?[A-Za-z]{1,12}|\d{1,3}| ?[^\sA-Za-z\d]{1,4}|\s+")


@dataclass(frozen=True)
class Usage:
    """Tokens of one call: `prompt` counts all input, of which `cached` was read and `written` stored."""

    prompt: int
    cached: int
    written: int
    output: int


@dataclass(frozen=True)
class Rendered:
    """One call as the server sees it: `prompt` segments with their cache marks, and the generated text."""

    started_ms: int
    ended_ms: int
    prompt: tuple[tuple[str, bool], ...]
    output: str


def pieces(text: str) -> list[str]:
    """`text` cut into tokens of the made-up vocabulary."""
    return _PIECE.findall(text)


def _common(a: list[str], b: list[str]) -> int:
    length = min(len(a), len(b))
    for i in range(length):
        if a[i] != b[i]:
            return i
    return length


def _by_prefix(calls: Iterable[Rendered], keeps_output: bool, served: Callable[[int], int]) -> list[Usage]:
    stored: list[tuple[int, list[str]]] = []
    usages = []
    for call in calls:
        prompt = [piece for text, _ in call.prompt for piece in pieces(text)]
        output = pieces(call.output)
        match = max((_common(prompt, old) for end, old in stored if end <= call.started_ms), default=0)
        usages.append(Usage(len(prompt), served(min(match, len(prompt) - 1)), 0, len(output)))
        stored.append((call.ended_ms, prompt + output[:-1] if keeps_output else prompt))
    return usages


def local_server(calls: Iterable[Rendered]) -> list[Usage]:
    """A server with a token-granular radix cache that keeps generated tokens, too."""
    return _by_prefix(calls, True, lambda match: match)


def automatic(calls: Iterable[Rendered]) -> list[Usage]:
    """A provider that caches prompts by itself, from 1024 tokens in steps of 128."""
    return _by_prefix(calls, False, lambda match: match // 128 * 128 if match >= 1024 else 0)


def marked(calls: Iterable[Rendered]) -> list[Usage]:
    """A provider that caches up to marked segments, from 1024 tokens, for five minutes after the last use.

    Each mark looks back over at most 20 segments for a prefix that was stored.
    """
    stored: dict[tuple[str, ...], tuple[int, int]] = {}
    usages = []
    for call in calls:
        texts = [text for text, _ in call.prompt]
        sizes = [len(pieces(text)) for text in texts]
        marks = [i + 1 for i, (_, mark) in enumerate(call.prompt) if mark]
        read = 0
        for mark in marks:
            for end in range(mark, max(0, mark - 21), -1):
                ready, used = stored.get(tuple(texts[:end]), (call.started_ms + 1, 0))
                if ready <= call.started_ms and call.started_ms - used <= 300_000:
                    stored[tuple(texts[:end])] = ready, call.started_ms
                    read = max(read, sum(sizes[:end]))
                    break
        top = max((mark for mark in marks if sum(sizes[:mark]) >= 1024), default=0)
        written = max(0, sum(sizes[:top]) - read)
        for mark in marks:
            if sum(sizes[:mark]) >= 1024:
                stored.setdefault(tuple(texts[:mark]), (call.ended_ms, call.ended_ms))
        usages.append(Usage(sum(sizes), read, written, len(pieces(call.output))))
    return usages
