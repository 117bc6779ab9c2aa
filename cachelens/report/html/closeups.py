"""Requests looked at closely. In: `Pictures.views` of a `Result`. Out: token strips, segments, sides of a break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cachelens.model.inspection import Departure, EditRow, SegmentRow, Side
from cachelens.model.pictures import RequestView
from cachelens.model.result import Result
from cachelens.model.rows import RequestRow
from cachelens.report.html import words
from cachelens.report.html.bars import Part, strip
from cachelens.report.html.differing import Change, changes, excerpt
from cachelens.report.html.places import Link, Places, rule_anchor
from cachelens.report.html.sessions import departure
from cachelens.report.palette import BUCKET_LOOKS, KIND_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS, Look
from cachelens.report.units import exact, plural, share

#: Rows of segments and of edits of one request.
_ROWS, _EDITS = 90, 20
#: Fewest neighbors alike that share a row.
_FEWEST = 3
#: Characters and lines shown of the text of a segment.
_TEXT, _LINES = 240, 3
_WHY = {
    "break": "its prompt does not extend the one before",
    "finding": "a finding is worst here",
    "waste": "it wastes most",
    "first": "it is the first",
}


@dataclass(frozen=True)
class Strip:
    """The prompt in the order of its tokens, by one thing. `prefix` is that of the classes of its colors."""

    title: str
    prefix: str
    parts: tuple[Part, ...]
    legend: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SegmentLine:
    """A row: one segment, several alike, or what was left out (`kind` empty). `bar`: its outcomes."""

    position: str
    kind: str
    label: str
    tokens: str
    bar: tuple[Part, ...]
    outcome: str
    worth: str
    where: str
    note: str
    text: tuple[Change, ...]
    marked: bool


@dataclass(frozen=True)
class SideView:
    """One side of a break. `facts` in words; `text` where texts are shown."""

    title: str
    facts: tuple[str, ...]
    text: tuple[Change, ...]


@dataclass(frozen=True)
class DepartureView:
    """Where a prompt departs from what was sent or generated before."""

    title: str
    what: str
    facts: tuple[str, ...]
    previous: Link
    rule: Link | None
    sides: tuple[SideView, SideView]


@dataclass(frozen=True)
class EditLine:
    """One edit against the predecessor."""

    number: str
    kind: str
    token: str
    after: str
    rule: Link | None
    where: str


@dataclass(frozen=True)
class Closeup:
    """One request."""

    number: int
    name: str
    why: str
    facts: tuple[str, ...]
    strips: tuple[Strip, ...]
    departures: tuple[DepartureView, ...]
    edits: tuple[EditLine, ...]
    more_edits: int
    segments: tuple[SegmentLine, ...]
    more_segments: int


def closeups(result: Result, places: Places) -> tuple[Closeup, ...]:
    """All views of the Result, in its order; a view of a request that the Result does not have is left out."""
    if result.pictures is None:
        return ()
    rows = {row.request_id: row for row in result.requests}
    return tuple(
        _closeup(number, view, rows[view.request_id], result.shows_text, places)
        for number, view in enumerate(result.pictures.views, 1)
        if view.request_id in rows
    )


def _closeup(number: int, view: RequestView, row: RequestRow, shows_text: bool, places: Places) -> Closeup:
    lines = _segments(view, row, shows_text)
    own = [edit for edit in view.edits if not edit.sibling]
    found = [("Break", view.break_), ("Echo of the reply", view.echo)]
    return Closeup(
        number=number,
        name=words.name(row.request_id),
        why="; ".join(_WHY.get(why, words.name(why)) for why in view.why),
        facts=_facts(row),
        strips=tuple(_strips(view, row)),
        departures=tuple(_departure(title, at, shows_text, places) for title, at in found if at is not None),
        edits=tuple(_edit(edit) for edit in own[:_EDITS]),
        more_edits=max(len(own) - _EDITS, 0),
        segments=lines[:_ROWS],
        more_segments=max(len(lines) - _ROWS, 0),
    )


def _facts(row: RequestRow) -> tuple[str, ...]:
    said = [
        f"{exact(row.prompt_tokens)} prompt tokens",
        f"{share(row.outcomes.get('hit', 0), row.prompt_tokens)} hit",
        f"session {words.name(row.session_id)}",
        f"lineage {words.name(row.lineage_id)}",
    ]
    if row.model:
        said.append(words.name(row.model))
    said.append(f"{words.file(row.source_file)}, record {exact(row.source_record)}")
    if row.reported_cached_tokens is not None:
        told = f"server reported {exact(row.reported_cached_tokens)} cached"
        if row.reported_prompt_tokens is not None:
            told += f" of {exact(row.reported_prompt_tokens)}"
        if row.expected_cached_tokens is not None:
            told += f", simulated {exact(row.expected_cached_tokens)} in its own count"
        said.append(told)
    return tuple(said)


# -- strips


def _strips(view: RequestView, row: RequestRow) -> Iterator[Strip]:
    """The prompt by kind, outcome and label; what the view leaves out is left blank."""
    pieces = [piece for segment in view.segments for piece in segment.pieces]
    kinds = [(segment.start, segment.start + segment.tokens, segment.kind) for segment in view.segments]
    outcomes = [(piece.lo, piece.hi, piece.outcome) for piece in pieces]
    labels = [(piece.lo, piece.hi, piece.label) for piece in pieces]
    rows = (("kind", "k", KIND_LOOKS, kinds), ("outcome", "o", OUTCOME_LOOKS, outcomes))
    for title, prefix, looks, runs in (*rows, ("label", "l", LABEL_LOOKS, labels)):
        yield _strip(title, prefix, looks, runs, row.prompt_tokens)


def _strip(
    title: str, prefix: str, looks: dict[str, Look], runs: Sequence[tuple[int, int, str]], whole: int
) -> Strip:
    gapless: list[tuple[int, str]] = []
    tokens: dict[str, int] = {}
    at = 0
    for lo, hi, name in runs:
        if lo > at:
            gapless.append((lo - at, "left out"))
            tokens["left out"] = tokens.get("left out", 0) + lo - at
        gapless.append((hi - lo, name))
        tokens[name] = tokens.get(name, 0) + hi - lo
        at = hi
    if whole > at:
        gapless.append((whole - at, "left out"))
        tokens["left out"] = tokens.get("left out", 0) + whole - at
    parts = tuple(part for part in strip(gapless) if part.name in looks)
    legend = [
        (name, look.label.replace("_", " "), f"{exact(tokens[name])}, {share(tokens[name], whole)}")
        for name, look in looks.items()
        if tokens.get(name)
    ]
    if "left out" in tokens:
        legend.append(("", "alike, left out", exact(tokens["left out"])))
    return Strip(title, prefix, parts, tuple(legend))


# -- segments


def _segments(view: RequestView, row: RequestRow, shows_text: bool) -> tuple[SegmentLine, ...]:
    marked = {edit.now.position for edit in view.edits if edit.now is not None and not edit.sibling}
    if view.break_ is not None:
        marked.add(view.break_.at.segment)
    lines: list[SegmentLine] = []
    previous = -1
    for run in _folded(view.segments, marked):
        gap = run[0].position - previous - 1
        if gap > 0:
            lines.append(_left_out(plural(gap, "segment")))
        lines.append(_line(run, run[0].position in marked, shows_text))
        previous = run[-1].position
    if view.segments:
        last = view.segments[-1]
        if (rest := row.prompt_tokens - last.start - last.tokens) > 0:
            lines.append(_left_out(plural(rest, "token")))
    return tuple(lines)


def _folded(segments: Sequence[SegmentRow], marked: set[int]) -> Iterator[tuple[SegmentRow, ...]]:
    """Neighbors that are alike in one row, if there are enough of them."""
    start = 0
    for at in range(1, len(segments) + 1):
        if at < len(segments) and _alike(segments[at - 1], segments[at], marked):
            continue
        run = tuple(segments[start:at])
        if len(run) >= _FEWEST:
            yield run
        else:
            yield from ((segment,) for segment in run)
        start = at


def _alike(one: SegmentRow, other: SegmentRow, marked: set[int]) -> bool:
    if other.position != one.position + 1 or {one.position, other.position} & marked:
        return False
    fates = {(piece.outcome, piece.label, piece.bucket) for row in (one, other) for piece in row.pieces}
    return len(fates) <= 1


def _left_out(what: str) -> SegmentLine:
    return SegmentLine("", "", "", "", (), "", "", f"{what} like these left out", "", (), False)


def _line(run: Sequence[SegmentRow], marked: bool, shows_text: bool) -> SegmentLine:
    first, last = run[0], run[-1]
    many = len(run) > 1
    pieces = [piece for segment in run for piece in segment.pieces]
    kinds = list(dict.fromkeys(segment.kind for segment in run))
    where = words.path(first.path) + (f" ({words.name(first.name)})" if first.name else "")
    if many:
        where = f"{plural(len(run), 'segment')}, {words.path(first.path)} to {words.path(last.path)}"
    return SegmentLine(
        position=f"{exact(first.position)}–{exact(last.position)}" if many else exact(first.position),
        kind=kinds[0] if len(kinds) == 1 and kinds[0] in KIND_LOOKS else "other",
        label=words.name(kinds[0]).replace("_", " ") if len(kinds) == 1 else "mixed",
        tokens=exact(sum(segment.tokens for segment in run)),
        bar=strip([(p.hi - p.lo, p.outcome) for p in pieces if p.outcome in OUTCOME_LOOKS], 24, 24),
        outcome=_names([p.outcome for p in pieces], OUTCOME_LOOKS),
        worth=_names([p.label for p in pieces], LABEL_LOOKS),
        where=where,
        note=_note(run),
        text=excerpt(first.text, _TEXT, _LINES) if shows_text and not many and first.text else (),
        marked=marked,
    )


def _names(found: Sequence[str], looks: dict[str, Look]) -> str:
    names = [looks[name].label.replace("_", " ") for name in dict.fromkeys(found) if name in looks]
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _note(run: Sequence[SegmentRow]) -> str:
    """Which kind of waste it is, and what makes it so."""
    pieces = [piece for segment in run for piece in segment.pieces]
    buckets = list(dict.fromkeys(piece.bucket for piece in pieces if piece.bucket in BUCKET_LOOKS))
    said = [", ".join(BUCKET_LOOKS[bucket].label for bucket in buckets if bucket)] if buckets else []
    causes = list(dict.fromkeys(piece.label_cause for piece in pieces if piece.label_cause is not None))
    if len(causes) == 1 and causes[0] is not None:
        cause = causes[0]
        place = "" if cause.position is None else f"segment {exact(cause.position)}, "
        said.append(
            f"by {place}{words.path(cause.path)}" + (f" ({words.name(cause.name)})" if cause.name else "")
        )
    elif causes:
        said.append(f"for {len(causes):,} reasons")
    return ": ".join(said)


# -- what broke


def _departure(title: str, found: Departure, shows_text: bool, places: Places) -> DepartureView:
    at = found.at
    facts = [
        f"{exact(at.token_offset)} tokens before it are the same",
        f"{exact(at.lost_tokens)} tokens sent before were lost by it",
    ]
    if found.edit is not None:
        facts.append(f"edit {exact(found.edit)}")
    before, now = _texts(found.before, found.now) if shows_text else ((), ())
    return DepartureView(
        title=title,
        what=departure(at),
        facts=tuple(facts),
        previous=places.request(at.previous_request_id),
        rule=_rule(found.code, found.rule),
        sides=(_side("Before", found.before, before), _side("Now", found.now, now)),
    )


def _texts(before: Side | None, now: Side | None) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    one, other = before.text if before else None, now.text if now else None
    if one is None or other is None or one == other:
        return excerpt(one), excerpt(other)
    return changes(one, other)


def _side(title: str, side: Side | None, text: tuple[Change, ...]) -> SideView:
    if side is None:
        return SideView(title, ("nothing: the prompt ends here",), ())
    facts = [
        f"{words.name(side.kind)}, segment {exact(side.position)}",
        words.path(side.path) + (f" ({words.name(side.name)})" if side.name else ""),
        plural(side.tokens, "token"),
        f"text {words.name(side.digest)}" if side.digest else "no token ids",
    ]
    return SideView(title, tuple(facts), text)


def _edit(edit: EditRow) -> EditLine:
    side = edit.now or edit.before
    where = ""
    if side is not None:
        where = f"{words.name(side.kind)}, {words.path(side.path)}" + (
            f" ({words.name(side.name)})" if side.name else ""
        )
    reply = "in the reply: " if edit.in_reply else ""
    return EditLine(
        number=exact(edit.number),
        kind=words.name(edit.kind),
        token=exact(edit.token_offset),
        after=exact(edit.after_tokens),
        rule=_rule(edit.code, edit.rule),
        where=reply + where,
    )


def _rule(code: str | None, name: str | None) -> Link | None:
    if code is None:
        return None
    anchor = rule_anchor(code)
    return Link(f"{words.name(code)} {words.name(name or '')}".strip(), f"#{anchor}" if anchor else "")
