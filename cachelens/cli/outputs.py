"""The outputs of one run. In: `-o` and `--format`. Out: reports, each complete or not there at all.

Everything about them is checked before the work starts: formats, folders, files that would be overwritten. Files
appear when all of them are written: where one cannot be, none does.

The longest suffix that fits names the format. A format of tables writes the main table of the document, or the one
whose name stands before the suffix: `findings.csv`, `run-7.findings.csv`. A place that ends in a slash is a folder
that gets every table as a file of its own: CSV, unless its suffix says otherwise (`tables.parquet/`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.cli.console import Console, write_stdout
from cachelens.errors import UsageError
from cachelens.report.atomic import Batch, is_special
from cachelens.report.atomic import check_folder as check_folder
from cachelens.report.atomic import write_file as write_file
from cachelens.report.choice import by_suffix, renderer_for, suffixes, table_in
from cachelens.report.renderers.base import DocumentKind, Renderer, RenderOptions
from cachelens.report.tables.names import TABLES
from cachelens.report.terminal.screen import Page

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document

_STDOUT = "-"
#: What a folder of tables is written as when its name does not say.
_FOLDER_FORMAT = "csv"


@dataclass(frozen=True)
class Output:
    """One place, `-` for stdout, and what renders it; `table` as in `RenderOptions`.

    `in_folder`: its folder is made if it is missing.
    """

    place: str
    renderer: Renderer
    table: str = ""
    in_folder: bool = False


@dataclass(frozen=True)
class Outputs:
    """All outputs of a run, checked."""

    items: tuple[Output, ...]

    @property
    def shows_people(self) -> bool:
        """Whether a screen for people is among them, which says itself what was skipped."""
        return any(item.renderer.name == "terminal" for item in self.items)

    @property
    def needs_pictures(self) -> bool:
        """Whether one of them shows or keeps what only `Result.pictures` holds."""
        return any(getattr(item.renderer, "pictures", False) for item in self.items)

    def write(self, document: Document, console: Console) -> None:
        """Render all of them, put the files in place, then print what is for stdout.

        Raises UsageError where one cannot be rendered or written; then no file appears. (Only if the very last step
        fails, the renaming of one that is complete, those before it are there.)
        """
        files = [item for item in self.items if item.place != _STDOUT]
        with Batch() as batch:
            for item in files:
                batch.add(Path(item.place), _render(item, document, Page(), console))
            printed = [
                _render(item, document, console.page(), console)
                for item in self.items
                if item.place == _STDOUT
            ]
            batch.commit()
        for item in files:
            console.tell(f"Wrote {item.place}")
        for data in printed:
            write_stdout(data)


def plan(
    kind: DocumentKind,
    files: Sequence[str] | None,
    format_name: str | None,
    force: bool,
    inputs: Sequence[str] = (),
    quiet: bool = False,
) -> Outputs:
    """Check what is to be written: the files, and the report on stdout unless it is `quiet` and has files.

    Files go by their suffix; `format_name` is for stdout and for files whose suffix names no format. Raises
    UsageError for formats, places or overwriting that cannot be.
    """
    chosen = renderer_for(format_name, kind) if format_name is not None else None
    places = list(files or [])
    if _STDOUT not in places and not (quiet and places):
        places.append(_STDOUT)
    items: list[Output] = []
    for place in places:
        if place == _STDOUT:
            items.append(Output(place, chosen or renderer_for("terminal", kind)))
        elif place.endswith(("/", os.sep)):
            items += _tables_in(place, kind)
        else:
            items.append(_file(place, kind, chosen))
    _check_places(items, force, inputs)
    return Outputs(tuple(items))


def _render(item: Output, document: Document, page: Page, console: Console) -> bytes:
    return item.renderer.render(document, RenderOptions(page, console.verbose, item.table))


def _file(place: str, kind: DocumentKind, chosen: Renderer | None) -> Output:
    name, _ = by_suffix(place)
    renderer = renderer_for(name, kind) if name else chosen
    if renderer is None:
        raise UsageError(
            f"{place}: the suffix names no output format",
            f"suffixes: {', '.join(suffixes(kind))}; or say --format NAME",
        )
    return Output(place, renderer, table_in(Path(place).name, kind, renderer))


def _tables_in(folder: str, kind: DocumentKind) -> Iterator[Output]:
    """Every table of the document, as a file in `folder`."""
    path = Path(folder)
    name, suffix = by_suffix(path.name)
    renderer = renderer_for(name or _FOLDER_FORMAT, kind)
    if not getattr(renderer, "tabular", False):
        raise UsageError(f"{folder}: {renderer.name} is one file, not a folder", "leave the slash out")
    if path.exists() and not path.is_dir():
        raise UsageError(f"{folder}: is a file, not a folder")
    if not path.exists() and not path.parent.is_dir():
        raise UsageError(f"{folder}: folder {path.parent} does not exist")
    for table in TABLES[kind]:
        yield Output(str(path / f"{table}{suffix or renderer.suffixes[0]}"), renderer, table, True)


def _check_places(items: Sequence[Output], force: bool, inputs: Sequence[str]) -> None:
    seen: set[str] = set()
    for item in items:
        name = item.place if item.place == _STDOUT else os.path.realpath(item.place)
        if name in seen:
            raise UsageError(f"{item.place}: named twice as an output")
        seen.add(name)
        if item.place != _STDOUT:
            _check_file(item, Path(name), force, inputs)
        elif item.renderer.binary and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(
                f"{item.renderer.name} output does not belong on a terminal",
                "write it to a file with -o FILE",
            )


def _check_file(item: Output, path: Path, force: bool, inputs: Sequence[str]) -> None:
    shown = item.place
    if not shown:
        raise UsageError("-o: is a folder, not a file")
    if path.is_dir():
        hint = "a slash behind it writes every table as a file into it"
        raise UsageError(f"{shown}: is a folder, not a file", hint)
    if is_special(Path(shown)):
        return
    if any(name != _STDOUT and os.path.realpath(name) == str(path) for name in inputs):
        raise UsageError(f"{shown}: is an input of this very run")
    if path.exists() and not force:
        raise UsageError(f"{shown}: exists already", "--force overwrites it")
    if not item.in_folder and not path.parent.is_dir():
        raise UsageError(f"{shown}: folder {Path(shown).parent} does not exist")
    check_folder(path.parent)
