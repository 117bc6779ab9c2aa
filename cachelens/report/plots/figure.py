"""A figure becomes a file. In: a function that draws. Out: bytes, the same for the same document.

Nothing of the machine gets in: matplotlib's own defaults apply whatever its configuration file says,
identifiers inside an SVG are hashed with a fixed salt, and no date or version is written.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from cachelens.report.plots.theme import LIGHT, Theme

#: Width and height in inches of a picture that has no reason to be another size.
SIZE = (8.0, 4.8)

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def save(
    draw: Callable[[Figure], None],
    kind: str,
    size: tuple[float, float] = SIZE,
    theme: Theme = LIGHT,
    salt: str = "cachelens",
) -> bytes:
    """What `draw` makes, as `svg`, `png` (150 dots an inch) or `pdf`, `size` in inches.

    Identifiers in an SVG depend on `salt`: pictures of one page need different ones.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams
        parameters.update(_STYLE)
        parameters["svg.hashsalt"] = salt
        for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
            parameters[name] = theme.ink
        paper = theme.paper or "none"
        parameters.update({"figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper})
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata=_METADATA[kind])
        return out.getvalue()
