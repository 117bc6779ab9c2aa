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

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "cachelens",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
}


def save(draw: Callable[[Figure, Any], None], document: object, kind: str) -> bytes:
    """What `draw` makes of `document`, as `svg` or `png` (150 dots an inch, 8 by 4.8 inches)."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams
        parameters.update(_STYLE)
        figure = Figure(figsize=(8, 4.8), dpi=150, layout="constrained")
        draw(figure, document)
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata=_METADATA[kind])
        return out.getvalue()
