"""Elements of message lists, each decoded and interned once.

In: raw JSON of a message or item, and the dialect that reads it. Out: the number of an `Element`, which
holds the parts it renders, with and without its thinking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from xxhash import xxh3_128_digest

from cachelens.ingest.dialects.base import BadBody, Dialect, Part
from cachelens.ingest.intern import Contents, PartFacts, SegmentTrie
from cachelens.ingest.thinking import is_thinking, is_user_turn, without_thinking
from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.render import Thinking

#: What decoding raises on a body that is not what it should be.
DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
#: Characters of a system prompt that are kept to tell the harness.
SYSTEM_HEAD_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a message list, interned.

    `open`: the parts it renders after the last turn of the user; `closed`: before that. They are the same object
    unless thinking is left out there. `system`: a system message; `turn`: a turn of the user; `images`: it holds
    pictures; `text`: how a system message begins.
    """

    open: tuple[int, ...]
    closed: tuple[int, ...]
    system: bool
    turn: bool
    images: bool
    text: str


@dataclass
class Elements:
    """Numbers elements in order of first sight. `references`: those that stand for what only the server holds."""

    contents: Contents
    trie: SegmentTrie
    thinking: Thinking
    references: set[int] = field(default_factory=set)
    _all: list[Element] = field(default_factory=list)
    _numbers: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Element:
        return self._all[number]

    def of_raw(self, dialect: Dialect, raw: bytes) -> int:
        """The number of an element, decoded when its bytes are new. Raises BadBody when it cannot be read."""
        key = (dialect.name, xxh3_128_digest(raw))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.of_parts(dialect, decoded(lambda: dialect.item(raw)))
        return number

    def of_parts(self, dialect: Dialect, parts: Sequence[Part]) -> int:
        """The number of a new element that has these parts, such as a response that a later request continues."""
        system = bool(parts) and parts[0].kind == "system"
        if any(part.name == "item_reference" and not part.text for part in parts):
            self.references.add(len(self._all))
        opened = closed = self._rendered(dialect, parts, self.thinking == "thinking-stripped")
        if self.thinking == "thinking-last-turn" and any(map(is_thinking, parts)):
            closed = self._rendered(dialect, parts, True)
        self._all.append(
            Element(
                open=opened,
                closed=closed,
                system=system,
                turn=is_user_turn(parts),
                images=any(part.kind == "image" for part in parts),
                text=parts[0].text[:SYSTEM_HEAD_CHARS] if system else "",
            )
        )
        return len(self._all) - 1

    def _rendered(self, dialect: Dialect, parts: Sequence[Part], stripped: bool) -> tuple[int, ...]:
        shown = without_thinking(parts, dialect.renders_empty) if stripped else parts
        return tuple(map(self.part, shown))

    def part(self, part: Part) -> int:
        """The number of a part in the trie."""
        string = self.trie.string
        return self.trie.intern(
            PartFacts(
                self.contents.of_part(part),
                KIND_CODE[part.kind],
                ROLE_CODE[part.role],
                string(part.name),
                string(part.call_id),
                part.breakpoint_s,
                string(part.field),
            )
        )


def decoded(decode: Callable[[], list[Part]]) -> list[Part]:
    """What `decode` gives. Raises BadBody with the reason for what cannot be decoded."""
    try:
        return decode()
    except DECODE_ERRORS as error:
        raise BadBody(reason(error)) from error


def reason(error: Exception) -> str:
    """The slug of a decoding error."""
    if isinstance(error, RecursionError):
        return "too-deep"
    if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error).lower():
        return "bad-utf8"
    return "bad-json" if not isinstance(error, msgspec.ValidationError) else "bad-body"
