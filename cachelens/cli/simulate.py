"""`cachelens simulate`. In: captures, engines, policies and cache sizes. Out: hit rates, or the whole curve."""

from __future__ import annotations

from typing import Annotated

import typer

from cachelens.cli import engine_options as caches
from cachelens.cli import options
from cachelens.cli.bundles import Printing, Reading
from cachelens.cli.console import Console
from cachelens.cli.outputs import Outputs
from cachelens.cli.per_request import PerRequest
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
from cachelens.model.options import CurveOptions, IngestOptions


def simulate(
    traces: options.Traces,
    *,
    engine: caches.Engines = None,
    policy: caches.Policies = None,
    capacity: caches.Capacities = None,
    page_size: caches.PageSize = None,
    curve: Annotated[
        bool,
        typer.Option("--curve", help="The exact LRU curve over all cache sizes; engines as lines beside it."),
    ] = False,
    points: Annotated[
        int,
        typer.Option(
            "--points", min=2, max=1000, help="With --curve: sizes at which the other lines are computed."
        ),
    ] = CurveOptions.points,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Hash traces: count and replay in blocks (plain block LRU).")
    ] = False,
    model: caches.ModelName = None,
    kv_dtype: caches.KvDtype = "bf16",
    tp: caches.TensorParallel = 1,
    memory: caches.Memory = None,
    weights_dtype: caches.WeightsDtype = None,
    utilization: caches.Utilization = 0.9,
    tier: caches.Tiers = None,
    replicas: caches.Replicas = 1,
    router: caches.Router = None,
    set_option: caches.SetOption = None,
    sequential: caches.Sequential = False,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=1, max=256, help="Processes that share the work; the figures do not change."
        ),
    ] = 1,
    per_request: Annotated[
        str | None,
        typer.Option(
            "--per-request",
            metavar="FILE",
            help="Write what each request got as JSON Lines, `-` for stdout, or as Parquet (FILE.parquet).",
            show_default="none",
        ),
    ] = None,
    printing: Printing,
    reading: Reading,
    quiet: options.Quiet = False,
    color: options.ColorWhen = options.Color.AUTO,
) -> None:
    """What a trace would have hit: every engine by every policy at every cache size, beside the best possible.

    With --curve for all sizes at once: as a chart, a table, CSV, or a plot (-o curve.svg).

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet, color=color.value)
    how_read = reading.options
    kv = caches.kv_options(model, kv_dtype, tp, memory, weights_dtype, utilization)
    grid = caches.grid_options(
        engine, policy, capacity, page_size, kv, tier, replicas, router, set_option, sequential, jobs
    )
    if curve or blocks:
        wanted = caches.curve_options(grid, engine, capacity, curve, points, blocks)
        if per_request is not None:
            raise UsageError("--per-request needs caches, not a curve", "leave --curve and --blocks out")
        _curve(traces, how_read, wanted, printing.plan("curve", traces, quiet), console)
        return
    details = PerRequest.plan(per_request, printing.force, traces)
    takes_stdout = details is not None and details.on_stdout
    outputs = (
        Outputs(())
        if takes_stdout and not printing.output
        else printing.plan("grid", traces, quiet or takes_stdout)
    )
    from cachelens.pipeline import load
    from cachelens.pipeline import simulate as run

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        found = run(load(traces, how_read, progress), grid, progress)
    if not outputs.shows_people:
        console.warn_skipped(found.grid.trace.skipped)
    outputs.write(found.grid, console)
    if details is not None:
        details.write(found, console)


def _curve(
    traces: list[str], reading: IngestOptions, wanted: CurveOptions, outputs: Outputs, console: Console
) -> None:
    from cachelens.pipeline import curve as run
    from cachelens.pipeline import load

    with Bar(visible=not console.quiet and stderr_is_terminal()) as progress:
        result = run(load(traces, reading, progress), wanted, progress)
    if not outputs.shows_people:
        console.warn_skipped(result.trace.skipped)
    outputs.write(result, console)
