"""The configuration file. In: a folder, or the name of a file. Out: a `ConfigFile`, parsed.

`cachelens.toml` holds settings alone; in any other TOML file they stand below `[tool.cachelens]`, if it has that.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cachelens.errors import UsageError

#: The file of its own.
NAME: Final = "cachelens.toml"
#: The file of a Python project, which has a section for every tool.
SHARED: Final = "pyproject.toml"
#: Given as the name of a file: none is read.
NONE: Final = "none"
_SECTION: Final = ("tool", "cachelens")
_LARGEST: Final = 1 << 20
_MOST_LINES: Final = 5_000


@dataclass(frozen=True)
class ConfigFile:
    """A file that was read. `shown`: its name in messages. `table`: the settings, as in the file. `section`: the keys
    above them. `ignored`: a further file beside it that holds settings too, and is not read."""

    path: Path
    shown: str
    table: Mapping[str, Any]
    text: str
    section: tuple[str, ...] = ()
    ignored: str | None = None

    def place(self, keys: Sequence[str]) -> str:
        """`cachelens.toml:12`: where the setting of these keys, below the section, begins."""
        line = line_of(self.text, (*self.section, *keys))
        return self.shown if line is None else f"{self.shown}:{line}"


def find(folder: Path) -> ConfigFile | None:
    """The nearest file with settings in `folder` or above it, up to the root of the repository; None: there is none.

    Raises UsageError for one that cannot be read or is no TOML.
    """
    for place in (folder, *folder.parents):
        found = [file for name in (NAME, SHARED) if (file := _settings_in(place / name)) is not None]
        if found:
            return found[0] if len(found) == 1 else _beside(found[0], found[1].shown)
        if (place / ".git").exists():
            return None
    return None


def read(name: str) -> ConfigFile:
    """The file that was asked for by name. Raises UsageError for one that is not there or holds no settings."""
    path = Path(name)
    file = _parsed(path, name)
    if path.name == SHARED and not file.section:
        raise UsageError(f"{name}: has no section [tool.cachelens]", "add it, or leave --config out")
    return file


def _settings_in(path: Path) -> ConfigFile | None:
    """The file, None where there is none or, being shared, it has no settings."""
    if not path.is_file():
        return None
    shown = os.path.relpath(path)
    if path.name == SHARED and "cachelens" not in _text(path, shown):
        return None  # whether it is TOML is somebody else's business
    file = _parsed(path, shown)
    return None if path.name == SHARED and not file.section else file


def _beside(file: ConfigFile, other: str) -> ConfigFile:
    return ConfigFile(file.path, file.shown, file.table, file.text, file.section, other)


def _parsed(path: Path, shown: str) -> ConfigFile:
    text = _text(path, shown)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown}: not TOML: {error}", "see docs/configuration.md") from error
    except RecursionError as error:
        raise UsageError(f"{shown}: nested too deeply") from error
    tool = table.get(_SECTION[0])
    if isinstance(tool, dict) and _SECTION[1] in tool:
        own = tool[_SECTION[1]]
        if not isinstance(own, dict):
            raise UsageError(
                f"{shown}: tool.cachelens is no table", "write [tool.cachelens] above the settings"
            )
        return ConfigFile(path, shown, own, text, _SECTION)
    return ConfigFile(path, shown, table, text)


def _text(path: Path, shown: str) -> str:
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UsageError(f"{shown}: is too large for a configuration file")
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(
            f"{shown}: {error.strerror or 'cannot be read'}", "--config none reads no file"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: is no UTF-8 text") from error


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line, from 1, on which the statement that sets `keys` begins; None where that cannot be said.

    The parser tells no lines. But the beginning of a file is a file, wherever no statement is cut in two: the
    statement is the one that such a beginning has and the one before it has not.
    """
    lines = text.split("\n")
    if len(lines) > _MOST_LINES or not _held(text, keys):
        return None
    without, having = 0, len(lines)
    while having - without > 1:
        middle = (without + having) // 2
        whole = _whole(lines, middle)
        if whole and _held("\n".join(lines[:whole]), keys):
            having = middle
        else:
            without = middle
    return _whole(lines, having - 1) + 1


def _whole(lines: Sequence[str], count: int) -> int:
    """The largest number of lines up to `count` that are a file by themselves."""
    while count and _loads("\n".join(lines[:count])) is None:
        count -= 1
    return count


def _held(text: str, keys: Sequence[str]) -> bool:
    value: Any = _loads(text)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return value is not None


def _loads(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
