"""One scale of color for how much of what was sent came from the cache. In: tokens. Out: colors, and their key.

From yellow, all computed, to the blue of hits. Lightness falls all the way, so it reads in gray and with any color
blindness. The share is of all that was sent, not of what had been sent before: a prompt that changes at its first
token has sent nothing before, and would not show.
"""

from __future__ import annotations

from typing import Final

from cachelens.report.plots.fitting import width
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.sheet import SMALL, Sheet, baseline

#: Nothing was sent: no share.
NONE_COLOR: Final = "#bbbbbb"
_DARK, _WHITE = "#1a1a1a", "#ffffff"
#: Colors at equal steps from 0 to 100 %.
_STOPS: Final = ("#ffdf70", "#cddc8f", "#7fc6b3", "#3a97c4", "#0b5c9a")
_KEY_WIDTH, _KEY_HEIGHT, _KEY_STEPS = 72.0, 7.0, 36


def color(hit_tokens: int, sent_tokens: int) -> str:
    """`#rrggbb` for that share, to a hundredth; `NONE_COLOR` where nothing was sent."""
    if sent_tokens <= 0:
        return NONE_COLOR
    at = round(100 * min(max(hit_tokens / sent_tokens, 0.0), 1.0)) / 100 * (len(_STOPS) - 1)
    low = min(int(at), len(_STOPS) - 2)
    return mixed(_STOPS[low], _STOPS[low + 1], at - low)


def mixed(first: str, second: str, part: float) -> str:
    """`first` with `part` of it replaced by `second`, both `#rrggbb`."""
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def ink_on(ground: str) -> str:
    """Black or white, whichever is easier to read on `ground`."""
    light = _luminance(ground)
    return _DARK if (light + 0.05) / (_luminance(_DARK) + 0.05) >= 1.05 / (light + 0.05) else _WHITE


def key(sheet: Sheet, right: float, middle: float) -> float:
    """The scale, ending at `right`. Returns where it begins."""
    y = baseline(middle, SMALL)
    muted = sheet.theme.muted
    sheet.text(right, y, "100 %", SMALL, muted, "right")
    end = right - width("100 %", SMALL) - 4
    step = _KEY_WIDTH / _KEY_STEPS
    for at in range(_KEY_STEPS):
        box = Rect(end - _KEY_WIDTH + at * step, middle - _KEY_HEIGHT / 2, step, _KEY_HEIGHT)
        sheet.boxes([box], color(at, _KEY_STEPS - 1), "key")
    start = end - _KEY_WIDTH - 4
    text = "served from cache  0 %"
    sheet.text(start, y, text, SMALL, muted, "right")
    return start - width(text, SMALL)


def _channels(value: str) -> tuple[int, ...]:
    return tuple(int(value[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(value: str) -> float:
    """Relative luminance as in WCAG 2."""
    linear = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(value))
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
