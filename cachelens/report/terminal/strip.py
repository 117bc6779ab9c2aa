"""The segments of a prompt as rows. In: an `Inspection`. Out: lines, runs of segments alike folded into one.

A segment that was served and is of use says little, so neighbors that are so share a row, whatever their kind;
others share one when they are alike in everything. `Group`s are what rows are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cachelens.model.inspection import Inspection, Pointer, SegmentRow
from cachelens.report.palette import BUCKET_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS
from cachelens.report.terminal.differing import fold
from cachelens.report.terminal.picture import glyph, picture, strip
from cachelens.report.terminal.screen import Line, Page, Span, line_width
from cachelens.report.units import exact, plural
from cachelens.report.untrusted import clean, cut, spelled, width

#: Rows shown without `--verbose`; what is least telling is folded until they suffice.
ROWS = 40
#: Fewest segments that are folded.
_FEWEST = 3
#: Lines of a text shown below its segment, and shown with `--verbose`.
_TEXT_LINES = 2
_TEXT_LINES_VERBOSE = 12
#: Cells of the bar of one row.
_BAR = 8
_INDENT = 3
_GAP = 2
_HEADER = ("segment", "kind", "tokens", "outcome", "label", "", "where")
_RIGHT = frozenset({2})
#: Where the last column has less room than this, labels are written as letters.
_NARROW = 28


@dataclass(frozen=True)
class Group:
    """Neighboring segments that share a row; `marked` when an edit stands in it, or the break."""

    segments: tuple[SegmentRow, ...]
    marked: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of all of them."""
        return sum(segment.tokens for segment in self.segments)

    @property
    def wasted(self) -> int:
        """Tokens in a bucket."""
        return sum(p.hi - p.lo for s in self.segments for p in s.pieces if p.bucket is not None)

    @property
    def missed(self) -> int:
        """Tokens that were computed."""
        return sum(p.hi - p.lo for s in self.segments for p in s.pieces if p.outcome != "hit")


def groups(inspection: Inspection, rows: int | None = ROWS) -> list[Group]:
    """The segments in order, folded to at most `rows` groups; None: one group a segment."""
    marked = {edit.now.position for edit in inspection.edits if edit.now is not None and not edit.sibling}
    if inspection.break_ is not None:
        marked.add(inspection.break_.at.segment)
    found = [Group((segment,), segment.position in marked) for segment in inspection.segments]
    if rows is None:
        return found
    folded: list[Group] = []
    start = 0
    for at in range(1, len(found) + 1):
        if at < len(found) and _alike(found[at - 1], found[at]):
            continue
        run = found[start:at]
        folded += [_joined(run)] if len(run) >= _FEWEST else run
        start = at
    return folded if len(folded) <= rows else _squeezed(folded, rows)


