"""`cachelens analyze`. In: captures. Out: where their prompt tokens went, as a report."""

from __future__ import annotations

from dataclasses import replace

from cachelens.cli import advice, options
from cachelens.cli import engine_options as caches
from cachelens.cli.console import Console
from cachelens.cli.outputs import plan
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.model.options import AnalyzeOptions, IngestOptions, KvOptions


def analyze(
    traces: options.Traces,
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
    what_if: advice.WhatIf = None,
    threshold: advice.Threshold = None,
    tools: advice.ToolsFile = None,
    show_text: advice.ShowText = False,
    export_remedied: advice.ExportRemedied = None,
    ledger: advice.LedgerFile = None,
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
    """Say where the prompt tokens of captured traffic went, and why the cache missed.

    Replays a prefix cache: that of --engine, or least-recently-used eviction. Every prompt token is accounted
    for: hit, fresh, or computed again for a reason. Then what was wasted, what caused it and what mending it
    would save, found by replaying the mended trace; the edits that broke a prefix, most tokens lost first; and
    what the same trace costs under other caches.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet, verbose, color.value)
    kv = KvOptions(model, kv_dtype, tp)
    replayed = caches.one_cache(
        "analyze", capacity, engine, policy, page_size, kv, tier, set_option, sequential
    )
    cache = replace(
        replayed,
        what_if=advice.codes(what_if),
        thresholds=advice.thresholds(threshold),
        tools_file=tools,
        show_text=show_text,
    )
    reading = options.ingest_options(input_format, encoding, render, strict)
    outputs = plan("result", output, output_format, force, traces, quiet)
    cache = replace(cache, pictures=outputs.needs_pictures)
    extras = advice.Extras.plan(export_remedied, ledger, force)
    from cachelens.pipeline import examine, load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        analysis = examine(load(traces, reading, progress), cache, progress)
        extras.write(analysis, cache.what_if, console)
    result = analysis.result
    if not outputs.shows_people:
        console.warn_skipped(result.trace.skipped)
    outputs.write(result, console)
