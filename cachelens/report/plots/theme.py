"""Colors of a picture that are not data. In: nothing. Out: constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Theme:
    """`ink`: text and hairlines at breaks. `muted`: what is less important. `grid`: lines behind the data. `paper`:
    the ground (None: whatever lies behind). All `#rrggbb`."""

    ink: str
    muted: str
    grid: str
    paper: str | None


#: For files.
LIGHT: Final = Theme(ink="#1a1a1a", muted="#666666", grid="#dddddd", paper="#ffffff")
#: Stand-ins that no data has, each replaced by a variable of the page that the picture is put into.
PAGE: Final = Theme(ink="#010203", muted="#010204", grid="#010205", paper=None)
#: What replaces the stand-ins.
PAGE_COLORS: Final = {"#010203": "var(--ink)", "#010204": "var(--muted)", "#010205": "var(--grid)"}
