"""One look per outcome, label, bucket, kind of segment and curve, on screens and in plots. In: nothing.

Out: constants.

The colors are those of Okabe and Ito, which people with any common color blindness can tell apart; each
outcome has a glyph of its own as well, so that a bar still reads without color.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cachelens.model.kinds import BUCKETS, KINDS, LABELS, OUTCOMES


class Look(NamedTuple):
    """How an outcome, a label, a bucket or a kind of segment is shown: short name, `#rrggbb` color, cell of a bar."""

    label: str
    color: str
    glyph: str
    ascii_glyph: str


#: Looks by outcome name, in the order in which bars and labels show them.
OUTCOME_LOOKS: Final[dict[str, Look]] = {
    "hit": Look("hit", "#0072b2", "█", "#"),
    "divergence": Look("diverged", "#d55e00", "▚", "x"),
    "fresh": Look("fresh", "#999999", "░", "."),
    "capacity": Look("evicted", "#e69f00", "▓", "e"),
    "expiry": Look("expired", "#f0e442", "▞", "t"),
    "alignment": Look("alignment", "#56b4e9", "▒", "p"),
    "unmarked": Look("unmarked", "#cc79a7", "▤", "u"),
    "routing": Look("other replica", "#009e73", "▥", "r"),
}

#: Looks by label. Labels are read with outcomes beside them: letters, so that nobody takes one for the other.
LABEL_LOOKS: Final[dict[str, Look]] = {
    "live": Look("live", "#999999", "─", "-"),
    "dup_exact": Look("dup_exact", "#d55e00", "d", "d"),
    "dup_call": Look("dup_call", "#e69f00", "c", "c"),
    "superseded_read": Look("superseded_read", "#cc79a7", "r", "r"),
    "superseded_write": Look("superseded_write", "#882255", "w", "w"),
    "failed_rerun": Look("failed_rerun", "#f0e442", "f", "f"),
    "echo": Look("echo", "#56b4e9", "e", "e"),
    "unreferenced": Look("unreferenced", "#009e73", "u", "u"),
}
#: Looks by bucket.
BUCKET_LOOKS: Final[dict[str, Look]] = {
    "none": Look("no waste", "#999999", "·", "."),
    "retransmission": Look("retransmission", "#d55e00", "R", "R"),
    "tool_output_reparsing": Look("tool-output reparsing", "#cc79a7", "T", "T"),
    "stale_history": Look("stale history", "#e69f00", "S", "S"),
}
#: Looks by kind of segment.
KIND_LOOKS: Final[dict[str, Look]] = {
    "tools": Look("tools", "#882255", "T", "T"),
    "system": Look("system", "#332288", "S", "S"),
    "user": Look("user", "#009e73", "U", "U"),
    "assistant": Look("assistant", "#0072b2", "A", "A"),
    "thinking": Look("thinking", "#56b4e9", "H", "H"),
    "tool_call": Look("tool_call", "#e69f00", "c", "c"),
    "tool_result": Look("tool_result", "#cc79a7", "r", "r"),
    "image": Look("image", "#999933", "I", "I"),
    "other": Look("other", "#999999", "o", "o"),
}

for _looks, _names in (
    (OUTCOME_LOOKS, OUTCOMES),
    (LABEL_LOOKS, LABELS),
    (BUCKET_LOOKS, BUCKETS),
    (KIND_LOOKS, KINDS),
):
    if set(_looks) != set(_names):
        raise AssertionError("every outcome, label, bucket and kind needs a look")

#: Colors of the lines of a hit-rate curve.
LRU_COLOR: Final = "#0072b2"
OPTIMAL_COLOR: Final = "#d55e00"
IDEAL_COLOR: Final = "#666666"
MARK_COLOR: Final = "#009e73"
#: Colors of further lines, one an engine and policy, in order; they repeat when there are more.
SERIES_COLORS: Final = (
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#882255",
    "#999933",
    "#332288",
    "#44aa99",
)
