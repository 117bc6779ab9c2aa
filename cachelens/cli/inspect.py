"""`cachelens inspect`. In: captures, and which request. Out: its prompt segment by segment, and what broke it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cachelens.cli import advice, options
from cachelens.cli.bundles import Cache, Limits, Printing, Reading, Voice
from cachelens.cli.options import names_of
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError

RequestName = Annotated[
    str | None,
    typer.Option(
        "--request",
        metavar="REQUEST",
        help="Id of a request, how one id alone begins, or a number in order of start (from 1).",
        show_default="the one that wastes most",
    ),
]
FindingName = Annotated[
    str | None,
    typer.Option(
        "--finding",
        metavar="CODE",
        help="The request where a finding is worst: code or name of its rule (the first such finding), or its "
        "fingerprint.",
        show_default="none",
        autocompletion=names_of("rules"),
    ),
]


def inspect(
    traces: options.Traces,
    *,
    request: RequestName = None,
    finding: FindingName = None,
    show_text: advice.ShowText = False,
    cache: Cache,
    limits: Limits,
    printing: Printing,
    reading: Reading,
    voice: Voice,
) -> None:
    """Look at one request: where each token of its prompt went, what broke it, and the lineage before it.

    Replays the same cache as `cachelens analyze` with the same options. Shows names, counts and hashes; texts,
    and both sides of a break word by word, with --show-text. docs/inspect.md explains the screen.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = voice.console
    if request is not None and finding is not None:
        raise UsageError("--request and --finding both say which request", "leave one of them out")
    replayed = replace(limits.of(cache.options("inspect")), show_text=show_text)
    how_read = reading.options
    outputs = printing.plan("inspection", traces, voice.quiet)
    from cachelens.pipeline import inspect as run
    from cachelens.pipeline import load

    with Bar(visible=not voice.quiet and stderr_is_terminal()) as progress:
        found = run(load(traces, how_read, progress), replayed, request, finding, progress)
    if not outputs.shows_people:
        console.warn_skipped(found.trace.skipped)
    outputs.write(found, console)
