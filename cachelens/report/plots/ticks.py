"""Where an axis of tokens is marked. In: its end. Out: round numbers from 0 on."""

from __future__ import annotations


def ticks(end: int, most: int = 7) -> list[int]:
    """At most `most` multiples of 1, 2 or 5 times a power of ten, from 0 to no more than `end`."""
    step, scale = 1, 1
    while end // step + 1 > most:
        step = next(digit * scale for digit in (2, 5, 10) if digit * scale > step)
        if step == 10 * scale:
            scale *= 10
    return list(range(0, end + 1, step))
