"""`cachelens analyze`. In: captures. Out: where their prompt tokens went, as a report."""

from __future__ import annotations

from dataclasses import replace

from cachelens.cli import advice, options
from cachelens.cli.bundles import Cache, Limits, Printing, Reading, Voice
from cachelens.cli.progress import Bar, stderr_is_terminal


def analyze(
    traces: options.Traces,
    *,
    cache: Cache,
    what_if: advice.WhatIf = None,
    limits: Limits,
    show_text: advice.ShowText = False,
    export_remedied: advice.ExportRemedied = None,
    ledger: advice.LedgerFile = None,
    printing: Printing,
    reading: Reading,
    voice: Voice,
) -> None:
    """Say where the prompt tokens of captured traffic went, and why the cache missed.

    Replays a prefix cache: that of --engine, or least-recently-used eviction. Every prompt token is accounted
    for: hit, fresh, or computed again for a reason. Then what was wasted, what caused it and what mending it
    would save, found by replaying the mended trace; the edits that broke a prefix, most tokens lost first; and
    what the same trace costs under other caches.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = voice.console
    replayed = replace(
        limits.of(cache.options("analyze")), what_if=advice.codes(what_if), show_text=show_text
    )
    how_read = reading.options
    outputs = printing.plan("result", traces, voice.quiet)
    replayed = replace(replayed, pictures=outputs.needs_pictures)
    extras = advice.Extras.plan(export_remedied, ledger, printing.force)
    from cachelens.pipeline import examine, load

    with Bar(visible=not voice.quiet and stderr_is_terminal()) as progress:
        analysis = examine(load(traces, how_read, progress), replayed, progress)
        extras.write(analysis, replayed.what_if, console)
    result = analysis.result
    if not outputs.shows_people:
        console.warn_skipped(result.trace.skipped)
    outputs.write(result, console)
