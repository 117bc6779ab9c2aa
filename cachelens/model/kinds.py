"""Closed vocabularies stored as small integers in the tables: segment kinds, roles, outcomes, labels, buckets.

The index of a name in its tuple is what a column holds; append only, never reorder.
"""

from __future__ import annotations

from typing import Final

#: Segment kinds, in the order of `segments.kind` codes.
KINDS: Final = (
    "tools",
    "system",
    "user",
    "assistant",
    "thinking",
    "tool_call",
    "tool_result",
    "image",
    "other",
)
KIND_CODE: Final = {name: code for code, name in enumerate(KINDS)}

#: Roles as the wire spells them after normalisation.
ROLES: Final = ("system", "developer", "user", "assistant", "tool", "none")
ROLE_CODE: Final = {name: code for code, name in enumerate(ROLES)}

#: Plane 1 of the accounting: why a prompt token was computed, or that it was not. See docs/concepts.md.
OUTCOMES: Final = (
    "hit",
    "fresh",
    "divergence",
    "capacity",
    "expiry",
    "alignment",
    "unmarked",
    "routing",
)
OUTCOME_CODE: Final = {name: code for code, name in enumerate(OUTCOMES)}

#: Plane 2 of the accounting: whether a prompt token was worth sending. The first that holds counts.
LABELS: Final = (
    "live",
    "dup_exact",
    "dup_call",
    "superseded_read",
    "superseded_write",
    "failed_rerun",
    "echo",
    "unreferenced",
)
LABEL_CODE: Final = {name: code for code, name in enumerate(LABELS)}

#: Waste, by what kind of fault it is. A token is in at most one bucket.
BUCKETS: Final = ("none", "retransmission", "tool_output_reparsing", "stale_history")
BUCKET_CODE: Final = {name: code for code, name in enumerate(BUCKETS)}

#: How the prompt of a request departs from that of its predecessor.
BREAK_KINDS: Final = (
    "changed",
    "inserted",
    "removed",
    "reordered",
    "truncated",
    "model-changed",
    "scope-changed",
    "moved",
    "summarized",
    "respelled",
    "framed",
)
