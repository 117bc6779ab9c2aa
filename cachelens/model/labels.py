"""Labels: plane 2 of the accounting, independent of how often a prompt was sent. In: built by attribution.

Agents send their whole history with every request, so labels per request would grow with the square of a
session. A label is a fact about a prompt position that begins to hold at a later position: it is stored
once, and holds in every prompt that contains both. Out: rows of which each request's labels are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cachelens.model.trace import Int64, UInt8


@dataclass(frozen=True)
class Labels:
    """Facts about segment rows, in order of `since`, then `row`, then `lo`.

    Tokens `[lo, hi)` of segment row `row`, counted from its start, carry `label` (index into LABELS, never
    `live`) in every prompt whose path holds row `since`: `row` itself, or one that follows it on the path.
    `cause` is the row that makes it so: the earlier copy, the later read, the rerun (-1: nothing does, it is
    merely not referenced). Facts may overlap; of those that hold the label with the lowest code counts.
    """

    row: Int64
    lo: Int64
    hi: Int64
    label: UInt8
    since: Int64
    cause: Int64

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def of(cls, facts: list[tuple[int, int, int, int, int, int]]) -> Labels:
        """From (row, lo, hi, label, since, cause) in any order; empty ranges are left out."""
        kept = sorted((f for f in facts if f[2] > f[1]), key=lambda f: (f[4], f[0], f[1], f[3]))
        table = np.array(kept, dtype=np.int64).reshape(-1, 6)
        row, lo, hi, label, since, cause = table.T
        return cls(row, lo, hi, label.astype(np.uint8), since, cause)
