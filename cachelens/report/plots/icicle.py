"""The tree of prompts, hanging. In: a `Result` with pictures. Out: a box for what prompts have in common.

Boxes are as wide as the tokens sent of them and of all that follows them in prompts; where nothing hangs below a box
its own tokens show. Prompts begin at the top and go on downwards; where a box has several below it, prompts part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from matplotlib.figure import Figure

from cachelens.model.result import Result
from cachelens.report.plots import reuse
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.fitting import first_fitting, fitted, legible, width
from cachelens.report.plots.levels import Box, boxes
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.sheet import NAME, SMALL, TITLE, Sheet
from cachelens.report.units import count, exact, plural, share

#: Levels below that of all prompts.
_LEVELS = 14
#: Points: the sheet's width and margin, height of a level, room between boxes, room beside text in a box.
_WIDTH, _MARGIN, _LEVEL, _GAP, _PAD = 576.0, 8.0, 29.0, 0.6, 4.0
#: Points: to the line of all prompts, from there to the boxes, below them.
_HEAD, _ALL, _FOOT = 36.0, 8.0, 34.0
#: Narrower boxes hold no text; points.
_NARROW = 24.0
_NO_DATA, _NOTHING = "The result holds no data for pictures.", "There are no prompt tokens to show."


class Icicle:
    """What prompts have in common, from their beginning, and where they part."""

    name: ClassVar[str] = "icicle"
    title: ClassVar[str] = "The tree of prompts"

    def missing(self, result: Result) -> str | None:
        """It takes the tree of prompts, and prompts that have tokens."""
        if result.pictures is None:
            return _NO_DATA
        return None if sum(stretch.sent_tokens for stretch in result.pictures.tree) else _NOTHING

    def size(self, result: Result) -> tuple[float, float]:
        """As wide as a page, and as high as the levels need."""
        levels = max((box.level + 1 for box in _boxes(result)), default=1)
        return _WIDTH / 72, (_HEAD + _ALL + _LEVEL * levels + _FOOT) / 72

    def describe(self, result: Result) -> str:
        """Tokens, what was served, what all or most prompts begin with, and where they part."""
        found = _boxes(result)
        sent = sum(box.sent_tokens for box in found)
        hit = sum(box.hit_tokens for box in found)
        text = (
            f"Icicle of {plural(len(result.requests), 'prompt')} with {count(sent)} tokens,"
            f" {share(hit, sent)} of them served from cache."
        )
        tree = result.pictures.tree if result.pictures is not None else ()
        shared = [stretch.tokens for stretch in tree if stretch.requests == len(result.requests) > 1]
        ways = sum(max(stretch.folded, 1) for stretch in tree if stretch.parent < 0)
        if shared:
            text += f" All begin with the same {plural(sum(shared), 'token')}."
        elif ways > 1:
            text += f" They begin in {ways:,} ways."
        for box in sorted(found, key=lambda box: (-box.sent_tokens, box.level, box.start))[:1]:
            text += (
                f" The heaviest part: {_what(box)}, {count(box.sent_tokens)} tokens sent,"
                f" {share(box.hit_tokens, box.sent_tokens)} served."
            )
        return text

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw the tree of all sessions: what they share is what it shows."""
        sheet = Sheet(figure, options.theme)
        reason = self.missing(result)
        if reason:
            sheet.text(_MARGIN, 24, reason)
            return
        found = _boxes(result)
        sent = sum(box.sent_tokens for box in found)
        hit = sum(box.hit_tokens for box in found)
        scale = (sheet.width - 2 * _MARGIN) / sent
        frames = [
            Rect(_MARGIN + box.start * scale, _HEAD + _ALL + _LEVEL * box.level, box.width * scale, _LEVEL)
            for box in found
        ]
        sheet.text(_MARGIN, 18, f"the tree of {plural(len(result.requests), 'prompt')}", TITLE)
        reuse.key(sheet, sheet.width - _MARGIN, 14)
        _top(sheet, sent, hit, len(result.requests))
        _fill(sheet, found, frames)
        for box, frame in zip(found, frames, strict=True):
            if frame.width >= _NARROW:
                _label(sheet, box, frame)
        low = max(frame.bottom for frame in frames)
        sheet.paragraph(_MARGIN, low + 13, _remarks(found), sheet.width - 2 * _MARGIN)


def _boxes(result: Result) -> list[Box]:
    return boxes(result.pictures.tree, _LEVELS) if result.pictures is not None else []


