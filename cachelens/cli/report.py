"""`cachelens report`. In: a result saved as JSON. Out: any output of it, byte for byte that of `analyze`."""

from __future__ import annotations

from typing import Annotated

import typer

from cachelens.cli.bundles import Printing, Voice
from cachelens.errors import UsageError
from cachelens.report.saved import saved_result

ResultFile = Annotated[str, typer.Argument(metavar="RESULT", show_default=False, hidden=True)]


def report(
    result: ResultFile,
    *,
    printing: Printing,
    voice: Voice,
) -> None:
    """Make outputs of a saved result again, without the trace.

    Every output is the same, byte for byte, as the one that `cachelens analyze` makes together with the result: all
    of them are drawn from it alone.

    RESULT is a file written by `cachelens analyze TRACE -o result.json`.
    """
    console = voice.console
    outputs = printing.plan("result", [result], voice.quiet)
    document = saved_result(result, pictures=False)  # formats that show pictures say so themselves
    if document is None:
        raise UsageError(
            f"{result}: is no saved result", "make one with `cachelens analyze TRACE -o result.json`"
        )
    if not outputs.shows_people:
        console.warn_skipped(document.trace.skipped)
    outputs.write(document, console)
