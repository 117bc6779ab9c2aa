"""The nouns of file traffic: a read or change of one file. In: nothing. Out: `Touch`, `Edit`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A passage `old` that is replaced by `new`, wherever it stands when `every`."""

    old: str
    new: str
    every: bool = False


@dataclass(frozen=True)
class Touch:
    """One file that a call reads or changes.

    `action`: `read`, `write` (all of it) or `edit`. A read asks for the lines `first` to `last`, counted from 1
    (None: to the end); not `certain`: it has arguments that may leave out lines. `edits` are the passages that an
    edit replaces, None when the call does not say.
    """

    action: str
    path: str
    first: int = 1
    last: int | None = None
    certain: bool = True
    edits: tuple[Edit, ...] | None = None
