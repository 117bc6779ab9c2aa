"""`cachelens plot`. In: the name of a plot, and captures or a saved result. Out: one picture, in any image format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cachelens.cli import options
from cachelens.cli.bundles import Cache, Limits, Reading
from cachelens.cli.console import Console
from cachelens.cli.outputs import Outputs, plan
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.report.plots import PLOTS
from cachelens.report.saved import saved_result

if TYPE_CHECKING:
    from cachelens.model.result import Result

#: Plots of a whole trace, which no session can be picked from.
WHOLE: Final = frozenset({"curve", "icicle", "treemap", "bridge", "reported"})

KindName = Annotated[
    str,
    typer.Argument(metavar="KIND", show_default=False, hidden=True, autocompletion=options.names_of("plots")),
]
Session = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="SESSION",
        help="Draw this session: its id, or how one id alone begins (waterfall, growth).",
        show_default="all; growth: the one that sent most tokens",
    ),
]
PictureFiles = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Where to write the picture, in the format of its suffix: .svg, .png, .pdf; `-` is stdout; repeatable.",
        show_default="none; one is needed",
    ),
]
PictureFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of stdout, and of files whose suffix names none: svg, png or pdf.",
        show_default="by suffix",
    ),
]


def plot(
    kind: KindName,
    traces: options.Traces,
    *,
    session: Session = None,
    output: PictureFiles = None,
    output_format: PictureFormat = None,
    force: options.Force = False,
    cache: Cache,
    limits: Limits,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Draw one picture of captured traffic, or of a saved result, as SVG, PNG or PDF.

    KIND is one of those that `cachelens list plots` lists: waterfall, curve, icicle, treemap, bridge, reported,
    growth. Replays the same cache as `cachelens analyze` with the same options.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`; or one result written by `cachelens analyze TRACE -o result.json`, which keeps the
    cache that it was made with.
    """
    console = Console(quiet)
    PLOTS.require(kind)
    if session is not None and kind in WHOLE:
        raise UsageError(f"{kind} is of the whole trace", "leave --session out, or draw waterfall or growth")
    replayed = replace(limits.of(cache.options("plot")), pictures=True)
    how_read = reading.options
    outputs = _places(kind, output, output_format, force, traces)
    result = _saved(traces)
    if result is None:
        from cachelens.pipeline import analyze, load

        with Bar(visible=not quiet and stderr_is_terminal()) as progress:
            result = analyze(load(traces, how_read, progress), replayed, progress)
    elif replayed != AnalyzeOptions(pictures=True) or how_read != IngestOptions():
        console.warn(
            f"{traces[0]} keeps the cache it was made with: options about caches and reading change nothing"
        )
    from cachelens.report.plots.base import PlotOptions
    from cachelens.report.plots.picture import Picture
    from cachelens.report.plots.sessions import chosen_session

    only = chosen_session(result, session) if session is not None else None
    picture = Picture(kind, result, PlotOptions(session=only))
    console.warn_skipped(result.trace.skipped)
    outputs.write(picture, console)


def _places(
    kind: str, files: Sequence[str] | None, format_name: str | None, force: bool, inputs: Sequence[str]
) -> Outputs:
    """Where the picture goes. Raises UsageError for places and formats that cannot be, and when there is no place."""
    if not files:
        raise UsageError(
            "a picture needs a file to go to", f"for example -o {kind}.svg, or -o - --format svg"
        )
    if "-" in files and format_name is None:
        raise UsageError("standard output has no suffix to go by", "say --format svg, png or pdf")
    return plan("picture", files, format_name, force, inputs, quiet=True)


def _saved(traces: Sequence[str]) -> Result | None:
    """The one saved result among the inputs, None when all are captures. Raises UsageError for one among others."""
    found = [saved_result(trace, pictures=False) for trace in traces]
    if len(found) > 1 and any(found):
        at = next(at for at, result in enumerate(found) if result is not None)
        raise UsageError(f"{traces[at]} is a saved result: it is drawn alone", "give one result, or captures")
    return found[0]
