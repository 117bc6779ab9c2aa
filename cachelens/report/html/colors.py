"""The palette as a style sheet. In: `cachelens.report.palette`. Out: CSS.

Each color of data is a variable, so that the dark theme can lift those that would drown in it. Each outcome has a
pattern besides: bars of outcomes read in print and without color.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cachelens.report.palette import BUCKET_LOOKS, KIND_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS, Look

#: What becomes of a color on a dark ground; others stay as they are.
DARK: Final = {
    "#0072b2": "#1f84c6",
    "#332288": "#7a6fd6",
    "#882255": "#c4568c",
    "#666666": "#a8a8a8",
}
#: Prefixes of classes by what they show.
_CLASSES: Final[dict[str, Mapping[str, Look]]] = {
    "l": LABEL_LOOKS,
    "b": BUCKET_LOOKS,
    "k": KIND_LOOKS,
}


def variable(color: str) -> str:
    """The style sheet's name of a `#rrggbb` color of the palette."""
    return f"var(--c{color[1:].lower()})"


def known() -> tuple[str, ...]:
    """All colors of the palette, in order."""
    looks = (look for group in (OUTCOME_LOOKS, *_CLASSES.values()) for look in group.values())
    return tuple(dict.fromkeys([*(look.color for look in looks), *DARK]))


def palette_css() -> str:
    """Variables of all colors for both themes, and the classes that fill with them."""
    dark = "".join(f"--c{color[1:]}:{other};" for color, other in DARK.items())
    light = "".join(f"--c{color[1:]}:{color};" for color in known())
    return "".join(
        (
            f":root{{{light}}}\n",
            f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n",
            f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n",
            *_rules(),
        )
    )


def _rules() -> Iterator[str]:
    for name, look in OUTCOME_LOOKS.items():
        yield f".o-{name}{{fill:url(#p-{name})}}.s-{name}{{fill:{variable(look.color)}}}\n"
    for prefix, looks in _CLASSES.items():
        for name, look in looks.items():
            yield f".{prefix}-{name}{{fill:{variable(look.color)}}}\n"
