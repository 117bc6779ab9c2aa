"""What every screen begins and ends with. In: `TraceFacts`. Out: the headline, skipped records, notes."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.model.rows import EngineFacts, TraceFacts
from cachelens.model.skips import SkipReport
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.units import exact, plural, size
from cachelens.report.untrusted import clean, cut, width

_SKIP_LINES = 3
_NOTE_LINES = 3
_NOTES = 4


def headline(version: str, trace: TraceFacts, cache: str, page: Page) -> list[Line]:
    """Who speaks, about what, under which cache model, counted in which tokens."""
    scope = (
        f"{plural(trace.sessions, 'session')}, {plural(trace.lineages, 'lineage')}, "
        f"{plural(trace.requests, 'request')}"
    )
    chunks: list[Line] = [
        [Span(f"cachelens {version}", "bold")],
        [Span(_sources(trace.sources, page), "bold")],
        [Span(scope)],
        [Span(clean(cache, page.width - 2, ascii_only=page.ascii_only))],
        [Span(encoding(trace.encoding, page), "dim")],
    ]
    return list(pack(chunks, page.width, indent=2))


#: Values of `TraceFacts.encoding` for captures that held no text.
_WITHOUT_TEXT = {"exact": "exact token ids", "hashes": "block hashes, no text"}


def encoding(name: str, page: Page) -> str:
    """`o200k_base (approximate)`, or that the capture itself held the token ids."""
    if name in _WITHOUT_TEXT:
        return _WITHOUT_TEXT[name]
    return f"{clean(name, 40, ascii_only=page.ascii_only)} (approximate)"


def cache_model(engine: EngineFacts) -> str:
    """`lru, 200 k tokens, pages of 16`; the engine is named when it is more than its policy."""
    limit = engine.capacity_tokens
    capacity = "unlimited" if limit is None else f"{size(limit)} tokens"
    pages = f", pages of {exact(engine.page_size)}" if engine.page_size > 1 else ""
    if engine.name == "ideal" and limit is None:
        return f"infinite cache{pages}"
    if not engine.policy:  # an API: no size, no policy
        return engine.title or engine.name
    model = engine.name if engine.name == engine.policy else f"{engine.name}, {engine.policy}"
    tiers = "".join(f" + {name} {size(tokens)}" for name, tokens in engine.tiers.items())
    return f"{model}, {capacity}{tiers}{pages}"


def remarks(trace: TraceFacts, page: Page) -> list[Line]:
    """Skipped records with reasons and places, then notes; a handful of lines whatever there is."""
    return [*_skipped(trace, page), *_notes(trace, page)]


def _sources(sources: tuple[str, ...], page: Page) -> str:
    if not sources:
        return "no source"
    name = clean(sources[0].rstrip("/").rsplit("/", 1)[-1] or sources[0], 40, True, page.ascii_only)
    return name if len(sources) == 1 else f"{name} and {len(sources) - 1:,} more"


def _skipped(trace: TraceFacts, page: Page) -> list[Line]:
    if not trace.skipped_records:
        return []
    head = f" {plural(trace.skipped_records, 'record')} skipped"
    lines: list[Line] = [[Span(head, "bold")]]
    reports = sorted(trace.skipped, key=lambda report: -report.records)
    lines += [[Span(_skip(report, page))] for report in reports[:_SKIP_LINES]]
    if len(reports) > _SKIP_LINES:
        left = sum(report.records for report in reports[_SKIP_LINES:])
        lines.append([Span(f"   {exact(left)} more, for other reasons or in other sources")])
    return lines


def _skip(report: SkipReport, page: Page) -> str:
    ascii_only = page.ascii_only
    places = ", ".join(exact(place) for place in report.places if place)  # 0: the source as a whole
    more = ", ..." if report.records > len(report.places) else ""
    detail = f" ({clean(report.detail, 60, ascii_only=ascii_only)})" if report.detail else ""
    source = clean(report.source, 32, True, ascii_only)
    text = f"   {exact(report.records)} {clean(report.reason, 32, ascii_only=ascii_only)}: "
    text += f"{source} record {places}{more}{detail}" if places else f"{source}{detail}"
    return "   " + clean(text, page.width - 3, ascii_only=ascii_only)


def sentences(label: str, said: Sequence[str], page: Page) -> list[Line]:
    """Sentences, each beginning with its label and wrapped to the page."""
    lines: list[Line] = []
    head = f" {label}: "
    for sentence in said:
        text = clean(sentence, 6 * page.width, ascii_only=page.ascii_only)
        for at, part in enumerate(wrap(text, page.width - len(head) - 1, page)):
            lines.append([Span(head if at == 0 else " " * len(head), "dim"), Span(part)])
    return lines


def _notes(trace: TraceFacts, page: Page) -> list[Line]:
    lines: list[Line] = []
    for note in trace.notes[:_NOTES]:
        text = clean(note, 3 * page.width, ascii_only=page.ascii_only)
        for at, part in enumerate(wrap(text, page.width - 8, page)):
            lines.append([Span(" note: " if at == 0 else "       "), Span(part)])
    if len(lines) > _NOTE_LINES or len(trace.notes) > _NOTES:
        lines = [*lines[:_NOTE_LINES], [Span(" more notes: --format json", "dim")]]
    return lines


def wrap(text: str, room: int, page: Page) -> list[str]:
    """`text` in lines of at most `room` cells, broken at spaces."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(lines[-1]) + 1 + width(word) <= room:
            lines[-1] += " " + word
        else:
            lines.append(cut(word, room, ascii_only=page.ascii_only))
    return lines
