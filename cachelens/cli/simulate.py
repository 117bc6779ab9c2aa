"""`cachelens simulate`. In: captures and cache sizes. Out: hit rates at them, or the whole curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cachelens.cli import options
from cachelens.cli.capacity import parse_capacities
from cachelens.cli.console import Console
from cachelens.cli.outputs import plan
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
from cachelens.model.options import CurveOptions, IngestOptions

#: Evaluated when no capacity is given.
DEFAULT_CAPACITIES = "1%,3%,10%,30%,100%"


def simulate(
    traces: options.Traces,
    curve: Annotated[
        bool, typer.Option("--curve", help="The exact curve over all cache sizes, instead of a few.")
    ] = False,
    capacity: Annotated[
        str | None,
        typer.Option(
            "--capacity",
            metavar="SIZES",
            help="Sizes with commas between: tokens (200k, 8m), shares of the working set (0.1, 10%), inf. "
            "With --curve: one size in tokens, to mark.",
            show_default=DEFAULT_CAPACITIES,
        ),
    ] = None,
    page_size: options.PageSize = 1,
    points: Annotated[
        int,
        typer.Option(
            "--points", min=2, max=1000, help="With --curve: sizes at which perfect eviction is computed."
        ),
    ] = CurveOptions.points,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Hash traces: count and replay in blocks (plain block LRU).")
    ] = False,
    output_format: options.Format = None,
    output: options.OutputFiles = None,
    force: options.Force = False,
    input_format: options.InputFormat = None,
    encoding: options.Encoding = IngestOptions.encoding,
    render: options.RenderOrder = None,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = options.Color.AUTO,
) -> None:
    """Hit rates of a least-recently-used cache over its size, beside the best that any eviction could do.

    With --curve for all sizes at once: as a chart, a table, CSV, or a plot (-o curve.svg).

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet, color=color.value)
    wanted = replace(_curve_options(curve, capacity, page_size, points), blocks=blocks)
    reading = options.ingest_options(input_format, encoding, render, strict)
    outputs = plan("curve", output, output_format, force, traces, quiet)
    from cachelens.pipeline import curve as run
    from cachelens.pipeline import load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        result = run(load(traces, reading, progress), wanted, progress)
    if not outputs.shows_people:
        console.warn_skipped(result.trace.skipped)
    outputs.write(result, console)


def _curve_options(curve: bool, capacity: str | None, page_size: int, points: int) -> CurveOptions:
    if not curve:
        sizes = parse_capacities(capacity or DEFAULT_CAPACITIES, page_size)
        return CurveOptions(page_size=page_size, points=0, capacities=sizes)
    if capacity is None:
        return CurveOptions(page_size=page_size, points=points)
    marked = parse_capacities(capacity, page_size)
    if len(marked) > 1 or isinstance(marked[0], float):
        raise UsageError(
            "--curve marks one capacity in tokens, such as 200k", "leave --curve out for a table of sizes"
        )
    return CurveOptions(page_size=page_size, points=points, marked_capacity_tokens=marked[0])
