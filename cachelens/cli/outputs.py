"""The outputs of one run. In: `-o` and `--format`. Out: reports, each complete or not there at all.

Everything about them is checked before the work starts: formats, folders, files that would be overwritten.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.cli.console import Console, write_stdout
from cachelens.errors import UsageError
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import DocumentKind, Renderer, RenderOptions
from cachelens.report.terminal.screen import Page

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.inspection import Inspection
    from cachelens.model.result import Result

_STDOUT = "-"


@dataclass(frozen=True)
class Output:
    """One place, `-` for stdout, and what renders it."""

    place: str
    renderer: Renderer


@dataclass(frozen=True)
class Outputs:
    """All outputs of a run, checked."""

    items: tuple[Output, ...]

    @property
    def shows_people(self) -> bool:
        """Whether a screen for people is among them, which says itself what was skipped."""
        return any(item.renderer.name == "terminal" for item in self.items)

    def write(self, document: Result | Curve | Grid | Inspection, console: Console) -> None:
        """Render and write all of them, files first. Raises UsageError where one cannot be written."""
        for item in sorted(self.items, key=lambda item: item.place == _STDOUT):
            page = console.page() if item.place == _STDOUT else Page()
            data = item.renderer.render(document, RenderOptions(page, console.verbose))
            if item.place == _STDOUT:
                write_stdout(data)
            else:
                write_file(Path(item.place), data)
                console.tell(f"Wrote {item.place}")


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
    chosen = _renderer(format_name, kind) if format_name is not None else None
    places = list(files or [])
    if _STDOUT not in places and not (quiet and places):
        places.append(_STDOUT)
    items: list[Output] = []
    for place in places:
        renderer = None if place == _STDOUT else _by_suffix(place, kind)
        if renderer is None:
            if chosen is None and place != _STDOUT:
                raise UsageError(
                    f"{place}: the suffix names no output format",
                    f"suffixes: {', '.join(_suffixes(kind))}; or say --format NAME",
                )
            renderer = chosen or _renderer("terminal", kind)
        items.append(Output(place, renderer))
    _check_places(items, force, inputs)
    return Outputs(tuple(items))


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` by `data`, whole or piece by piece, in one step.

    Raises UsageError, and leaves nothing half-written, when it cannot.
    """
    pieces = (data,) if isinstance(data, bytes) else data
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        if _is_special(path):
            with open(path, "wb") as stream:
                stream.writelines(pieces)
            return
        try:
            with open(temporary, "xb") as stream:
                stream.writelines(pieces)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be written'}") from error


def check_folder(path: Path) -> None:
    """Raise UsageError unless the nearest existing folder at or above `path` can be written to."""
    folder = path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(f"{path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: folder {folder} cannot be written to")


def _check_places(items: Sequence[Output], force: bool, inputs: Sequence[str]) -> None:
    seen: set[str] = set()
    for item in items:
        name = item.place if item.place == _STDOUT else os.path.realpath(item.place)
        if name in seen:
            raise UsageError(f"{item.place}: named twice as an output")
        seen.add(name)
        if item.place != _STDOUT:
            _check_file(item.place, Path(name), force, inputs)
        elif item.renderer.binary and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(
                f"{item.renderer.name} output does not belong on a terminal",
                "write it to a file with -o FILE",
            )


def _check_file(shown: str, path: Path, force: bool, inputs: Sequence[str]) -> None:
    if not shown or path.is_dir():
        raise UsageError(f"{shown or '-o'}: is a folder, not a file")
    if _is_special(Path(shown)):
        return
    if any(name != _STDOUT and os.path.realpath(name) == str(path) for name in inputs):
        raise UsageError(f"{shown}: is an input of this very run")
    if path.exists() and not force:
        raise UsageError(f"{shown}: exists already", "--force overwrites it")
    if not path.parent.is_dir():
        raise UsageError(f"{shown}: folder {Path(shown).parent} does not exist")
    check_folder(path.parent)


def _is_special(path: Path) -> bool:
    """Whether `path` is a device, pipe or open stream: written to directly, never replaced."""
    if str(path).startswith(("/dev/std", "/dev/fd/")):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _renderer(name: str, kind: DocumentKind) -> Renderer:
    renderer: Renderer = RENDERERS.load(name)()
    if kind not in renderer.documents:
        raise UsageError(f"{name} does not show this kind of report", f"formats: {', '.join(_names(kind))}")
    return renderer


def _all(kind: DocumentKind) -> list[Renderer]:
    loaded: list[Renderer] = [RENDERERS.load(name)() for name in RENDERERS]
    return [renderer for renderer in loaded if kind in renderer.documents]


def _names(kind: DocumentKind) -> list[str]:
    return [renderer.name for renderer in _all(kind)]


def _suffixes(kind: DocumentKind) -> list[str]:
    return [suffix for renderer in _all(kind) for suffix in renderer.suffixes]


def _by_suffix(place: str, kind: DocumentKind) -> Renderer | None:
    """The renderer whose suffix ends `place`; None when no renderer of any document has that suffix."""
    lower = place.lower()
    for name in RENDERERS:
        renderer: Renderer = RENDERERS.load(name)()
        if lower.endswith(renderer.suffixes):
            return _renderer(name, kind)
    return None
