"""Options that several verbs share. In: nothing. Out: annotated types for the signatures of verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from cachelens.cli.names import NAMED
from cachelens.model.options import IngestOptions
from cachelens.model.render import NAMES
from cachelens.registry import Registry


class Color(StrEnum):
    """When stdout is colored."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def names_of(list_name: str) -> Callable[[str], list[str]]:
    """A completion of the names that `cachelens list LIST_NAME` shows."""

    def complete(incomplete: str) -> list[str]:
        registry: Registry = NAMED.load(list_name)
        return [name for name in registry if name.startswith(incomplete)]

    return complete


def renderings(incomplete: str) -> list[str]:
    """A completion of the last name of a list of renderings."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in NAMES if name.startswith(last)]


Traces = Annotated[
    list[str],
    # Described in the text of the verb: typer before 0.26 and click from 8.5 on lose or double the help
    # of an argument.
    typer.Argument(metavar="TRACE...", show_default=False, hidden=True),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="NAME",
        help="Format of the captures (`cachelens list formats`).",
        show_default="recognized by content",
        autocompletion=names_of("formats"),
    ),
]
Encoding = Annotated[
    str,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding that counts the tokens (`cachelens list encodings`).",
        autocompletion=names_of("encodings"),
    ),
]
RenderOrder = Annotated[
    list[str] | None,
    typer.Option(
        "--render",
        metavar="NAMES",
        help="How prompts are put together, with commas between: tools-first or system-first; thinking-kept, "
        "thinking-stripped or thinking-last-turn (stripped before the last user turn); system-in-place or "
        "system-hoisted (docs/dialects.md).",
        show_default="as the API that was called does",
        autocompletion=renderings,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Fail when a record cannot be read, instead of counting it."),
]
PageSize = Annotated[
    int,
    typer.Option(
        "--page-size", min=1, max=1_000_000, metavar="TOKENS", help="Tokens in a page or block of the cache."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of stdout, and of files whose suffix names none (`cachelens list outputs`).",
        show_default="terminal",
        autocompletion=names_of("outputs"),
    ),
]
OutputFiles = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write a file too, in the format of its suffix; repeatable. `findings.csv` or `run.findings.csv` holds "
        "that table, a folder (`tables/`, `tables.parquet/`) every table.",
        show_default="stdout alone",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="Nothing on stderr but errors, and nothing on stdout when -o names files."
    ),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show more of what was found.")]
ColorWhen = Annotated[
    Color,
    typer.Option("--color", help="Color on stdout; auto: on a terminal, minding NO_COLOR and FORCE_COLOR."),
]


def ingest_options(
    input_format: str | None, encoding: str, render: Sequence[str] | None, strict: bool
) -> IngestOptions:
    """The options of reading. Raises UsageError, with a suggestion, for a name that is unknown."""
    if input_format is not None:
        NAMED.load("formats").require(input_format)
    NAMED.load("encodings").require(encoding)
    return IngestOptions(input_format, encoding, ",".join(render) if render else None, strict)
