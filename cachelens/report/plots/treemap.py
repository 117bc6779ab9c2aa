"""What fills the prompts. In: a `Result` with pictures. Out: an area for each group of segments.

Areas are as large as the tokens sent. Kinds stand side by side, in each the tools, in each the files; colors say how
much of it was served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from cachelens.model.kinds import KINDS
from cachelens.model.pictures import Group
from cachelens.model.result import Result
from cachelens.report.plots import reuse
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.columns import Place, columns
from cachelens.report.plots.fitting import first_fitting, fitted, legible, width
from cachelens.report.plots.rect import Rect
from cachelens.report.plots.sheet import NAME, SMALL, TITLE, Sheet, baseline
from cachelens.report.plots.squarify import squarify
from cachelens.report.units import count, plural, share

#: Points: the sheet's width, its margin, what is above and below the areas.
_WIDTH, _HEIGHT, _MARGIN, _HEAD, _FOOT = 576.0, 396.0, 8.0, 32.0, 24.0
#: Points: height of a heading, and its least width; half the gap between areas; room beside text; height of a line.
_HEADING, _LEAST, _GAP, _PAD, _LINE = 15.0, 84.0, 0.5, 4.0, 10.0
_NO_DATA, _NOTHING = "The result holds no data for pictures.", "There are no prompt tokens to show."


@dataclass(frozen=True)
class _Kind:
    """All groups of one kind, by tool, most tokens sent first."""

    kind: str
    tools: tuple[tuple[Group, ...], ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(group for tool in self.tools for group in tool)

    @property
    def sent(self) -> int:
        return sum(group.sent_tokens for group in self.groups)


class Treemap:
    """What fills the prompts: kinds, tools, files, by tokens times how often they were sent."""

    name: ClassVar[str] = "treemap"
    title: ClassVar[str] = "What fills the prompts"

    def missing(self, result: Result) -> str | None:
        """It takes the groups of segments, and prompts that have tokens."""
        if result.pictures is None:
            return _NO_DATA
        return None if sum(group.sent_tokens for group in result.pictures.groups) else _NOTHING

    def size(self, result: Result) -> tuple[float, float]:
        """Inches; the same for all."""
        return _WIDTH / 72, _HEIGHT / 72

    def describe(self, result: Result) -> str:
        """Tokens, the kinds with their shares, and the largest group."""
        kinds = _kinds(result)
        sent = sum(kind.sent for kind in kinds)
        hit = sum(group.hit_tokens for kind in kinds for group in kind.groups)
        text = f"Treemap of {count(sent)} prompt tokens, {share(hit, sent)} of them served from cache, by what they are"
        if not kinds:
            return text + "."
        text += f": {', '.join(f'{kind.kind} {share(kind.sent, sent)}' for kind in kinds)}."
        largest = max((group for kind in kinds for group in kind.groups), key=lambda group: group.sent_tokens)
        what = " ".join([largest.kind, *_names(largest)])
        times = f"{count(largest.sent_tokens)} sent in {plural(largest.sends, 'segment')}"
        return f"{text} The largest area is {what}: {times}."

    def draw(self, figure: Figure, result: Result, options: PlotOptions) -> None:
        """Draw the groups of all sessions: they are summed over them."""
        sheet = Sheet(figure, options.theme)
        reason = self.missing(result)
        if reason:
            sheet.text(_MARGIN, 24, reason)
            return
        kinds = _kinds(result)
        sent = sum(kind.sent for kind in kinds)
        frame = Rect(_MARGIN, _HEAD, sheet.width - 2 * _MARGIN, sheet.height - _HEAD - _FOOT)
        sheet.text(_MARGIN, 18, f"what fills {count(sent)} prompt tokens", TITLE)
        reuse.key(sheet, sheet.width - _MARGIN, 14)
        places = columns([kind.sent for kind in kinds], frame, _HEADING, _LEAST)
        found = [pair for kind, place in zip(kinds, places, strict=True) for pair in _areas(kind, place.body)]
        _fill(sheet, found)
        for group, area in found:
            _label(sheet, group, area)
        for kind, place in zip(kinds, places, strict=True):
            _heading(sheet, kind, place, sent)
        folded = any(group.folded for group, _ in found)
        sheet.paragraph(
            _MARGIN,
            frame.bottom + 15,
            "Area is tokens times how often they were sent."
            + (" Striped: groups too small to tell apart." if folded else ""),
            frame.width,
        )


def _kinds(result: Result) -> list[_Kind]:
    """Groups that were sent, by kind and tool, most tokens first."""
    sums: dict[str, dict[str | None, list[Group]]] = {}
    for group in result.pictures.groups if result.pictures is not None else ():
        if group.sent_tokens:
            kind = group.kind if group.kind in KINDS else "other"
            sums.setdefault(kind, {}).setdefault(group.name, []).append(group)
    found = [
        _Kind(
            kind,
            tuple(
                tuple(sorted(tool, key=lambda group: (-group.sent_tokens, group.item or "")))
                for _, tool in sorted(
                    tools.items(),
                    key=lambda pair: (-sum(group.sent_tokens for group in pair[1]), pair[0] or ""),
                )
            ),
        )
        for kind, tools in sums.items()
    ]
    return sorted(found, key=lambda kind: (-kind.sent, kind.kind))


def _areas(kind: _Kind, body: Rect) -> Iterator[tuple[Group, Rect]]:
    """Groups with their areas: tools in the body of their kind, files and commands in the area of their tool."""
    weights = [sum(group.sent_tokens for group in tool) for tool in kind.tools]
    for tool, area in zip(kind.tools, squarify(weights, body), strict=True):
        yield from zip(tool, squarify([group.sent_tokens for group in tool], area), strict=True)


def _fill(sheet: Sheet, found: Sequence[tuple[Group, Rect]]) -> None:
    """Areas of one color as one shape; folded ones are striped."""
    shapes: dict[tuple[bool, str], list[Rect]] = {}
    for group, area in found:
        key = (group.folded > 0, reuse.color(group.hit_tokens, group.sent_tokens))
        shapes.setdefault(key, []).append(area.within(_GAP))
    for (striped, color), rects in sorted(shapes.items()):
        stripes = reuse.mixed(color, reuse.ink_on(color), 0.25) if striped else None
        sheet.boxes(rects, color, "folded" if striped else "area", stripes)


def _heading(sheet: Sheet, kind: _Kind, place: Place, sent: int) -> None:
    """The kind with its tokens and share, as far as there is room."""
    room = place.heading.width - 3
    y = place.heading.y + _HEADING - 4.5
    figures = f"{count(kind.sent)}  {share(kind.sent, sent)}"
    name = fitted(kind.kind, room, NAME, bold=True)
    sheet.text(place.heading.x + 1, y, name, NAME, bold=True)
    wide = width(name, NAME, bold=True)
    beside = first_fitting((figures, share(kind.sent, sent)), room - wide - 6, SMALL)
    sheet.text(place.heading.x + 1 + wide + 5, y, beside, SMALL, sheet.theme.muted)


def _label(sheet: Sheet, group: Group, area: Rect) -> None:
    """Tool, file and figures, one a line, as far as there is room; those that matter most come first."""
    room, lines = area.width - 2 * _PAD, int((area.height - _PAD) / _LINE)
    figures = (first_fitting(texts, room, SMALL) for texts in _figures(group))
    names = _names(group, room)
    if names and not any(names):
        return  # figures of nobody knows what
    shown = [(name, NAME) for name in names] + [(text, SMALL) for text in figures]
    shown = [(text, size) for text, size in shown if text][: max(lines, 0)]
    fill = reuse.color(group.hit_tokens, group.sent_tokens)
    if group.folded and shown:
        wide = min(max(width(text, size) for text, size in shown), room) + 4
        sheet.boxes([Rect(area.x + _PAD - 2, area.y + 2, wide, _LINE * len(shown) + 1)], fill, "ground")
    for at, (text, size) in enumerate(shown):
        y = baseline(area.y + 2 + _LINE * (at + 0.55), size)
        sheet.text(area.x + _PAD, y, text, size, reuse.ink_on(fill))


def _names(group: Group, room: float = float("inf")) -> list[str]:
    """Tool, then file, or how many groups it is, each in `room` points."""
    found = [] if group.name is None else [fitted(legible(group.name, 60), room, NAME)]
    if group.item is not None:
        found.append(_path(legible(group.item, 120, keep_end=True), room))
    elif group.folded:
        found.append(fitted(f"{group.folded:,} smaller", room, NAME))
    elif group.name is None and group.kind in ("tool_call", "tool_result"):
        found.append(fitted("not of one file", room, NAME))
    return found


def _path(path: str, room: float) -> str:
    """As many of its last parts as fit; of the very last as much as fits."""
    parts = path.split("/")
    ends = ["/".join(["…", *parts[at:]]) for at in range(1, len(parts))]
    return first_fitting([path, *ends, parts[-1]], room, NAME) or fitted(parts[-1], room, NAME)


def _figures(group: Group) -> tuple[tuple[str, ...], ...]:
    """Lines of figures, each in wordings from long to short."""
    served = share(group.hit_tokens, group.sent_tokens)
    sent = count(group.sent_tokens)
    texts = plural(group.contents, "text")
    return (
        (f"{sent}, {served} served", f"{sent}, {served}", sent),
        (
            f"{texts} of {count(group.tokens)} tokens, sent {group.sends:,} times",
            f"{texts}, sent {group.sends:,} times",
        ),
    )
