"""Reads captures into a `Trace`. In: sources named on a command line. Out: one trace of them all.

Choosing the format, counting what is skipped and reporting progress happen here; the rest is in
`reader` (interning) and `finish` (order, lineages, tables).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from cachelens.errors import InputError
from cachelens.ingest.dialects.base import BadBody
from cachelens.ingest.exchange import Exchange, TokenRequest
from cachelens.ingest.finish import Ingested, finish
from cachelens.ingest.formats import FORMATS
from cachelens.ingest.formats.base import Format, ReadContext
from cachelens.ingest.formats.detect import detect
from cachelens.ingest.intern import TokenizerLike
from cachelens.ingest.reader import PREVIOUS_MISSING, Call, Reader
from cachelens.ingest.shorten import Shortener
from cachelens.ingest.source import Source
from cachelens.model.options import IngestOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.skips import SkipTally
from cachelens.model.trace import Trace

#: Requests that may wait for a response that stands later in the file.
_WAITING = 10_000
#: Requests between two progress reports.
_STEP = 64


def load(
    sources: list[Source],
    options: IngestOptions,
    tokenizer: TokenizerLike,
    image_tokens: Callable[[str, str, str, int], int],
    progress: Progress = silent,
) -> Trace:
    """Read all sources as one trace.

    Raises InputError when nothing in them is a request, or, with `options.strict`, when any record had to
    be skipped; UsageError for an unknown format.
    """
    skips = SkipTally()
    reader = Reader(tokenizer, image_tokens, options.render)
    calls: list[Call] = []
    notes: dict[str, None] = {}
    formats: dict[str, None] = {}
    unread: list[InputError] = []
    for number, source in enumerate(sources):
        try:
            name = options.input_format or detect(source)[0]
        except InputError as error:
            unread.append(error)
            skips.add(source.name, 0, "unknown-format", error.message.removeprefix(f"{source.name}: "))
            continue
        reading: Format = FORMATS.load(name)()
        formats[name] = None
        before = len(calls)
        _read(source, number, reading, reader, skips, calls, progress)
        note = getattr(reading, "note", "")
        if note and len(calls) > before:
            notes[note] = None
    if options.strict and skips.total:
        first = skips.reports()[0]
        raise InputError(
            f"{first.source}: {skips.total} record(s) could not be read, the first: "
            f"record {first.places[0]}, {first.reason}",
            "without --strict they are counted and left out",
        )
    if not calls:
        if len(unread) == len(sources) == 1:
            raise unread[0]
        found = "".join(f"\n  {error.message}" for error in unread[:3])
        raise InputError(
            _nothing(sources, skips, formats) + found, "`cachelens list formats` shows what can be read"
        )
    if tokenizer.guarded_texts:
        notes[
            f"{tokenizer.guarded_texts} texts hold very long runs without a break: their token counts are approximate"
        ] = None
    used = sorted({call.source for call in calls})
    for call in calls:
        call.source = bisect_left(used, call.source)
    facts = Ingested(
        tuple(sources[number].name for number in used),
        skips.reports(),
        options.encoding,
        options.render or "default",
        tuple(notes),
    )
    progress("building tables", 0, None)
    return finish(calls, reader.contents, reader.trie, facts)


def _read(
    source: Source,
    number: int,
    reading: Format,
    reader: Reader,
    skips: SkipTally,
    calls: list[Call],
    progress: Progress,
) -> None:
    shortener = Shortener()
    context = ReadContext(source.name, skips, shortener.shorten)
    stage = f"reading {os.path.basename(source.name) or source.name}"
    waiting: list[tuple[int, Exchange]] = []
    for item in reading.read(source, context):
        try:
            if isinstance(item, TokenRequest):
                calls.append(reader.token_request(item, number))
            else:
                calls.append(reader.exchange(item, number, shortener))
                if calls[-1].partial == PREVIOUS_MISSING and len(waiting) < _WAITING:
                    waiting.append((len(calls) - 1, item))
        except BadBody as error:
            skips.add(source.name, item.record, error.reason, error.detail)
        if len(calls) % _STEP == 0:
            progress(stage, len(calls), None)
    _resolve(waiting, number, reader, shortener, calls)


def _resolve(
    waiting: list[tuple[int, Exchange]],
    number: int,
    reader: Reader,
    shortener: Shortener,
    calls: list[Call],
) -> None:
    """Read again what continues a response that stood later in the file: logs may be in order of end."""
    left = len(waiting) + 1
    while waiting and len(waiting) < left:
        left = len(waiting)
        for at, item in waiting:
            calls[at] = reader.exchange(item, number, shortener)
        waiting = [(at, item) for at, item in waiting if calls[at].partial == PREVIOUS_MISSING]


def _nothing(sources: list[Source], skips: SkipTally, formats: dict[str, Any]) -> str:
    """Why nothing was read: where it was looked for, as what, and what was there instead."""
    places = sources[0].name if len(sources) == 1 else f"{len(sources)} inputs"
    reasons: dict[str, int] = {}
    for report in skips.reports():
        reasons[report.reason] = reasons.get(report.reason, 0) + report.records
    what = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "no records at all"
    read_as = f" read as {', '.join(formats)}" if formats else ""
    return f"{places}: no LLM request found{read_as}: {what}"
