"""`cachelens init`. In: captures, if any, and which cache they meet. Out: a file of settings, a first baseline."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cachelens.cli import engine_options as caches
from cachelens.cli import options
from cachelens.cli.config import file as files
from cachelens.cli.config.known import settable
from cachelens.cli.console import Console
from cachelens.cli.gate_options import BASELINE_FILE
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions, KvOptions
from cachelens.report.atomic import Batch, check_folder

if TYPE_CHECKING:
    from cachelens.model.result import Result


def init(
    context: typer.Context,
    traces: Annotated[
        list[str] | None, typer.Argument(metavar="[TRACE]...", show_default=False, hidden=True)
    ] = None,
    capacity: caches.OneCapacity = AnalyzeOptions.capacity,
    engine: caches.OneEngine = None,
    policy: caches.OnePolicy = None,
    page_size: caches.PageSize = None,
    model: caches.ModelName = None,
    set_option: caches.SetOption = None,
    encoding: options.Encoding = IngestOptions.encoding,
    render: options.RenderOrder = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Write cachelens.toml, which explains every setting; with captures also a baseline of what is accepted today.

    What is given here is set in the file. The rest stands there as a comment, with its default.

    Each TRACE is one run, as for `cachelens check`: a capture (file, folder, glob), a table folder, or a result saved
    as JSON. Of several runs of the same thing the medians are accepted.
    """
    from cachelens.cli.config.template import template

    console = Console(quiet)
    places = [Path(files.NAME), *([Path(BASELINE_FILE)] if traces else [])]
    for place in places:
        if place.exists() and not force:
            raise UsageError(f"{place}: exists already", "--force overwrites it")
        check_folder(place.parent)
    cache = caches.one_cache(
        "init", capacity, engine, policy, page_size, KvOptions(model), None, set_option, sequential=False
    )
    reading = options.ingest_options(None, encoding, render, strict=False)
    given = {
        "capacity": None if capacity == AnalyzeOptions.capacity else capacity,
        "engine": engine,
        "policy": policy,
        "page-size": page_size,
        "model": model,
        "set": set_option or None,
        "encoding": None if encoding == IngestOptions.encoding else encoding,
        "render": render or None,
    }
    known = settable(context.find_root().command)
    runs = [_run(trace, reading, cache, quiet) for trace in traces or ()]
    with Batch() as batch:
        if runs:
            from cachelens.gate.baseline import baseline_of, encode, require_same

            require_same(runs, None)
            baseline = baseline_of(runs)
            batch.add(Path(BASELINE_FILE), encode(baseline))
        text = template(known, given, BASELINE_FILE if runs else None)
        batch.add(Path(files.NAME), text.encode())
        batch.commit()
    for run in runs:
        console.warn_skipped(run.trace.skipped)
    console.tell(f"Wrote {files.NAME}")
    if runs:
        count = len(baseline.findings)
        console.tell(f"Wrote {BASELINE_FILE}: {count:,} finding{'' if count == 1 else 's'} accepted")
    following = shlex.join(traces) if traces else "TRACE"
    console.tell(
        f"next: cachelens check {following} --baseline {BASELINE_FILE}"
        if traces
        else f"next: cachelens check {following} --update-baseline"
    )


def _run(trace: str, reading: IngestOptions, cache: AnalyzeOptions, quiet: bool) -> Result:
    """The result of one run: saved, or made now."""
    from cachelens.pipeline import analyze, load
    from cachelens.report.saved import saved_result

    saved = saved_result(trace, pictures=False)
    if saved is not None:
        return saved
    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        return analyze(load([trace], reading, progress), cache, progress)
