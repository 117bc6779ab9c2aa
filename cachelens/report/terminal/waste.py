"""Waste and what to do about it, on the first screen. In: a `Result`. Out: lines."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.findings import Finding, Saving
from cachelens.model.result import Result
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, flops, gib, money, plural, share
from cachelens.report.untrusted import clean

#: Findings shown, and shown with `--verbose`.
FINDINGS = 5
FINDINGS_VERBOSE = 50
_DIAGNOSTICS = 3
#: Column at which the place of a finding is written, below its title.
_PLACE = 10
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


def opportunities(result: Result, page: Page, limit: int) -> list[Line]:
    """What would mend it, most saved first, and all remedies in one replay."""
    wasteful = [finding for finding in result.findings if finding.verdict != "diagnostic"]
    lines: list[Line] = []
    if wasteful:
        shown = wasteful[:limit]
        priced = all(item.saving is None or item.saving.cost_usd is not None for item in wasteful)
        header = ("", "what", "requests", "saves", "share", *(("USD",) if priced else ()))
        rows = [_row(item, result, page, priced) for item in shown]
        for label, saving in _together(result, wasteful):
            rows.append(("", label, "", *_saved(saving, False, priced)))
        lines += [[], [Span(" OPPORTUNITIES", "bold"), Span("   savings by replay", "dim")]]
        placed = table(header, rows, page, right=frozenset({2, 3, 4, 5}), flexible=1)
        lines.append(placed[0])
        for at, line in enumerate(placed[1:]):
            lines.append(line)
            if at < len(shown):
                lines += _where(shown[at], page)
        remarks = []
        if any(item.changes_input and item.saving for item in shown):
            remarks.append("<= changes what the model sees: an upper bound")
        remarks += _excluded(result)
        if len(wasteful) > limit:
            remarks.append(f"{exact(len(wasteful) - limit)} more: -v")
        remarks.append(f"cachelens explain {shown[0].code}")
        lines += pack(([Span(remark, "dim")] for remark in remarks), page.width, indent=3)
    return [*lines, *_diagnostics(result, page, limit)]


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
    if item.left_out is not None and item.left_out >= 0:
        parts.append(f"left out of all remedies: {_signed(item.left_out)} more")
    text = clean(", ".join(parts), max(page.width - _PLACE - 1, 20), ascii_only=page.ascii_only)
    return [[Span(" " * _PLACE + text, "dim")]]


def _row(item: Finding, result: Result, page: Page, priced: bool) -> tuple[str, ...]:
    title = clean(item.title, 200, ascii_only=page.ascii_only)
    if item.verdict == "legitimate":
        title += " (legitimate)"
    return (item.code, title, exact(item.requests), *_saved(item.saving, item.changes_input, priced))


def _saved(saving: Saving | None, bound: bool, priced: bool) -> tuple[str, ...]:
    """Tokens, share and money."""
    if saving is None:
        return ("-", "-", *(("-",) if priced else ()))
    sign = "<= " if bound else ""
    tokens, money_saved = saving.computed_tokens, saving.cost_usd
    figures = (sign + _signed(tokens), f"{saving.share * 100:.1f} %")
    return (*figures, *(("-" if money_saved is None else money(money_saved),) if priced else ()))


def _signed(tokens: int) -> str:
    return f"-{count(-tokens)}" if tokens < 0 else count(tokens)


def _together(result: Result, wasteful: Sequence[Finding]) -> list[tuple[str, Saving]]:
    remedies = result.remedies
    found: list[tuple[str, Saving]] = []
    with_plan = sum(item.saving is not None for item in wasteful)
    if remedies.all_together is not None and with_plan > 1:
        found.append(("all together", remedies.all_together))
        if remedies.same_input is not None and remedies.same_input != remedies.all_together:
            found.append(("those that leave what the model sees as it is", remedies.same_input))
    if remedies.what_if is not None:
        found.append((f"what if: {', '.join(remedies.what_if_codes)}", remedies.what_if))
    return found


def _excluded(result: Result) -> list[str]:
    codes = result.remedies.excluded
    return [f"not in all together, where it would cost: {', '.join(codes)}"] if codes else []


def _diagnostics(result: Result, page: Page, limit: int) -> list[Line]:
    notes = [finding for finding in result.findings if finding.verdict == "diagnostic"]
    if not notes:
        return []
    shown = notes[: max(limit - FINDINGS, 0) + _DIAGNOSTICS]
    lines: list[Line] = [[], [Span(" TO KNOW", "bold")]]
    rows = [(item.code, clean(item.title, 300, ascii_only=page.ascii_only)) for item in shown]
    lines += table(("", ""), rows, page, flexible=1)[1:]
    if len(notes) > len(shown):
        lines.append([Span(f"   {plural(len(notes) - len(shown), 'more')}: -v", "dim")])
    return lines
