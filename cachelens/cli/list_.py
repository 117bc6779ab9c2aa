"""`cachelens list`. In: the name of a registry. Out: its names, each with what it is."""

from __future__ import annotations

from typing import Annotated

import typer

from cachelens.cli.console import write_stdout
from cachelens.cli.names import NAMED
from cachelens.registry import Registry


def _complete(incomplete: str) -> list[str]:
    return [name for name in NAMED if name.startswith(incomplete)]


def list_names(
    what: Annotated[
        str,
        typer.Argument(metavar="|".join(NAMED), show_default=False, hidden=True, autocompletion=_complete),
    ],
) -> None:
    """List the names that options accept, each with what it is: engines, policies, models, formats and others."""
    registry: Registry = NAMED.load(what)
    entries = registry.entries
    width = max(map(len, entries), default=0)
    lines = (f"{name:<{width}}   {entry.summary}\n" for name, entry in entries.items())
    write_stdout("".join(lines).encode())
