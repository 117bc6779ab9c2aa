"""The tables that documents come as. In: nothing. Out: names by kind of document; the first is the main one.

Imports nothing: names are looked at before any work is done.
"""

from __future__ import annotations

from typing import Final

#: Names of tables by kind of document; kinds without an entry are not tabular.
TABLES: Final[dict[str, tuple[str, ...]]] = {
    "result": (
        "requests",
        "outcomes",
        "labels",
        "buckets",
        "waste",
        "findings",
        "breaks",
        "layouts",
        "skipped",
    ),
    "curve": ("points",),
    "grid": ("cells",),
}


def table_named(kind: str, word: str) -> str:
    """`word` if it names a table of documents of this kind, else an empty string: the main table."""
    return word if word in TABLES.get(kind, ()) else ""
