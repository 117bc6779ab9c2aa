"""`cachelens ingest`. In: captures. Out: a folder of columnar tables that every verb reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cachelens.cli import options
from cachelens.cli.bundles import Reading
from cachelens.cli.console import Console
from cachelens.cli.outputs import check_folder
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import UsageError


def ingest(
    traces: options.Traces,
    *,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.", show_default=False)
    ],
    force: options.Force = False,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Write captures as tables (parquet), to be read many times: every verb takes the folder as TRACE.

    The tables hold token ids instead of text, and none of the credentials of a capture.

    TRACE is a capture: a file, a folder, a glob, or `-` for standard input, compressed or not.
    """
    console = Console(quiet)
    how_read = reading.options
    folder = Path(output)
    _check(folder, force)
    from cachelens.ingest.store import write
    from cachelens.pipeline import load

    with Bar(visible=not quiet and stderr_is_terminal()) as progress:
        trace = load(traces, how_read, progress)
        write(trace, folder, force)
    console.warn_skipped(trace.skipped)
    console.tell(f"Wrote {output}: {len(trace):,} request{'' if len(trace) == 1 else 's'}")


def _check(folder: Path, force: bool) -> None:
    """Raise UsageError when the folder cannot be written, before anything is read."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder}: exists already and is not empty", "--force overwrites the tables in it")
    check_folder(folder)
