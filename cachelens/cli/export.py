"""`cachelens export`. In: captures. Out: a trace that another tool reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cachelens.cli import options
from cachelens.cli.bundles import Reading
from cachelens.cli.console import Console, write_stdout
from cachelens.cli.names import NAMED
from cachelens.cli.outputs import check_folder, write_file
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError

To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="NAME",
        help="What to write (`cachelens list exports`).",
        autocompletion=options.names_of("exports"),
        show_default=False,
    ),
]
Place = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="PLACE", help="File to write, or folder for several; `-`: standard output."
    ),
]
BlockTokens = Annotated[
    int | None,
    typer.Option(
        "--block-tokens",
        min=1,
        max=1_000_000,
        metavar="TOKENS",
        help="Tokens of a hashed block.",
        show_default="as published traces have: 512 for mooncake, 64 for kv-cache-tester",
    ),
]
Salt = Annotated[
    str | None,
    typer.Option(
        "--salt",
        metavar="TEXT",
        help="Make block ids keyed hashes: equal over all files with this salt.",
        show_default="numbers that hold for one file",
    ),
]


def export(
    traces: options.Traces,
    *,
    to: To,
    output: Place = "-",
    block_tokens: BlockTokens = None,
    salt: Salt = None,
    force: options.Force = False,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Write captured traffic as a trace that simulators and other tools read.

    Hash traces hold no text: blocks of tokens as ids, chained, so that equal ids mean equal prompts up to there.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not; or one folder
    written by `cachelens ingest`.
    """
    console = Console(quiet)
    exporter = NAMED.load("exports").load(to)()
    if not exporter.hashed and (block_tokens is not None or salt is not None):
        raise UsageError(f"{to} has no blocks", "leave --block-tokens and --salt out")
    how_read = reading.options
    _check(output, exporter.several, force, traces)
    from cachelens.export.base import ExportOptions
    from cachelens.pipeline import load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        trace = load(traces, how_read, progress)
    console.warn_skipped(trace.skipped)
    for name, pieces in exporter.files(trace, ExportOptions(block_tokens, salt)):
        if output == "-":
            for piece in pieces:
                write_stdout(piece)
            continue
        place = Path(output) / name if name else Path(output)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, pieces)
        console.tell(f"Wrote {place}")
    for sentence in exporter.lost:
        console.tell(f"{to}: {sentence}")


def _check(output: str, several: bool, force: bool, traces: list[str]) -> None:
    """Raise UsageError for a place that cannot be written, before the work starts."""
    if output == "-":
        if several:
            raise UsageError("this export is a folder of files", "name it with -o FOLDER")
        return
    place = Path(output)
    if not output:
        raise UsageError("the name of the output is empty")
    if several:
        if place.exists() and not place.is_dir():
            raise UsageError(f"{output}: is a file, and this export is a folder")
        if place.is_dir() and any(place.iterdir()) and not force:
            raise UsageError(f"{output}: holds files already", "--force writes among them")
    else:
        if place.is_dir():
            raise UsageError(f"{output}: is a folder, and this export is one file")
        if any(
            name != "-" and Path(name).exists() and place.exists() and place.samefile(name) for name in traces
        ):
            raise UsageError(f"{output}: is an input of this very run")
        if place.exists() and not force:
            raise UsageError(f"{output}: exists already", "--force overwrites it")
    check_folder(place.parent)
