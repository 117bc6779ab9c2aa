"""`cachelens analyze`. In: captures. Out: where their prompt tokens went, as a report."""

from __future__ import annotations

from cachelens.cli import engine_options as caches
from cachelens.cli import options
from cachelens.cli.console import Console
from cachelens.cli.names import NAMED
from cachelens.cli.outputs import plan
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
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
    for: hit, fresh, or computed again for a reason. Then the edits that broke a prefix, most tokens lost first,
    and what the same trace costs under other caches.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet, verbose, color.value)
    kv = KvOptions(model, kv_dtype, tp)
    if model is not None:
        NAMED.load("models").require(model)
    if engine is not None:
        NAMED.load("engines").require(engine)
    size = caches.sizes(capacity, kv, page_size)
    if len(size) > 1:
        raise UsageError("analyze replays one size of cache", "cachelens simulate takes several")
    cache = AnalyzeOptions(
        capacity=size[0],
        page_size=page_size,
        engine=engine,
        policy=policy,
        tiers=caches.tiers(tier, kv),
        kv=kv,
        engine_options=caches.engine_settings(set_option),
        concurrent=not sequential,
    )
    reading = options.ingest_options(input_format, encoding, render, strict)
    outputs = plan("result", output, output_format, force, traces, quiet)
    from cachelens.pipeline import analyze as run
    from cachelens.pipeline import load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        result = run(load(traces, reading, progress), cache, progress)
    if not outputs.shows_people:
        console.warn_skipped(result.trace.skipped)
    outputs.write(result, console)
