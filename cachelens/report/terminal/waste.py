"""Waste and what to do about it, on the first screen. In: a `Result`. Out: lines."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.findings import Finding, Saving
from cachelens.model.result import Result
from cachelens.report.terminal.columns import flexible_width, table
from cachelens.report.terminal.heading import wrap
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, flops, gib, money, percent, plural, share
from cachelens.report.untrusted import clean, cut, width

#: Findings shown, and shown with `--verbose`.
FINDINGS = 5
FINDINGS_VERBOSE = 50
_DIAGNOSTICS = 3
#: Column at which the place of a finding is written, below its title.
_PLACE = 10
#: Cells shown of a path in a title.
_PATH = 40
_NAMES = {
    "retransmission": "retransmission",
    "tool_output_reparsing": "tool-output reparsing",
    "stale_history": "stale history",
}


def waste(result: Result, page: Page) -> list[Line]:
    """The three buckets: what was carried of each, and what of it was computed."""
    found = [(name, bucket) for name, bucket in result.buckets.items() if bucket.carried_tokens]
    title: Line = [Span(" WASTE", "bold")]
    if not result.buckets:
        return []
    if not found:
        return [[*title, Span("   none: nothing was computed again, sent twice or carried along in vain")]]
    priced = any(bucket.cost_usd is not None for _, bucket in found)
    counted = any(bucket.flops is not None for _, bucket in found)
    header = ("", "carried", "computed", "of computed", "held", *(("USD",) if priced else ()))
    header = (*header, *(("FLOPs", "KV") if counted else ()))
    rows = [
        (
            _NAMES.get(name, name),
            count(bucket.carried_tokens),
            count(bucket.computed_tokens),
            share(bucket.computed_tokens, result.totals.prefilled_tokens),
            count(bucket.held_tokens),
            *(("-" if bucket.cost_usd is None else money(bucket.cost_usd),) if priced else ()),
            *((flops(bucket.flops or 0), gib(bucket.held_bytes or 0)) if counted else ()),
        )
        for name, bucket in found
    ]
    return [title, *table(header, rows, page, right=frozenset(range(1, 8)))]


def opportunities(result: Result, page: Page, limit: int, lines_of_title: int = 2) -> list[Line]:
    """What would mend it, most saved first, and all remedies in one replay; then what is worth knowing.

    A title takes at most `lines_of_title` lines.
    """
    wasteful = [finding for finding in result.findings if finding.verdict != "diagnostic"]
    lines: list[Line] = []
    if wasteful:
        shown = wasteful[:limit]
        lines += [[], [Span(" OPPORTUNITIES", "bold"), Span("   savings by replay", "dim")]]
        lines += _told(shown, result, wasteful, page, lines_of_title)
        remarks = []
        if any(item.changes_input and item.saving for item in shown):
            remarks.append("<= changes what the model sees: an upper bound")
        remarks += _excluded(result)
        if len(wasteful) > limit:
            remarks.append(f"{exact(len(wasteful) - limit)} more: -v")
        remarks.append(f"cachelens explain {shown[0].code}")
        packed = pack(([Span(remark, "dim")] for remark in remarks), page.width - 3)
        lines += [[Span("   "), *line] for line in packed]
    return [*lines, *_diagnostics(result, page, limit, lines_of_title)]


def _told(
    shown: Sequence[Finding], result: Result, wasteful: Sequence[Finding], page: Page, lines_of_title: int
) -> list[Line]:
    """A table of findings, each with the rest of its title and its place below it; then all remedies together."""
    priced = all(item.saving is None or item.saving.cost_usd is not None for item in wasteful)
    header = ("", "what", "requests", "saves", "share", *(("USD",) if priced else ()))
    titles = [_title(item, page) for item in shown]
    rows = [
        (item.code, title, exact(item.requests), *_saved(item.saving, item.changes_input, priced))
        for item, title in zip(shown, titles, strict=True)
    ]
    rows += [("", label, "", *_saved(saving, False, priced)) for label, saving in _together(result, wasteful)]
    room = flexible_width(header, rows, page, 1)
    split = [_split(title, room, page, lines_of_title) for title in titles]
    for at, (first, _) in enumerate(split):
        rows[at] = (rows[at][0], first, *rows[at][2:])
    placed = table(header, rows, page, right=frozenset({2, 3, 4, 5}), flexible=1)
    lines: list[Line] = [placed[0]]
    for at, line in enumerate(placed[1:]):
        lines.append(line)
        if at < len(shown):
            lines += [[Span(" " * _PLACE + rest)] for rest in split[at][1]]
            lines += _where(shown[at], page)
    return lines


def _title(item: Finding, page: Page) -> str:
    """The title on one line, of long paths only the end."""
    title = _short_paths(clean(item.title, 300, ascii_only=page.ascii_only), page)
    return title + " (legitimate)" if item.verdict == "legitimate" else title


def _short_paths(text: str, page: Page) -> str:
    words = text.split(" ")
    for at, word in enumerate(words):
        if "/" in word and width(word) > _PATH:
            opening = word[:1] if word[0] in "([\"'" else ""
            words[at] = opening + cut(word[len(opening) :], _PATH, keep_end=True, ascii_only=page.ascii_only)
    return " ".join(words)


def _split(text: str, room: int, page: Page, most: int) -> tuple[str, list[str]]:
    """What of a text stands in a column of `room` cells, and the lines below it; at most `most` in all."""
    if most < 2 or width(text) <= room:
        return text, []
    first = wrap(text, room, page)[0]
    return first, _folded(text[len(first) :].strip(), page.width - _PLACE - 1, page, most - 1)


def _folded(text: str, room: int, page: Page, most: int) -> list[str]:
    """At most `most` lines of `room` cells, the last cut."""
    lines = wrap(text, room, page)
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), room, ascii_only=page.ascii_only)]


def _where(item: Finding, page: Page) -> list[Line]:
    """Where a finding is worst: request, place in its body, character and token."""
    place = item.location
    if place is None or place.path is None:
        return []
    parts = [place.request_id, place.path]
    if place.name:
        parts[1] += f" ({place.name})"
    if place.char_offset is not None:
        parts.append(f"char {exact(place.char_offset)}")
    if place.token_offset is not None:
        parts.append(f"token {exact(place.token_offset)}")
    closing = ""
    if item.left_out is not None and item.left_out >= 0:
        closing = f"; all but this one: {count(item.left_out)} more computed"
    room = max(page.width - _PLACE - 1 - width(closing), 20)
    text = clean(", ".join(parts), room, ascii_only=page.ascii_only) + closing
    return [[Span(" " * _PLACE + text, "dim")]]


def _saved(saving: Saving | None, bound: bool, priced: bool) -> tuple[str, ...]:
    """Tokens, share and money."""
    if saving is None:
        return ("-", "-", *(("-",) if priced else ()))
    sign = "<= " if bound else ""
    figures = (sign + _signed(saving.computed_tokens), _minus(saving.share) + percent(abs(saving.share)))
    return (*figures, *((_cost(saving.cost_usd),) if priced else ()))


def _minus(value: float) -> str:
    return "-" if value < 0 else ""


def _cost(amount: float | None) -> str:
    return "-" if amount is None else _minus(amount) + money(abs(amount))


def _signed(tokens: int) -> str:
    return f"-{count(-tokens)}" if tokens < 0 else count(tokens)


def _together(result: Result, wasteful: Sequence[Finding]) -> list[tuple[str, Saving]]:
    remedies = result.remedies
    found: list[tuple[str, Saving]] = []
    with_plan = sum(item.saving is not None for item in wasteful)
    if remedies.all_together is not None and with_plan > 1:
        found.append(("all together", remedies.all_together))
        if remedies.same_input is not None and remedies.same_input != remedies.all_together:
            found.append(("those that leave the input as it is", remedies.same_input))
    if remedies.what_if is not None:
        found.append((f"what if: {', '.join(remedies.what_if_codes)}", remedies.what_if))
    return found


def _excluded(result: Result) -> list[str]:
    codes = result.remedies.excluded
    return [f"not in all together, where it would cost: {', '.join(codes)}"] if codes else []


def _diagnostics(result: Result, page: Page, limit: int, lines_of_title: int) -> list[Line]:
    notes = [finding for finding in result.findings if finding.verdict == "diagnostic"]
    if not notes:
        return []
    shown = notes[: max(limit - FINDINGS, 0) + _DIAGNOSTICS]
    lines: list[Line] = [[], [Span(" TO KNOW", "bold")]]
    for item in shown:
        for at, part in enumerate(_folded(_title(item, page), page.width - _PLACE - 1, page, lines_of_title)):
            head = f"   {clean(item.code, 5, ascii_only=page.ascii_only):<7}" if at == 0 else " " * _PLACE
            lines.append([Span(head + part)])
    if len(notes) > len(shown):
        lines.append([Span(f"   {plural(len(notes) - len(shown), 'more')}: -v", "dim")])
    return lines
