"""Before against after on one screen: better or worse, by how much, why. In: a `Comparison`. Out: lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cachelens.model.comparison import Comparison, Delta, SessionDelta, Side
from cachelens.report import changes
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.terminal.bar import cells
from cachelens.report.terminal.causes import causes
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.heading import cache_model, encoding, sentences, wrap
from cachelens.report.terminal.picture import glyph
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import count, exact, plural
from cachelens.report.untrusted import clean, cut, width

#: Rows without `--verbose`, and with it.
_PAIRS, _PAIRS_VERBOSE = 3, 25
_NOTES, _NOTES_VERBOSE = 3, 20
_BLANK: Line = []
_STYLES: Final = {"better": "#0072b2", "worse": "#d55e00", "mixed": "#e69f00", "same": "bold", "": ""}
#: Figures on the first screen; `--verbose` shows all.
_FIGURES: Final = (
    "hit-rate",
    "computed-tokens",
    "cost",
    "prompt-tokens",
    "computed-again-tokens",
    "amplification",
    "computed-per-request",
    "reported-hit-rate",
    "waste",
    "breaks",
)
_BUCKETS: Final = {"tool_output_reparsing": "tool-output reparsing", "stale_history": "stale history"}
#: Cells before a bar.
_LABEL = 10


def comparison_screen(found: Comparison, page: Page, verbose: bool) -> list[Line]:
    """The verdict, the figures, where the tokens went on either side, causes, waste, sessions, what to know."""
    parts = [
        [*_heading(found, page), *_across(found, page)],
        _judgment(found, page),
        _figures(found, page, verbose),
        _outcomes(found, page),
        causes(found, page, verbose),
        _waste(found, page),
        _sessions(found, page, verbose),
        _layouts(found, page) if verbose else [],
        _notes(found, page, verbose),
    ]
    lines: list[Line] = []
    for part in parts:
        if part:
            lines += [_BLANK, *part] if lines else part
    return lines


def _clean(text: str, limit: int, page: Page, keep_end: bool = False) -> str:
    return clean(text, limit, keep_end, page.ascii_only)


def _heading(found: Comparison, page: Page) -> list[Line]:
    sides = (found.before, found.after)
    models = [_clean(cache_model(side.engine), page.width - _LABEL, page) for side in sides]
    chunks: list[Line] = [[Span(f"cachelens {found.cachelens}", "bold")], [Span("compare")]]
    if models[0] == models[1]:
        chunks.append([Span(models[0])])
    chunks.append([Span(encoding(found.before.trace.encoding, page), "dim")])
    names = [_clean(side.name, 40, page, keep_end=True) for side in sides]
    room = max(map(width, names))
    lines: list[Line] = list(pack(chunks, page.width, indent=2))
    for label, side, name, model in zip(("before", "after"), sides, names, models, strict=True):
        own = [name + " " * (room - width(name)), _scope(side)]
        own += [model] if models[0] != models[1] else []
        head = Span(f"  {label:<{_LABEL - 2}}", "dim")
        for at, line in enumerate(pack(([Span(text)] for text in own), page.width - _LABEL)):
            lines.append([head if at == 0 else Span(" " * _LABEL), *line])
    return lines


def _scope(side: Side) -> str:
    trace = side.trace
    return (
        f"{plural(trace.sessions, 'session')}, {plural(trace.lineages, 'lineage')}, "
        f"{plural(trace.requests, 'request')}"
    )


def _across(found: Comparison, page: Page) -> list[Line]:
    """What is not the same on both sides, on purpose: the first thing to know."""
    if not found.across:
        return []
    said = "; ".join(f"{one.name} {one.before} before, {one.after} after" for one in found.across)
    return _labeled("across", said, page, "#e69f00", 2)


def _labeled(label: str, text: str, page: Page, style: str, most: int) -> list[Line]:
    """`text` behind a label, wrapped to the page, in at most so many lines."""
    parts = wrap(_clean(text, most * (page.width - _LABEL), page), page.width - _LABEL - 1, page)
    if len(parts) > most:
        whole = " ".join(parts[most - 1 :])
        parts[most - 1] = cut(whole, page.width - _LABEL - 1, ascii_only=page.ascii_only)
    return [
        [Span(f"  {label:<{_LABEL - 2}}" if at == 0 else " " * _LABEL, style), Span(part)]
        for at, part in enumerate(parts[:most])
    ]


def _judgment(found: Comparison, page: Page) -> list[Line]:
    head = Span(f" {changes.JUDGMENTS[found.judgment]:<{_LABEL - 1}}", _STYLES[found.judgment])
    packed = pack(([Span(text, "bold")] for text in changes.summary(found)), page.width - _LABEL)
    lines: list[Line] = [[head if at == 0 else Span(" " * _LABEL), *line] for at, line in enumerate(packed)]
    why = "; ".join(_clean(reason, page.width - 2 * _LABEL, page) for reason in changes.reasons(found))
    return [
        *lines,
        *(_labeled("why", why, page, "dim", 3) if why else []),
        *_labeled("", changes.basis(found), page, "dim", 2),
    ]


def _figures(found: Comparison, page: Page, verbose: bool) -> list[Line]:
    shown = [
        one
        for one in found.figures
        if (verbose or one.name in _FIGURES) and not (one.before is None and one.after is None)
    ]
    if not shown:
        return []
    rows = [
        (
            one.title,
            changes.value(one, one.before),
            changes.value(one, one.after),
            changes.change(one),
            changes.relative(one),
            one.effect if one.effect in ("better", "worse") else "",
        )
        for one in shown
    ]
    header = ("", "before", "after", "change", "relative", "")
    lines = table(header, rows, page, right=frozenset({1, 2, 3, 4}), flexible=0)
    return [lines[0], *_tinted(lines[1:], [one.effect for one in shown])]


def _tinted(lines: Sequence[list[Span]], effects: Sequence[str]) -> list[Line]:
    """The last cell of each line in the color of its effect."""
    return [
        [*line[:-1], Span(line[-1].text, _STYLES[effect if effect != "same" else ""])]
        for line, effect in zip(lines, effects, strict=True)
    ]


def _outcomes(found: Comparison, page: Page) -> list[Line]:
    """Both bars, one below the other, and a line for each outcome."""
    sides = [
        {one.name: int((one.tokens.before, one.tokens.after)[at] or 0) for one in found.outcomes}
        for at in range(2)
    ]
    bars = [
        [Span(f"  {label:<{_LABEL - 2}}", "dim"), *_bar(tokens, page)]
        for label, tokens in zip(("before", "after"), sides, strict=True)
        if sum(tokens.values())
    ]
    if not bars:
        return []
    rows = [
        (
            f"{glyph(OUTCOME_LOOKS[one.name], page)} {OUTCOME_LOOKS[one.name].label}",
            changes.value(one.tokens, one.tokens.before),
            changes.value(one.tokens, one.tokens.after),
            changes.change(one.tokens),
            changes.value(one.share, one.share.before),
            changes.value(one.share, one.share.after),
            changes.change(one.share),
        )
        for one in sorted(found.outcomes, key=lambda one: list(OUTCOME_LOOKS).index(one.name))
    ]
    header = ("tokens", "before", "after", "change", "before", "after", "of prompt")
    title: Line = [Span(" WHERE THE PROMPT TOKENS WENT", "bold")]
    return [title, *bars, *table(header, rows, page, right=frozenset(range(1, 7)))]


def _bar(tokens: Mapping[str, int], page: Page) -> list[Span]:
    given = cells(tokens, page.width - _LABEL - 2)
    return [
        Span(glyph(OUTCOME_LOOKS[name], page) * room, OUTCOME_LOOKS[name].color)
        for name, room in given.items()
    ]


def _waste(found: Comparison, page: Page) -> list[Line]:
    shown = [one for one in found.buckets if one.carried.before or one.carried.after]
    if not shown:
        return []
    rows = [
        (
            _BUCKETS.get(one.name, one.name),
            changes.value(one.computed, one.computed.before),
            changes.value(one.computed, one.computed.after),
            changes.change(one.computed),
            changes.change(one.share),
            changes.value(one.carried, one.carried.before),
            changes.value(one.carried, one.carried.after),
        )
        for one in shown
    ]
    header = (_pad("WASTE"), "computed", "after", "change", "share", "carried", "after")
    lines = table(header, rows, page, right=frozenset(range(1, 7)), flexible=0)
    return [_titled(lines[0], "WASTE"), *lines[1:]]


def _pad(title: str) -> str:
    """Room for a title that begins two cells left of its table."""
    return title[:-2]


def _titled(header: Sequence[Span], title: str) -> Line:
    """The header of a table with its title in the first column, where titles of sections stand."""
    first = header[1].text
    return [Span(f" {title}", "bold"), Span(" " * (2 + len(first) - len(title))), *header[2:]]


def _sessions(found: Comparison, page: Page, verbose: bool) -> list[Line]:
    own = found.sessions
    title = Span(" SESSIONS", "bold")
    chunks: list[Line] = []
    for way, number in own.ways.items():
        chunks.append([Span(f"{exact(number)} paired {changes.PAIRED_BY[way]}")])
    if own.paired > 1:
        chunks.append(
            [Span(f"{exact(own.better)} better, {exact(own.worse)} worse, {exact(own.same)} the same")]
        )
    left = (own.only_before, own.only_after)
    for label, side in zip(("before", "after"), left, strict=True):
        if side.sessions:
            chunks.append(
                [Span(f"{exact(side.sessions)} only {label}: {count(side.prompt_tokens)} prompt tokens")]
            )
    if not chunks:
        return []
    packed = pack(chunks, page.width - _LABEL)
    lines: list[Line] = [
        [title if at == 0 else Span(" " * 9), Span("   "[: 3 if at == 0 else 1]), *line]
        for at, line in enumerate(packed)
    ]
    if own.why:
        lines += _labeled("", own.why, page, "dim", 2)
    pairs = own.pairs[: _PAIRS_VERBOSE if verbose else _PAIRS]
    if own.paired > 1:
        header = ("", "requests", "after", "computed", "after", "change", "hit", "change")
        rows = [_pair(pair, page) for pair in pairs]
        lines += table(header, rows, page, right=frozenset(range(1, 8)), flexible=0)
        if own.paired > len(pairs):
            more = "-v" if not verbose and own.paired <= _PAIRS_VERBOSE else "-v, or --format json"
            lines.append([Span(f"   {exact(own.paired - len(pairs))} more: {more}", "dim")])
    return lines


def _pair(pair: SessionDelta, page: Page) -> tuple[str, ...]:
    one, other = (_clean(name, 12, page) for name in (pair.before_id, pair.after_id))
    return (
        one if one == other else f"{one}, {other}",
        changes.value(pair.requests, pair.requests.before),
        changes.value(pair.requests, pair.requests.after),
        changes.value(pair.computed, pair.computed.before),
        changes.value(pair.computed, pair.computed.after),
        changes.change(pair.computed),
        changes.value(pair.hit_rate, pair.hit_rate.after),
        changes.change(pair.hit_rate),
    )


def _layouts(found: Comparison, page: Page) -> list[Line]:
    if not found.layouts:
        return []

    def row(name: str, order: str, rate: Delta, computed: Delta) -> tuple[str, ...]:
        return (
            _clean(name, 14, page),
            _clean(order, 14, page),
            changes.value(rate, rate.before),
            changes.value(rate, rate.after),
            changes.change(rate),
            changes.value(computed, computed.before),
            changes.value(computed, computed.after),
            changes.relative(computed),
        )

    rows = [row(one.engine, one.order, one.hit_rate, one.computed) for one in found.layouts]
    header = ("unlimited", "prompts", "hit", "after", "change", "computed", "after", "relative")
    title: Line = [Span(" THE SAME TRACES ELSEWHERE", "bold")]
    return [title, *table(header, rows, page, right=frozenset(range(2, 8)), flexible=1)]


def _notes(found: Comparison, page: Page, verbose: bool) -> list[Line]:
    most = _NOTES_VERBOSE if verbose else _NOTES
    lines = sentences("note", found.notes[:most], page)
    shown = lines[: most + 1]
    if len(found.notes) > most or len(lines) > len(shown):
        shown.append([Span(" more notes: --format json", "dim")])
    return shown
