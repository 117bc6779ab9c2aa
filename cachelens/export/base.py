"""The contract of an export. In: a trace. Out: named files, written piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cachelens.model.trace import Trace


@dataclass(frozen=True)
class ExportOptions:
    """How to export. `block_tokens`: of a hashed block, None: what readers of the format expect.

    `salt`: block ids are keyed hashes, equal in all files written with the same salt and meaningless without it.
    None: numbers in order of appearance, which say nothing about the tokens and hold for one file.
    """

    block_tokens: int | None = None
    salt: str | None = None


class File(NamedTuple):
    """A file and its pieces. `name` is empty for the only file of an export."""

    name: str
    pieces: Iterator[bytes]


class Exporter(Protocol):
    """One format. `several`: it writes a folder of files, else one. `hashed`: blocks, so `ExportOptions` matter.

    `lost`: sentences about what the format cannot hold.
    """

    name: str
    several: bool
    hashed: bool
    lost: tuple[str, ...]

    def files(self, trace: Trace, options: ExportOptions) -> Iterator[File]:
        """The files. Raises UsageError for a trace that the format cannot hold."""
        ...