def _squeezed(found: Sequence[Group], rows: int) -> list[Group]:
    """The most telling groups by themselves, everything between them joined."""
    order = sorted(
        range(len(found)), key=lambda at: (not found[at].marked, -found[at].wasted, -found[at].missed, at)
    )
    kept = set(order[: (rows - 1) // 2])
    result: list[Group] = []
    between: list[Group] = []
    for at, group in enumerate(found):
        if at not in kept:
            between.append(group)
            continue
        result += [_joined(between)] if between else []
        result.append(group)
        between = []
    return result + ([_joined(between)] if between else [])


def _joined(run: Sequence[Group]) -> Group:
    segments = tuple(segment for group in run for segment in group.segments)
    return Group(segments, any(group.marked for group in run))


def _alike(one: Group, other: Group) -> bool:
    """Whether two groups of one segment each may share a row."""
    if one.marked or other.marked:
        return False
    keys = [
        {(p.outcome, p.label, p.bucket, p.label_cause) for p in group.segments[0].pieces}
        for group in (one, other)
    ]
    if keys[0] and keys[1] and keys[0] != keys[1]:
        return False
    served = ("hit", "live", None, None)
    if (keys[0] | keys[1]) <= {served}:
        return True
    return len(keys[0] | keys[1]) == 1 and one.segments[0].kind == other.segments[0].kind


def strip_lines(inspection: Inspection, page: Page, verbose: bool = False) -> list[Line]:
    """The table of segments; below a row what made its label so, and its text where texts are shown."""
    found = groups(inspection, None if verbose else ROWS)
    if not found:
        return [[Span("   the prompt is empty")]]
    cells = [_cells(group, page) for group in found]
    widths, room = _widths(cells, page)
    if room < _NARROW:
        cells = [(*row[:4], _letters(group, page), *row[5:]) for group, row in zip(found, cells, strict=True)]
        widths, room = _widths(cells, page)
    lines: list[Line] = [_line(_HEADER, widths, room, page, None)]
    for group, row in zip(found, cells, strict=True):
        lines.append(_line(row, widths, room, page, group))
        lines += _notes(group, page)
        if inspection.shows_text and len(group.segments) == 1:
            lines += _text(group.segments[0], page, _TEXT_LINES_VERBOSE if verbose else _TEXT_LINES)
    return lines


def _widths(cells: Sequence[Sequence[str]], page: Page) -> tuple[list[int], int]:
    """Cells of each column but the last, and what is left for that."""
    widths = [max(width(row[at]) for row in (_HEADER, *cells)) for at in range(len(_HEADER) - 1)]
    widths[3] = max(_BAR, width(_HEADER[3]))
    return widths, page.width - _INDENT - sum(widths) - _GAP * len(widths)


def _line(cells: Sequence[str], widths: Sequence[int], room: int, page: Page, group: Group | None) -> Line:
    style = "dim" if group is None else ""
    spans = [Span(" " * _INDENT)]
    for at, size in enumerate(widths):
        if at == 3 and group is not None:
            bar = strip(picture(_runs(group), _BAR), OUTCOME_LOOKS, page)
            spans += [*bar, Span(" " * (size + _GAP - line_width(bar)))]
            continue
        pad = " " * (size - width(cells[at]))
        text = pad + cells[at] if at in _RIGHT else cells[at] + pad
        spans.append(Span(text + " " * _GAP, _style(at, cells[at], style)))
    spans.append(Span(cut(cells[-1], room, ascii_only=page.ascii_only), style))
    return spans


def _style(column: int, cell: str, style: str) -> str:
    if column == 4 and cell in LABEL_LOOKS and cell != "live":
        return LABEL_LOOKS[cell].color
    return style


def _runs(group: Group) -> list[tuple[int, str]]:
    return [(p.hi - p.lo, p.outcome) for segment in group.segments for p in segment.pieces]


def _cells(group: Group, page: Page) -> tuple[str, ...]:
    first, last = group.segments[0], group.segments[-1]
    many = len(group.segments) > 1
    kinds = list(dict.fromkeys(segment.kind for segment in group.segments))
    kind = kinds[0] if len(kinds) == 1 else "mixed"
    where = _where(first, page)
    if many:
        number = plural(len(group.segments), "segment")
        where = f"{number}, {_path(first.path, page)} to {_path(last.path, page)}"
    position = f"{exact(first.position)}-{exact(last.position)}" if many else exact(first.position)
    return (position, kind, exact(group.tokens), "", _label(group), _buckets(group, page), where)


def _label(group: Group) -> str:
    """The label of most tokens that are not live, followed by `+` when there are others."""
    tokens = _label_tokens(group)
    others = {name: number for name, number in tokens.items() if name != "live"}
    if not others:
        return "live"
    most = max(others, key=lambda name: others[name])
    return most if len(tokens) == 1 else f"{most} +"


def _letters(group: Group, page: Page) -> str:
    """The letters of all labels of the row, as the legend of the picture has them: for narrow pages."""
    held = _label_tokens(group)
    return "".join(glyph(look, page) for name, look in LABEL_LOOKS.items() if held.get(name))


def _label_tokens(group: Group) -> dict[str, int]:
    sums: dict[str, int] = {}
    for segment in group.segments:
        for piece in segment.pieces:
            sums[piece.label] = sums.get(piece.label, 0) + piece.hi - piece.lo
    return sums


def _buckets(group: Group, page: Page) -> str:
    """A letter per bucket that tokens of the row are in."""
    held = {piece.bucket for segment in group.segments for piece in segment.pieces}
    return "".join(glyph(look, page) for name, look in BUCKET_LOOKS.items() if name in held)


def _where(segment: SegmentRow, page: Page) -> str:
    name = f"{clean(segment.name, 40, ascii_only=page.ascii_only)}, " if segment.name else ""
    return name + _path(segment.path, page)


def _path(path: str, page: Page) -> str:
    return clean(path, 120, ascii_only=page.ascii_only)


def pointer(target: Pointer, page: Page) -> str:
    """Another segment in words: `segment 31, tool_result messages[9].content (read_file)`."""
    name = f" ({clean(target.name, 40, ascii_only=page.ascii_only)})" if target.name else ""
    place = "" if target.position is None else f"segment {exact(target.position)}, "
    return f"{place}{clean(target.kind, 12, ascii_only=page.ascii_only)} {_path(target.path, page)}{name}"


def _notes(group: Group, page: Page) -> list[Line]:
    """Which segment made the label of these so, one line a cause; of many segments only how many causes."""
    causes: dict[tuple[str, Pointer | None], int] = {}
    for segment in group.segments:
        for piece in segment.pieces:
            if piece.label != "live":
                key = (piece.label, piece.label_cause)
                causes[key] = causes.get(key, 0) + piece.hi - piece.lo
    if len(causes) > 3:
        labels = ", ".join(
            f"{name} {exact(tokens)}" for name, tokens in _label_tokens(group).items() if name != "live"
        )
        return [_note(f"{labels}, for {len(causes)} reasons", page)]
    lines = []
    for (label, cause), tokens in causes.items():
        part = "all" if tokens == group.tokens else plural(tokens, "token")
        by = "nothing later refers to it" if cause is None else f"by {pointer(cause, page)}"
        lines.append(_note(f"{label}, {part}: {by}", page))
    return lines


def _note(text: str, page: Page) -> Line:
    return [
        Span(" " * (_INDENT + 4)),
        Span(cut(text, page.width - _INDENT - 4, ascii_only=page.ascii_only), "dim"),
    ]


def _text(segment: SegmentRow, page: Page, limit: int) -> list[Line]:
    """The beginning of a text, its characters as they are or as escapes."""
    if not segment.text:
        return []
    margin = " " * (_INDENT + 4)
    room = page.width - len(margin) - 2
    shown = spelled(segment.text[: room * limit + 1], page.ascii_only)
    return [[Span(margin + "| ", "dim"), *line] for line in fold([Span(shown)], room, limit, page)]
