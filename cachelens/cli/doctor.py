"""`cachelens doctor`. In: nothing. Out: versions, what is installed, every effective value and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cachelens.cli.console import write_stdout
from cachelens.errors import UsageError

if TYPE_CHECKING:
    from cachelens.cli.checkup import Checkup
    from cachelens.cli.config.effective import Value

#: Identifies the JSON layout; raised when a field changes meaning or goes.
SCHEMA = "cachelens.doctor/1"
_MOST_CELLS = 120


class Form(StrEnum):
    """How the report is written."""

    TERMINAL = "terminal"
    JSON = "json"


def doctor(
    context: typer.Context,
    output_format: Annotated[
        Form, typer.Option("--format", help="Text for a terminal, or JSON.")
    ] = Form.TERMINAL,
) -> None:
    """Show versions, token encodings, what other packages add, and every effective value with where it came from.

    A value comes from a flag, else an environment variable, else the file of settings, else it is the default.
    Leaves with 2 when something is wrong, and says what.
    """
    from cachelens.cli.checkup import checkup

    found = checkup(context)
    write_stdout(_json(found) if output_format is Form.JSON else "\n".join(_screen(found)).encode() + b"\n")
    if found.problems:
        count = len(found.problems)
        raise UsageError(f"{count} problem{'' if count == 1 else 's'} found", "\n".join(found.problems))


def _json(found: Checkup) -> bytes:
    import json
    from dataclasses import asdict

    document: dict[str, Any] = {"schema": SCHEMA, **asdict(found)}
    for one in document["values"]:
        del one["text"]
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _screen(found: Checkup) -> Iterator[str]:
    yield f"cachelens {found.cachelens}   {found.python}, {found.system}"
    yield from _rows([("in", found.folder)])
    yield ""
    yield "Packages"
    yield from _rows([(name, number or "not installed") for name, number in found.packages.items()])
    yield from _rows([(name, place or "not found (optional)") for name, place in found.programs.items()])
    yield ""
    yield "Token encodings"
    yield from _rows([(one.name, one.wrong or f"intact, {one.tokens:,} tokens") for one in found.encodings])
    yield ""
    yield "Names (`cachelens list`)"
    for names in found.registries:
        own = names.count - len(names.added)
        yield from _rows(
            [(names.name, f"{own:,}" + (f" and {len(names.added)} more" if names.added else ""))]
        )
        yield from _rows([("", f"{name} from {place}") for name, place in names.added.items()])
    yield ""
    yield "Settings"
    yield from _rows(
        [("file", found.config or "none"), *([("ignored", found.ignored)] if found.ignored else [])]
    )
    yield from _rows([("unknown", name) for name in found.variables])
    given = [one for one in found.values if one.origin != "default"]
    yield from _values(given)
    if not given:
        yield "  nothing is set; all options have their defaults"
    yield ""
    yield "Defaults"
    yield from _values([one for one in found.values if one.origin == "default"])


def _values(values: list[Value]) -> Iterator[str]:
    """A line for each option and value; those of several verbs that are the same share it."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for one in values:
        verbs.setdefault((one.name, one.text, one.origin), []).append(one.verb)
    for (name, text, origin), named in sorted(verbs.items()):
        where = "" if origin == "default" else f" <- {origin}"
        yield from _rows([(name, f"{text}{where} ({', '.join(named)})")])


def _rows(pairs: list[tuple[str, str]]) -> Iterator[str]:
    from cachelens.report.untrusted import clean

    for name, text in pairs:
        yield f"  {name:<21} {clean(text, _MOST_CELLS)}".rstrip()
