"""Finds the format of a source. In: a source. Out: the name of the format that claims it most surely.

A source that no format claims is refused with a word on what it is instead.
"""

from __future__ import annotations

from pathlib import Path

from cachelens.errors import InputError
from cachelens.ingest.formats import FORMATS
from cachelens.ingest.formats.base import Format
from cachelens.ingest.formats.claude_raw import is_raw_folder
from cachelens.ingest.formats.unknown import describe
from cachelens.ingest.source import Source

#: What `detect` calls a folder that `cachelens ingest` wrote; it is no capture and no format reads it.
TABLES = "tables"
_TABLES_FILE = "cachelens.json"


def detect(source: Source) -> tuple[str, float]:
    """The best claim on `source`: a format's name (or TABLES) and its score. Ties go to registry order.

    Raises InputError, naming what was found and what can be read, when nothing claims it.
    """
    if source.path is not None and is_table_folder(source.path):
        return TABLES, 1.0
    best, best_score = "", 0.0
    for name in FORMATS:
        candidate: Format = FORMATS.load(name)()
        score = candidate.claim(source)
        if score > best_score:
            best, best_score = name, score
    if not best:
        if source.is_folder:
            what, hint = "a folder that is no capture", None
        elif not source.head() and source.path is not None and source.path.stat().st_size:
            what, hint = "compressed data that breaks off at once", None
        else:
            what, hint = describe(source.head())
        known = f"formats that can be read: {', '.join(FORMATS)}"
        raise InputError(f"{source.name}: {what}", f"{hint}; {known}" if hint else known)
    return best, best_score


def is_capture_folder(path: Path) -> bool:
    """Whether a folder is one capture as a whole instead of a place where captures lie."""
    return is_table_folder(path) or is_raw_folder(path)


def is_table_folder(path: Path) -> bool:
    """Whether a folder holds the tables that `cachelens ingest` writes."""
    return (path / _TABLES_FILE).is_file()