def _top(sheet: Sheet, sent: int, hit: int, requests: int) -> None:
    """The level of all prompts."""
    text = (
        f"all {plural(requests, 'prompt')}: {count(sent)} tokens sent, {share(hit, sent)} served from cache"
    )
    sheet.text(_MARGIN, _HEAD, text, NAME)
    y = _HEAD + _ALL - 3
    sheet.lines([((_MARGIN, y), (sheet.width - _MARGIN, y))], sheet.theme.muted, 0.8, "all")


def _fill(sheet: Sheet, found: Sequence[Box], frames: Sequence[Rect]) -> None:
    """Boxes of one color as one shape; what was gathered is striped."""
    shapes: dict[tuple[bool, str], list[Rect]] = {}
    for box, frame in zip(found, frames, strict=True):
        key = (box.branches > 0, reuse.color(box.hit_tokens, box.sent_tokens))
        shapes.setdefault(key, []).append(frame.within(_GAP))
    for (striped, color), rects in sorted(shapes.items()):
        stripes = reuse.mixed(color, reuse.ink_on(color), 0.25) if striped else None
        sheet.boxes(rects, color, "gathered" if striped else "box", stripes)


def _label(sheet: Sheet, box: Box, frame: Rect) -> None:
    """What it is, and its figures, as far as there is room."""
    room = frame.width - 2 * _PAD
    fill = reuse.color(box.hit_tokens, box.sent_tokens)
    ink = reuse.ink_on(fill)
    name = fitted(_what(box), room, NAME)
    figures = first_fitting(_figures(box), room, SMALL)
    x = frame.x + _PAD
    if box.branches:
        _ground(sheet, frame, fill, max(width(name, NAME), width(figures, SMALL)), bool(figures), bool(name))
    if name and figures:
        sheet.text(x, frame.y + 12.5, name, NAME, ink)
        sheet.text(x, frame.y + 22.5, figures, SMALL, ink)
    elif name or figures:
        sheet.text(x, frame.y + 17.5, name or figures, NAME if name else SMALL, ink)


def _ground(sheet: Sheet, frame: Rect, color: str, wide: float, figures: bool, name: bool) -> None:
    """No stripes behind text."""
    if not name and not figures:
        return
    top, high = (frame.y + 4.0, 21.0) if name and figures else (frame.y + 9.0, 11.0)
    sheet.boxes(
        [Rect(frame.x + _PAD - 2, top, min(wide + 4, frame.width - 2 * _PAD + 4), high)], color, "ground"
    )


def _what(box: Box) -> str:
    """Branches gathered, or the kinds of its segments, the tool with it where there is only one."""
    if box.branches:
        return f"{box.branches:,} small {'branch' if box.branches == 1 else 'branches'}"
    if len(box.kinds) == 1:
        kind, name = box.kinds[0]
        return " ".join(legible(part, 40) for part in (kind, name) if part is not None)
    kinds = dict.fromkeys(kind for kind, _ in box.kinds)
    return ", ".join(legible(kind, 20) for kind in kinds)


def _figures(box: Box) -> Iterator[str]:
    """Longest first. A box of one stretch is a product; others are sums."""
    most, fewest = box.requests
    served = f"{share(box.hit_tokens, box.sent_tokens)} served"
    sent = f"{count(box.sent_tokens)} sent"
    if box.branches:
        yield f"{plural(box.segments, 'segment')}, {sent}, {served}"
        yield f"{sent}, {served}"
    elif most == fewest:
        parts = f"{plural(box.segments, 'segment')}: " if box.segments > 1 else ""
        yield f"{parts}{count(box.tokens)} tokens in {plural(most, 'request')}: {sent}, {served}"
        yield f"{count(box.tokens)} × {exact(most)}: {sent}, {served}"
        yield f"{count(box.tokens)} × {exact(most)}, {served}"
        yield f"{count(box.tokens)} × {exact(most)}"
    else:
        range_ = f"{exact(most)} to {exact(fewest)} requests"
        yield f"{plural(box.segments, 'segment')}: {count(box.tokens)} tokens in {range_}: {sent}, {served}"
        yield f"{plural(box.segments, 'segment')}, {sent}, {served}"
        yield f"{sent}, {served}"
        yield sent


def _remarks(found: Sequence[Box]) -> str:
    text = (
        "Prompts begin at the top and go on below. A box is as wide as the tokens sent of it, which is tokens times"
        " requests, and of all that hangs below it."
    )
    if any(box.segments > 1 and not box.branches for box in found):
        text += " Segments in a row share a box."
    if any(box.branches for box in found):
        text += " Striped: branches too small to tell apart."
    return text
