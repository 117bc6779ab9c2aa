"""Lines of styled text and how they reach a terminal. In: spans of safe text with a style. Out: bytes.

A style is empty, `bold`, `dim` or a `#rrggbb` color. Without color the styles vanish, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from cachelens.report.untrusted import width

ColorDepth = Literal["none", "16", "256", "truecolor"]

_RESET: Final = "\x1b[0m"
_ATTRIBUTES: Final = {"bold": "1", "dim": "2"}
#: The eight colors every terminal has, in the order of their codes 30 to 37.
_BASIC: Final = (
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
)


class Span(NamedTuple):
    """A run of text in one style. The text is printed as it is: clean what comes from a trace first."""

    text: str
    style: str = ""


Line = Sequence[Span]


@dataclass(frozen=True)
class Page:
    """The paper: `width` in cells, `ascii_only` when it cannot show more, the `color` it knows."""

    width: int = 100
    ascii_only: bool = False
    color: ColorDepth = "none"


def line_width(line: Line) -> int:
    """Cells a line takes."""
    return sum(width(span.text) for span in line)


def pack(chunks: Iterable[Line], room: int, gap: int = 3, indent: int = 0) -> list[list[Span]]:
    """Chunks side by side, `gap` apart, as many as fit in `room` cells; later lines are indented."""
    lines: list[list[Span]] = []
    used = 0
    for chunk in chunks:
        size = line_width(chunk)
        if lines and used + gap + size <= room:
            lines[-1] += [Span(" " * gap), *chunk]
            used += gap + size
        else:
            lines.append([Span(" " * indent), *chunk] if lines and indent else list(chunk))
            used = line_width(lines[-1])
    return lines


def paint(lines: Iterable[Line], page: Page) -> bytes:
    """The lines as UTF-8 (or ASCII) with a final newline each, colored as deep as the page allows."""
    out: list[str] = []
    for line in lines:
        spans = [span for span in line if span.text]
        text = "".join(_colored(span, page.color) for span in spans)
        out.append(text if page.color != "none" else text.rstrip())
    text = "".join(line + "\n" for line in out)
    return text.encode("ascii" if page.ascii_only else "utf-8", "replace")


def _colored(span: Span, depth: ColorDepth) -> str:
    if depth == "none" or not span.style:
        return span.text
    code = _ATTRIBUTES.get(span.style) or _color_code(span.style, depth)
    return f"\x1b[{code}m{span.text}{_RESET}"


def _color_code(color: str, depth: ColorDepth) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    if depth == "truecolor":
        return f"38;2;{red};{green};{blue}"
    if depth == "256":  # the 6 x 6 x 6 cube
        r, g, b = (0 if part < 48 else (part - 35) // 40 for part in (red, green, blue))
        return f"38;5;{16 + 36 * r + 6 * g + b}"

    def distance(code: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(_BASIC[code], (red, green, blue), strict=True))

    return str(30 + min(range(len(_BASIC)), key=distance))
