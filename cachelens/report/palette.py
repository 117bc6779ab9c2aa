"""One look per outcome and per curve, for the terminal and for plots. In: nothing. Out: constants.

The colors are those of Okabe and Ito, which people with any common color blindness can tell apart; each
outcome has a glyph of its own as well, so that a bar still reads without color.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cachelens.model.kinds import OUTCOMES


class Look(NamedTuple):
    """How an outcome is shown: its short name, its `#rrggbb` color, and its cell in a bar."""

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

if set(OUTCOME_LOOKS) != set(OUTCOMES):
    raise AssertionError("every outcome needs a look")

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
