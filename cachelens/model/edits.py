"""Edits: what a harness did to what it had sent before, segment by segment. In: built by attribution.

Out: `Edit`, numbered over the whole trace, the unit in which breaks are explained, blamed and undone.
"""

from __future__ import annotations

from typing import NamedTuple

#: What was done to a segment. `framed`: only whether a message starts with it. `truncated`: gone, and all
#: that followed with it. `summarized`: one of several that a shorter text replaced, or that text.
#: `respelled`: other bytes of the same meaning (white space, Unicode form, key order, JSON spelling).
EDIT_KINDS = (
    "changed",
    "respelled",
    "framed",
    "inserted",
    "removed",
    "moved",
    "truncated",
    "summarized",
)


class Edit(NamedTuple):
    """One segment of request `request` that is not as request `before` had it.

    `number` counts edits over the trace. `before_at` is the segment's place in the earlier prompt and the
    reply to it, `now_at` its place in the later prompt; -1 where it stands in one only; `before_row` and
    `now_row` are the segment rows there. `head` and `tail`: tokens that both versions share at their ends.
    `in_reply`: the earlier version was generated in reply to `before`, and this is its echo. `depth`: tokens of
    the later prompt before the edit takes effect. `sibling`: `before` is not the predecessor but the first
    request of another lineage, to which this first request of its own is compared. `after_tokens`: tokens of
    the later prompt behind the edit that the earlier one had held too.
    """

    number: int
    request: int
    before: int
    kind: str
    before_at: int
    now_at: int
    before_row: int
    now_row: int
    head: int
    tail: int
    in_reply: bool
    depth: int
    after_tokens: int
    sibling: bool = False

    @property
    def row(self) -> int:
        """A row to say where it is: of the later prompt, or of the earlier one if it stands only there."""
        return self.now_row if self.now_row >= 0 else self.before_row
