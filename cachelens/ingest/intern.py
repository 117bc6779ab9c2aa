"""Interning: every distinct payload once, every distinct prompt position once.

In: `Part`s of dialects, `Block`s of token traces. Out: content numbers, part numbers and rows of the
segment trie. Numbers are in order of first sight; `cachelens.ingest.finish` renumbers them by request.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from xxhash import xxh3_128_digest

from cachelens.ingest.dialects.base import Part
from cachelens.ingest.exchange import Block
from cachelens.model.kinds import KIND_CODE, ROLE_CODE

#: Tokens a message costs beside its text: start mark, role, separator, end mark (docs/tokens.md). Their
#: ids lie above every vocabulary; the one for the role differs by role.
FRAMING_TOKENS = 4
_FRAME_START, _FRAME_SEPARATOR, _FRAME_END = 0xFFFFFF00, 0xFFFFFF01, 0xFFFFFF02
_FRAME_ROLE = 0xFFFFFF10
#: Length of the key of a block; those of parts are longer.
_BLOCK_KEY = 3
#: Shortest string argument of a tool call that may start a sub-agent.
_PROMPT_ARGUMENT_CHARS = 16


class TokenizerLike(Protocol):
    """What interning needs of a tokenizer: tickets now, ids of all tickets later.

    `guarded_texts`: texts whose ids are approximate, because a stretch of them had to be cut.
    """

    guarded_texts: int

    def add(self, text: str) -> int:
        """Queue a text; its ticket, counted from 0."""
        ...

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets (n + 1) and ids of all texts, in order of their tickets."""
        ...


class PartFacts(NamedTuple):
    """An interned part: everything of a segment row but its place in a prompt."""

    content: int
    kind: int
    role: int
    name: int
    call_id: int
    breakpoint_s: int
    field: int


