"""The screen of one request. In: an `Inspection`. Out: lines: where its tokens went, its segments, what broke.

Without `verbose` it is bounded, however long the prompt and its history are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cachelens.model.inspection import Departure, EditRow, Inspection, Side, Step, sums
from cachelens.report.palette import BUCKET_LOOKS, KIND_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS, Look
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.differing import versions
from cachelens.report.terminal.heading import cache_model, headline, remarks, sentences, wrap
from cachelens.report.terminal.picture import glyph, picture, strip
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.terminal.strip import strip_lines
from cachelens.report.units import count, duration, exact, plural, share
from cachelens.report.untrusted import clean

#: Edits shown, and shown with `--verbose`.
EDITS = 12
EDITS_VERBOSE = 200
#: Lines of one side of a break, and with `--verbose`.
_SIDE_LINES = 4
_SIDE_LINES_VERBOSE = 40
#: Pages from this width on show longer ids.
_WIDE = 100
#: Cells before a bar.
_MARGIN = 11


def inspection_screen(inspection: Inspection, page: Page, verbose: bool = False) -> list[Line]:
    """The whole screen."""
    blank: Line = []
    lines = headline(inspection.cachelens, inspection.trace, cache_model(inspection.engine), page)
    lines += [
        blank,
        *_request(inspection, page),
        blank,
        *_pictures(inspection, page),
        *_reasons(inspection, page),
    ]
    lines += [blank, [Span(" SEGMENTS", "bold")], *strip_lines(inspection, page, verbose)]
    lines += [blank, *_break(inspection, page, verbose), *_echo(inspection, page, verbose)]
    lines += [*_edits(inspection, page, verbose), blank, *_lineage(inspection, page)]
    closing = [
        *remarks(inspection.trace, page),
        *sentences(inspection.engine.name, inspection.engine.notes, page),
    ]
    return [*lines, blank, *closing] if closing else lines


def _text(text: str, page: Page, limit: int = 40) -> str:
    return clean(text, limit, ascii_only=page.ascii_only)


# -- the request


def _request(found: Inspection, page: Page) -> list[Line]:
    row = found.request
    chunks: list[Line] = [
        [Span(f" REQUEST {_text(row.request_id, page)}", "bold")],
        [Span(f"{exact(found.number)} of {exact(found.trace.requests)}")],
        [Span(found.chosen_by, "dim")],
    ]
    place = f"{clean(row.source_file, 40, True, page.ascii_only)} record {exact(row.source_record)}"
    more: list[Line] = [
        [Span(f"session {_text(row.session_id, page, 24)}, lineage {_text(row.lineage_id, page, 24)}")]
    ]
    more += [[Span(_text(row.model, page))]] if row.model else []
    more += [[Span(found.started_at)]] if found.started_at else []
    more.append([Span(place)])
    lines: list[Line] = [*pack(chunks, page.width, indent=3)]
    lines += [[Span("   "), *line] for line in pack(more, page.width - 3)]
    return lines


def _pictures(found: Inspection, page: Page) -> list[Line]:
    """The prompt four times over, in the order of its tokens, each with a legend whose figures sum to it."""
    outcomes, labels, buckets = sums(found)
    pieces = [piece for segment in found.segments for piece in segment.pieces]
    kinds: dict[str, int] = {}
    for segment in found.segments:
        kinds[segment.kind] = kinds.get(segment.kind, 0) + segment.tokens
    runs = {
        "kind": [(segment.tokens, segment.kind) for segment in found.segments],
        "outcome": [(piece.hi - piece.lo, piece.outcome) for piece in pieces],
        "label": [(piece.hi - piece.lo, piece.label) for piece in pieces],
        "waste": [(piece.hi - piece.lo, piece.bucket or "none") for piece in pieces],
    }
    looks = {"kind": KIND_LOOKS, "outcome": OUTCOME_LOOKS, "label": LABEL_LOOKS, "waste": BUCKET_LOOKS}
    tokens = {"kind": kinds, "outcome": outcomes, "label": labels, "waste": buckets}
    room = page.width - _MARGIN - 1
    lines: list[Line] = [_titled("tokens", [Span(exact(found.request.prompt_tokens), "bold")])]
    for name, own in runs.items():
        legend = _legend(tokens[name], looks[name], page)
        if len(legend) < 2:
            lines.append(_titled(name, legend[0] if legend else [Span("no tokens")]))
            continue
        lines.append(_titled(name, strip(picture(own, room), looks[name], page)))
        lines += [_titled("", line) for line in pack(legend, room)]
    return lines


def _titled(title: str, line: Line) -> Line:
    return [Span(f"  {title:<{_MARGIN - 2}}", "dim"), *line]


def _legend(tokens: Mapping[str, int], looks: Mapping[str, Look], page: Page) -> list[Line]:
    whole = sum(tokens.values())
    return [
        [
            Span(glyph(look, page) + " ", look.color),
            Span(f"{look.label} {exact(tokens[name])}, {share(tokens[name], whole)}"),
        ]
        for name, look in looks.items()
        if tokens.get(name)
    ]


def _reasons(found: Inspection, page: Page) -> list[Line]:
    """What made the misses so, and what the server said."""
    row = found.request
    said: list[tuple[str, str]] = []
    if found.divergence_edit is not None:
        edit = found.edits[found.divergence_edit - 1]
        rule = f", {edit.code} {edit.rule}" if edit.code else ""
        said.append(
            ("diverged", f"for edit {edit.number}, {edit.kind} at token {exact(edit.token_offset)}{rule}")
        )
    if row.evicted_by is not None:
        said.append(
            ("evicted", f"request {_text(row.evicted_by, page)} pushed out the first token that was lost")
        )
    if row.idle_s is not None:
        said.append(("expired", f"not used for {duration(row.idle_s)}"))
    if row.reported_cached_tokens is not None:
        said.append(("reported", _reported(found, page)))
    return [
        _titled(title if at == 0 else "", [Span(part)])
        for title, text in said
        for at, part in enumerate(wrap(text, page.width - _MARGIN, page))
    ]


def _reported(found: Inspection, page: Page) -> str:
    row, prompt = found.request, found.reported_prompt_tokens
    cached = row.reported_cached_tokens or 0
    text = f"{exact(cached)} cached"
    if prompt is not None:
        ours = share(row.outcomes.get("hit", 0), row.prompt_tokens)
        text += f" of {exact(prompt)} by the server's count, {share(cached, prompt)}; simulated {ours}"
    verdict = {"as expected": "as expected", "less": "less than expected", "more": "more than expected"}
    if row.expected:
        text += f": {verdict.get(row.expected, row.expected)}"
    if row.miss_reason:
        text += f" ({_text(row.miss_reason, page)})"
    return text


# -- what broke


def _break(found: Inspection, page: Page, verbose: bool) -> list[Line]:
    title = Span(" BREAK", "bold")
    before = found.request.previous_request_id
    if found.break_ is not None:
        return _departure("BREAK", found.break_, page, verbose)
    if found.trace.encoding == "hashes":
        return [[title, Span("   not applicable: block hashes do not say what changed")]]
    if before is None:
        return [[title, Span("   none: the request continues no other")]]
    return [[title, Span(f"   none: the prompt begins with the whole prompt of {_text(before, page)}")]]


def _echo(found: Inspection, page: Page, verbose: bool) -> list[Line]:
    if found.echo is None:
        return []
    return [[], *_departure("ECHO", found.echo, page, verbose)]


def _departure(title: str, found: Departure, page: Page, verbose: bool) -> list[Line]:
    at = found.at
    place = f"{_text(at.kind, page)}: {_text(at.component, page)}, {clean(at.path, 60, ascii_only=page.ascii_only)}"
    if at.name:
        place += f" ({_text(at.name, page)})"
    if at.char_offset is not None:
        place += f", character {exact(at.char_offset)}"
    head = f" {title}   "
    lines: list[Line] = [
        [Span(head if line == 0 else " " * len(head), "bold"), Span(part)]
        for line, part in enumerate(wrap(place, page.width - len(head), page))
    ]
    against = "the reply to" if title == "ECHO" else "the prompt of"
    facts: list[Line] = [
        [Span(f"differs from {against} {_text(at.previous_request_id, page)}")],
        [
            Span(
                f"first at token {exact(at.token_offset)}, {exact(at.segment_offset)} into segment {exact(at.segment)}"
            )
        ],
        *([[Span(f"message {exact(at.message)}")]] if at.message is not None else []),
        [Span(f"{plural(at.lost_tokens, 'token')} computed again for all edits of this request")],
        *([[Span(f"{found.code} {found.rule}", "bold")]] if found.code else []),
    ]
    lines += [[Span("   "), *line] for line in pack(facts, page.width - 3)]
    return [*lines, *_sides(found, page, verbose)]


def _sides(found: Departure, page: Page, verbose: bool) -> list[Line]:
    """Both sides by their names, and by their words where texts are shown."""
    if found.before is None and found.now is None:
        return []
    lines: list[Line] = [
        [Span(f"   {name:<8}", "dim"), Span(_side(side, page))]
        for name, side in (("before", found.before), ("now", found.now))
    ]
    old = found.before.text if found.before else None
    new = found.now.text if found.now else None
    if old is None and new is None:
        return lines
    limit = _SIDE_LINES_VERBOSE if verbose else _SIDE_LINES
    sides = versions(old or "", new or "", page, page.width - 13, limit)
    for name, text, shown in (("before", old, sides[0]), ("now", new, sides[1])):
        if text is not None:
            lines += [
                [Span(f"   {name if at == 0 else '':<8}", "dim"), Span("| ", "dim"), *line]
                for at, line in enumerate(shown)
            ]
    return lines


def _side(side: Side | None, page: Page) -> str:
    if side is None:
        return "nothing: the prompt ends here"
    name = f" ({_text(side.name, page)})" if side.name else ""
    where = clean(side.path, 60, ascii_only=page.ascii_only)
    text = (
        f"segment {exact(side.position)}, {plural(side.tokens, 'token')}, {side.digest or 'no token ids'}, "
    )
    return clean(f"{text}{side.kind} {where}{name}", page.width - 12, ascii_only=page.ascii_only)


def _edits(found: Inspection, page: Page, verbose: bool) -> list[Line]:
    """All edits of the request, those against its predecessor first."""
    lines: list[Line] = []
    own = [edit for edit in found.edits if not edit.sibling]
    others = [edit for edit in found.edits if edit.sibling]
    limit = EDITS_VERBOSE if verbose else EDITS
    if own:
        lines += [[], [Span(" EDITS", "bold"), Span(f"   {plural(len(own), 'segment')} not as before")]]
        lines += _edit_table(own, page, limit)
    if others:
        against = _text(others[0].compared_with, page)
        chunks: list[Line] = [
            [Span(" COULD SHARE", "bold"), Span(f"   more with request {against}")],
            [Span("but for these:")],
        ]
        lines += [[], *pack(chunks, page.width, gap=1, indent=3), *_edit_table(others, page, limit)]
    return lines


def _edit_table(edits: Sequence[EditRow], page: Page, limit: int) -> list[Line]:
    header = ("edit", "kind", "at token", "behind it", "rule", "where")
    shown = edits[:limit]
    rows = [
        (
            exact(edit.number),
            edit.kind,
            exact(edit.token_offset),
            count(edit.after_tokens),
            edit.code or "-",
            _edited(edit, page),
        )
        for edit in shown
    ]
    lines: list[Line] = list(table(header, rows, page, right=frozenset({0, 2, 3}), flexible=5))
    if len(edits) > len(shown):
        lines.append([Span(f"   {exact(len(edits) - len(shown))} more: -v, or --format json", "dim")])
    return lines


def _edited(edit: EditRow, page: Page) -> str:
    side = edit.now or edit.before
    if side is None:
        return ""
    where = clean(side.path, 80, ascii_only=page.ascii_only)
    name = f" ({_text(side.name, page)})" if side.name else ""
    reply = "reply, " if edit.in_reply else ""
    return f"{reply}{_text(side.kind, page, 12)} {where}{name}"


# -- the lineage


def _lineage(found: Inspection, page: Page) -> list[Line]:
    chunks: list[Line] = [[Span(" LINEAGE", "bold"), Span(f" {_text(found.request.lineage_id, page)}")]]
    if found.spawned_by is not None:
        chunks.append([Span(f"begun by request {_text(found.spawned_by, page)}")])
    if found.earlier_steps:
        chunks.append([Span(f"{plural(found.earlier_steps, 'request')} before these")])
    rows: list[tuple[str, ...]] = []
    before: str | None = None
    for step in found.lineage:
        rows.append(_step(step, before, page))
        before = step.request_id
    header = ("request", "after", "prompt", "hit", "lost", "break")
    lines: list[Line] = list(pack(chunks, page.width, indent=3))
    return lines + list(table(header, rows, page, right=frozenset({0, 1, 2, 3}), flexible=4))


def _step(step: Step, before: str | None, page: Page) -> tuple[str, ...]:
    lost = [
        f"{look.label} {count(step.outcomes[name])}"
        for name, look in OUTCOME_LOOKS.items()
        if name not in ("hit", "fresh") and step.outcomes.get(name)
    ]
    broke = [step.break_kind or ("echo" if step.echo_kind else "-")]
    if step.previous_request_id is not None and before is not None and step.previous_request_id != before:
        broke.append(f"continues {_text(step.previous_request_id, page, 12)}")
    return (
        _text(step.request_id, page, 12 if page.width < _WIDE else 24),
        "-" if step.gap_s is None else duration(step.gap_s),
        exact(step.prompt_tokens),
        share(step.outcomes.get("hit", 0), step.prompt_tokens),
        ", ".join(lost) or "-",
        ", ".join(broke),
    )
