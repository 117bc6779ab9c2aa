"""Prompts along the paths of a tree of entries. In: parents and turns by entry. Out: JSON lists of messages.

A transcript stores each message once, a request repeats all of them. What the path to an entry shares with
the path asked for before is neither walked nor put together again, only copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cachelens.ingest.formats.base import RecordError

#: Bytes of messages that a transcript may keep in memory: its prompts are rebuilt from all of them.
KEPT_BYTES = 512 << 20


class Turn(NamedTuple):
    """A piece of a prompt: the content blocks of a role, joined by commas, or a whole message (`role` empty).

    Neighboring turns of one role become one message, as the Messages API joins them.
    """

    role: str
    json: bytes


class Prompt(NamedTuple):
    """A JSON list of messages in pieces, and the marks of the entries on its path, in order and each once."""

    pieces: list[bytes]
    marks: tuple[str, ...]

    def body(self, head: bytes) -> bytes:
        """A JSON object that begins with `head` (`{..,"messages":`) and ends with the list."""
        return b"".join((head, *self.pieces, b"}"))


@dataclass(frozen=True)
class Entries:
    """What a tree is made of: entries are numbers from 0.

    `parent(entry)` is the entry before it, -1 for none. `turns(entry)` are its pieces of the prompt;
    `marks(entry)` words on what is unknown about every prompt that contains it.
    """

    parent: Callable[[int], int]
    turns: Callable[[int], Iterable[Turn]]
    marks: Callable[[int], tuple[str, ...]]


class MessageTree:
    """Joins the turns along one path after another. Raises RecordError (`broken-tree`) for a path in a circle."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._at: dict[int, int] = {}  # where an entry stands in the latest path
        self._path: list[int] = []
        self._pieces: list[bytes] = []
        self._roles: list[
            str | None
        ] = []  # role of the message left open after an entry; None: no message yet
        self._marks: list[tuple[str, ...]] = []

    def prompt(self, last: int) -> Prompt:
        """The messages on the path that ends with `last` (-1: an empty one)."""
        shared, fresh = self._walk(last)
        for entry in self._path[shared:]:
            del self._at[entry]
        for kept in (self._path, self._pieces, self._roles, self._marks):
            del kept[shared:]
        for entry in reversed(fresh):
            self._append(entry)
        role = self._roles[-1] if self._roles else None
        end = b"]}]" if role else b"]"
        return Prompt([b"[", *self._pieces, end], self._marks[-1] if self._marks else ())

    def forget(self) -> None:
        """Drop what is remembered, because parents have changed."""
        for kept in (self._at, self._path, self._pieces, self._roles, self._marks):
            kept.clear()

    def _walk(self, last: int) -> tuple[int, list[int]]:
        """How much of the latest path leads to `last` as well, and the entries after that, last one first."""
        fresh: list[int] = []
        seen: set[int] = set()
        entry = last
        while entry >= 0 and entry not in self._at:
            if entry in seen:
                raise RecordError("broken-tree", "the entry is its own ancestor")
            seen.add(entry)
            fresh.append(entry)
            entry = self._entries.parent(entry)
        return (self._at[entry] + 1 if entry >= 0 else 0), fresh

    def _append(self, entry: int) -> None:
        role = self._roles[-1] if self._roles else None
        pieces: list[bytes] = []
        for turn in self._entries.turns(entry):
            if not turn.json:
                continue
            if turn.role and turn.role == role:
                pieces += (b",", turn.json)
                continue
            pieces.append(b"" if role is None else b"]}," if role else b",")
            if turn.role:
                pieces += (b'{"role":"', turn.role.encode(), b'","content":[')
            pieces.append(turn.json)
            role = turn.role
        marks = self._marks[-1] if self._marks else ()
        marks += tuple(mark for mark in self._entries.marks(entry) if mark not in marks)
        self._at[entry] = len(self._path)
        self._path.append(entry)
        self._pieces.append(b"".join(pieces))
        self._roles.append(role)
        self._marks.append(marks)