class Contents:
    """Distinct payloads as they are found. A content is text, token ids, or atomic."""

    def __init__(self, tokenizer: TokenizerLike) -> None:
        self._tokenizer = tokenizer
        self._known: dict[object, int] = {}
        self.kind = array("B")
        self.role = array("B")
        self.bytes = array("q")
        self.framing = array("q")
        self.ticket = array("q")  # of the tokenizer; -1: none
        self.atomic_tokens = array("q")  # tokens without ids
        self.ids: dict[int, bytes] = {}  # given ids, uint32 little-endian
        self.digest: list[bytes] = []  # of the text alone, to find the same words elsewhere
        self.prompt_arguments: dict[bytes, list[int]] = {}  # digest of a string argument -> tool calls

    def __len__(self) -> int:
        return len(self.kind)

    def of_part(self, part: Part) -> int:
        """The content of a part; the same kind, role, framing and payload give the same number."""
        kind, role = KIND_CODE[part.kind], ROLE_CODE[part.role]
        framing = FRAMING_TOKENS if part.starts else 0
        if part.opaque is not None:
            key: object = (kind, role, framing, part.opaque.digest, part.opaque.tokens, part.text)
            found = self._known.get(key)
            if found is None:
                tokens = part.opaque.tokens + framing
                found = self._new(key, kind, role, part.opaque.size, framing, -1, tokens, part.opaque.digest)
            return found
        data = part.text.encode("utf-8", "surrogatepass")
        digest = xxh3_128_digest(data)
        key = (kind, role, framing, digest)
        found = self._known.get(key)
        if found is None:
            ticket = self._tokenizer.add(part.text) if data else -1
            stripped = xxh3_128_digest(data.strip())
            found = self._new(key, kind, role, len(data), framing, ticket, 0, stripped)
            if part.kind == "tool_call":
                self._note_arguments(part.text, found)
        return found

    def payloads(self) -> list[int]:
        """For each content the first one of its kind, role and payload: a text is the same with a frame or without."""
        first: dict[object, int] = {}
        same = list(range(len(self)))
        for key, number in self._known.items():
            if isinstance(key, tuple) and len(key) > _BLOCK_KEY:
                kind, role, _, *payload = key
                same[number] = first.setdefault((kind, role, *payload), number)
        return same

    def of_block(self, namespace: str, block: Block) -> int:
        """The content of a block of a token or hash trace."""
        key = (namespace, block.key, block.tokens)
        found = self._known.get(key)
        if found is None:
            kind, role = KIND_CODE["other"], ROLE_CODE["none"]
            atomic = 0 if block.ids else block.tokens
            found = self._new(key, kind, role, len(block.ids), 0, -1, atomic, block.key)
            if block.ids:
                self.ids[found] = block.ids
        return found

    def _new(
        self,
        key: object,
        kind: int,
        role: int,
        size: int,
        framing: int,
        ticket: int,
        atomic: int,
        digest: bytes,
    ) -> int:
        number = len(self.kind)
        self._known[key] = number
        self.kind.append(kind)
        self.role.append(role)
        self.bytes.append(size)
        self.framing.append(framing)
        self.ticket.append(ticket)
        self.atomic_tokens.append(atomic)
        self.digest.append(digest)
        return number

    def _note_arguments(self, text: str, content: int) -> None:
        """Remember long string arguments: a sub-agent's prompt is one of its parent's tool arguments."""
        try:
            arguments = msgspec.json.decode(text.partition("\n")[2])
        except (msgspec.DecodeError, RecursionError):
            return  # not JSON: free-form tool input starts no sub-agent
        for value in arguments.values() if isinstance(arguments, dict) else ():
            if isinstance(value, str) and len(value) >= _PROMPT_ARGUMENT_CHARS:
                digest = xxh3_128_digest(value.strip().encode("utf-8", "surrogatepass"))
                self.prompt_arguments.setdefault(digest, []).append(content)

    def encode(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Wait for the tokenizer. Tokens per content, offsets (n + 1) and all token ids."""
        starts, text_ids = self._tokenizer.finish()
        count = len(self)
        framing = np.frombuffer(self.framing, dtype=np.int64) if count else np.zeros(0, np.int64)
        ticket = np.frombuffer(self.ticket, dtype=np.int64) if count else np.zeros(0, np.int64)
        atomic = np.frombuffer(self.atomic_tokens, dtype=np.int64) if count else np.zeros(0, np.int64)
        lengths = np.where(atomic > 0, 0, framing)
        texts = np.flatnonzero(ticket >= 0)
        lengths[texts] += np.diff(starts)[ticket[texts]]
        for content, data in self.ids.items():
            lengths[content] = len(data) // 4
        offsets = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        ids = np.zeros(int(offsets[-1]), dtype=np.uint32)
        framed = np.flatnonzero((framing > 0) & (atomic == 0))
        at = offsets[framed]
        ids[at] = _FRAME_START
        ids[at + 1] = _FRAME_ROLE + np.frombuffer(self.role, dtype=np.uint8)[framed].astype(np.uint32)
        ids[at + 2] = _FRAME_SEPARATOR
        ids[at + 3] = _FRAME_END
        for content in texts.tolist():
            begin, number = offsets[content] + framing[content], ticket[content]
            ids[begin : offsets[content + 1]] = text_ids[starts[number] : starts[number + 1]]
        for content, data in self.ids.items():
            ids[offsets[content] : offsets[content + 1]] = np.frombuffer(data, dtype="<u4")
        return lengths + atomic, offsets, ids


class SegmentTrie:
    """Distinct prompt positions. A row follows a row; the same part after the same row is the same row."""

    def __init__(self) -> None:
        self.parts: list[PartFacts] = []
        self._part_numbers: dict[PartFacts, int] = {}
        self.strings: list[str] = []
        self._string_numbers: dict[str, int] = {}
        self.parent = array("q")
        self.part = array("q")
        self.message = array("q")
        self._next: dict[tuple[int, int], int] = {}

    def string(self, text: str | None) -> int:
        """The number of a string, -1 for None."""
        if text is None:
            return -1
        number = self._string_numbers.get(text)
        if number is None:
            number = self._string_numbers[text] = len(self.strings)
            self.strings.append(text)
        return number

    def intern(self, facts: PartFacts) -> int:
        """The number of a part."""
        number = self._part_numbers.get(facts)
        if number is None:
            number = self._part_numbers[facts] = len(self.parts)
            self.parts.append(facts)
        return number

    def follow(self, row: int, parts: Sequence[int], message: int) -> int:
        """The row after `parts`, all of element `message` of their list, when they follow `row`."""
        for part in parts:
            found = self._next.get((row, part))
            if found is None:
                found = self._next[row, part] = len(self.parent)
                self.parent.append(row)
                self.part.append(part)
                self.message.append(message)
            elif message >= 0 and self.message[found] < 0:
                self.message[found] = message  # generated first, then sent back: now it has a place
            row = found
        return row
