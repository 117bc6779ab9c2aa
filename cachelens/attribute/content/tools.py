"""What known tools do. In: the table beside this module, a user's TOML file. Out: `ToolEntry`s.

The table is data: a tool that is not in it is added by one line, or by one entry of the user's file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cachelens.errors import InputError, UsageError, unknown_name

#: What a tool can do; the last ones concern neither files nor commands.
ACTIONS: Final = (
    "read",
    "write",
    "append",
    "edit",
    "delete",
    "patch",
    "run",
    "search",
    "list",
    "fetch",
    "poll",
    "delegate",
    "note",
    "other",
)
#: Between the name of a server and that of its tool.
_SEPARATORS: Final = ("__", ".", "/", ":")


@dataclass(frozen=True)
class ToolEntry:
    """One tool: its names, the arguments that `when` asks for, what it does, and which arguments say with what.

    All but `action` are spelled as in the table: `tool` are patterns in lower case separated by `|`, `when`
    conditions separated by blanks, the rest names of arguments separated by `|` (`a[].b`: argument b of every
    element of list a, `a[0]`: the first element of list a). Empty: there is no such argument.
    """

    tool: str
    when: str = ""
    action: str = "other"
    path: str = ""
    first_line: str = ""
    skip: str = ""
    last_line: str = ""
    count: str = ""
    folder: str = ""
    command: str = ""
    old: str = ""
    new: str = ""
    every: str = ""
    ignored: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for an action that does not exist."""
        if self.action not in ACTIONS:
            raise unknown_name("action", self.action, ACTIONS)

    def names(self, name: str) -> bool:
        """Whether this entry is about a tool of that name (in lower case)."""
        return any(
            fnmatchcase(name, pattern) if "*" in pattern else name == pattern
            for pattern in self.tool.split("|")
        )

    def holds(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments are those that `when` asks for."""
        for condition in self.when.split():
            name, equals, value = condition.partition("=")
            if equals:
                if str(arguments.get(name)) != value:
                    return False
            elif name.startswith("!"):
                if arguments.get(name[1:]) is not None:
                    return False
            elif not any(arguments.get(one) is not None for one in name.split("|")):
                return False
        return True


def plain_names(name: str) -> tuple[str, ...]:
    """A tool's name in lower case, and what is left of it without the name of its server."""
    name = name.lower()
    found = [name]
    for separator in _SEPARATORS:
        last = name.rpartition(separator)[2]
        if last and last not in found:
            found.append(last)
    return tuple(found)


@lru_cache(maxsize=1024)
def entries_for(name: str, extra: tuple[ToolEntry, ...]) -> tuple[ToolEntry, ...]:
    """Entries about the tool `name` in the order in which they are tried: `extra` first, exact names before others."""
    return tuple(
        entry
        for table in (extra, known_tools())
        for plain in plain_names(name)
        for entry in table
        if entry.names(plain)
    )


@cache
def known_tools() -> tuple[ToolEntry, ...]:
    """The table of known tools, in its order."""
    text = files("cachelens.attribute.content").joinpath("tools.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    names = lines[0].split("\t")
    return tuple(ToolEntry(**dict(zip(names, line.split("\t"), strict=True))) for line in lines[1:])


def read_tools(path: Path) -> tuple[ToolEntry, ...]:
    """The user's tools: a TOML file with one `[[tool]]` for each, its keys the columns of the table.

    `name` is the tool's name or a list of names, every other value a string or a list of strings. A configuration
    file has them as `[[tools]]` among its settings, below `[tool.cachelens]` if it has that. Raises InputError for a
    file that cannot be read, UsageError for unknown keys and for values that do not fit.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}", "see docs/labels.md for an example") from error
    shared = given.get("tool")
    settings = shared.get("cachelens") if isinstance(shared, dict) else given
    if isinstance(settings, dict) and isinstance(settings.get("tools"), list):
        return _entries(settings["tools"], "tools", path)
    for key in given:
        if key != "tool":
            raise UsageError(
                f"{path}: {unknown_name('key', key, ['tool']).message}", "did you mean [[tool]]?"
            )
    return _entries(given.get("tool", []), "tool", path)


def _entries(tables: object, key: str, path: Path) -> tuple[ToolEntry, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: `{key}` is not a list of tables", f"write [[{key}]] above each tool")
    return tuple(_entry(table, f"{path}: tool {number}") for number, table in enumerate(tables, 1))


def _entry(table: dict[str, Any], place: str) -> ToolEntry:
    known = ["name", *(field.name for field in fields(ToolEntry) if field.name != "tool")]
    values: dict[str, str] = {}
    for key, value in table.items():
        if key not in known:
            wrong = unknown_name("key", key, known)
            raise UsageError(f"{place}: {wrong.message}", wrong.hint)
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) and word for word in words):
            raise UsageError(f"{place}: `{key}` is neither a string nor a list of strings")
        values[key] = (" " if key == "when" else "|").join(words)
    if "name" not in values or "action" not in values:
        raise UsageError(f"{place}: `name` and `action` are both needed", "see docs/labels.md for an example")
    values["tool"] = values.pop("name").lower()
    try:
        return ToolEntry(**values)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", error.hint) from error
