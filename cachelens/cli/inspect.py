"""`cachelens inspect`. In: captures, and which request. Out: its prompt segment by segment, and what broke it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cachelens.cli import advice, options
from cachelens.cli import engine_options as caches
from cachelens.cli.console import Console
from cachelens.cli.options import names_of
from cachelens.cli.outputs import plan
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions, KvOptions

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
    request: RequestName = None,
    finding: FindingName = None,
    show_text: advice.ShowText = False,
    capacity: caches.OneCapacity = AnalyzeOptions.capacity,
    engine: caches.OneEngine = None,
    policy: caches.OnePolicy = None,
    page_size: caches.PageSize = None,
    model: caches.ModelName = None,
    kv_dtype: caches.KvDtype = KvOptions.kv_dtype,
    tp: caches.TensorParallel = KvOptions.tp,
    tier: caches.Tiers = None,
    set_option: caches.SetOption = None,
    sequential: caches.Sequential = False,
    threshold: advice.Threshold = None,
    tools: advice.ToolsFile = None,
    output_format: options.Format = None,
    output: options.OutputFiles = None,
    force: options.Force = False,
    input_format: options.InputFormat = None,
    encoding: options.Encoding = IngestOptions.encoding,
    render: options.RenderOrder = None,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.ColorWhen = options.Color.AUTO,
) -> None:
    """Look at one request: where each token of its prompt went, what broke it, and the lineage before it.

    Replays the same cache as `cachelens analyze` with the same options. Shows names, counts and hashes; texts,
    and both sides of a break word by word, with --show-text. docs/inspect.md explains the screen.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet, verbose, color.value)
    if request is not None and finding is not None:
        raise UsageError("--request and --finding both say which request", "leave one of them out")
    cache = replace(
        caches.one_cache(
            "inspect",
            capacity,
            engine,
            policy,
            page_size,
            KvOptions(model, kv_dtype, tp),
            tier,
            set_option,
            sequential,
        ),
        thresholds=advice.thresholds(threshold),
        tools_file=tools,
        show_text=show_text,
    )
    reading = options.ingest_options(input_format, encoding, render, strict)
    outputs = plan("inspection", output, output_format, force, traces, quiet)
    from cachelens.pipeline import inspect as run
    from cachelens.pipeline import load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        found = run(load(traces, reading, progress), cache, request, finding, progress)
    if not outputs.shows_people:
        console.warn_skipped(found.trace.skipped)
    outputs.write(found, console)
