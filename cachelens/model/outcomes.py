"""Outcomes: plane 1 of the accounting, as run-length rows. In: spans. Out: totals per request.

Every prompt token of every request lies in exactly one row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cachelens.model.kinds import OUTCOMES
from cachelens.model.trace import Int64, UInt8


@dataclass(frozen=True)
class Outcomes:
    """Rows (request, depth_lo, depth_hi, outcome): tokens [lo, hi) of a prompt; `outcome` indexes OUTCOMES.

    Rows are in order of request and depth, without gaps.
    """

    request: Int64
    lo: Int64
    hi: Int64
    outcome: UInt8

    def totals(self, requests: int) -> Int64:
        """Tokens per request (rows) and outcome (columns, in order of OUTCOMES)."""
        cell = self.request * len(OUTCOMES) + self.outcome
        sums = np.bincount(cell, weights=self.hi - self.lo, minlength=requests * len(OUTCOMES))
        return sums.astype(np.int64).reshape(requests, len(OUTCOMES))
