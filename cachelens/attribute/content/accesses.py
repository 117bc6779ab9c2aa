"""What a tool call does: which file, which lines, which command. In: name and arguments of a call. Out: a `Deed`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from cachelens.attribute.content.arguments import canonical, length, named, value, values
from cachelens.attribute.content.patch import patched
from cachelens.attribute.content.shell import STAYS, Moved, shell_command
from cachelens.attribute.content.tools import ToolEntry, entries_for
from cachelens.attribute.content.touch import Edit, Touch

#: A file's name that stands for something else: a device, a pipe, an address.
_NO_FILE: Final = re.compile(r"^(?:/dev/|/proc/|-$|[a-z][a-z0-9+.-]+://)")
_DRIVE: Final = re.compile(r"^[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class Deed:
    """What a call of a tool does, which is the same wherever the call stands.

    `name` as the call spells it; `arguments` as canonical JSON; `action` one of tools.ACTIONS; `touches` the
    files it reads or changes; `command` what it runs; `moved` how that changes the shell's folder. `known`: the
    tool is in a table; `structured`: its arguments came as JSON. `folder` is where it runs, when it says so.
    """

    name: str
    arguments: str
    action: str
    known: bool
    touches: tuple[Touch, ...] = ()
    command: str | None = None
    folder: str | None = None
    moved: Moved = STAYS
    structured: bool = True


def deed(
    name: str, arguments: Mapping[str, Any], tools: Sequence[ToolEntry], structured: bool = True
) -> Deed:
    """What the call `name(arguments)` does; `tools` are tried before the table of known tools."""
    entry = next((entry for entry in entries_for(name, tuple(tools)) if entry.holds(arguments)), None)
    if entry is None:
        return Deed(name, canonical(arguments, ""), "other", False, structured=structured)
    done = Deed(name, canonical(arguments, entry.ignored), entry.action, True, structured=structured)
    if entry.action == "run":
        return _run(done, entry, arguments)
    if entry.action == "patch":
        given = value(arguments, entry.new)
        return replace(done, touches=patched(given) if isinstance(given, str) else ())
    if entry.action in ("read", "write", "append", "edit", "delete") and entry.path:
        return replace(done, touches=_touches(entry, arguments))
    return done


def normal_path(path: str) -> str | None:
    """A path without `.`, `..` and doubled slashes; None for what is no file. Relative paths stay relative."""
    path = path.strip().strip("\"'")
    if _DRIVE.match(path):
        path = path.replace("\\", "/")
    if not path or _NO_FILE.match(path) or "\n" in path or "\0" in path:
        return None
    normal = posixpath.normpath(path)
    return "/" + normal.lstrip("/") if normal.startswith("/") else normal


def _run(done: Deed, entry: ToolEntry, arguments: Mapping[str, Any]) -> Deed:
    command = _command(value(arguments, entry.command))
    folder = value(arguments, entry.folder) if entry.folder else None
    at = normal_path(folder) if isinstance(folder, str) else None
    if command is None:
        return replace(done, folder=at)
    touches, moved = shell_command(command)
    kept = tuple(
        replace(touch, path=path) for touch in touches if (path := normal_path(touch.path)) is not None
    )
    return replace(done, command=command, touches=kept, folder=at, moved=moved)


def _command(given: Any) -> str | None:
    """A command line: a string, an argument vector of a shell, or a list of one command."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not given or not all(isinstance(word, str) for word in given):
        return None
    if len(given) == 1:
        return str(given[0])
    is_shell = posixpath.basename(given[0]) in ("sh", "bash", "zsh") and given[1] in ("-c", "-lc")
    if is_shell:
        return str(given[2]) if len(given) > 2 else None
    if given[0] == "apply_patch" and len(given) == 2:
        return f"apply_patch <<'EOF'\n{given[1]}\nEOF"
    return None


def _touches(entry: ToolEntry, arguments: Mapping[str, Any]) -> tuple[Touch, ...]:
    size = length(arguments, entry.path)
    action = {"append": "edit", "delete": "write"}.get(entry.action, entry.action)
    found = []
    about_lines = (entry.first_line, entry.skip, entry.last_line, entry.count)
    columns = [values(arguments, spec, size) for spec in about_lines]
    known = _known_arguments(entry)
    certain = all(name in known or given is None for name, given in arguments.items())
    for path, first_line, skip, last_line, count in zip(
        values(arguments, entry.path, size), *columns, strict=True
    ):
        normal = normal_path(path) if isinstance(path, str) else None
        if normal is None:
            return ()
        if action != "read":
            edits = _edits(entry, arguments) if entry.action == "edit" else None
            found.append(Touch(action, normal, edits=edits))
            continue
        lines = _lines(first_line, skip, last_line, count)
        found.append(Touch("read", normal, *(lines or (1, None)), certain=certain and lines is not None))
    return tuple(found)


@lru_cache(maxsize=1024)
def _known_arguments(entry: ToolEntry) -> frozenset[str]:
    """Arguments that are no surprise: those that say which lines of which file, and those without effect."""
    specs = (entry.path, entry.first_line, entry.skip, entry.last_line, entry.count, entry.ignored)
    conditions = {condition.partition("=")[0] for condition in entry.when.split()}
    return frozenset().union(conditions, *(named(spec) for spec in specs))


def _lines(first_line: Any, skip: Any, last_line: Any, count: Any) -> tuple[int, int | None] | None:
    """First and last line (None: to the end) that a read asks for; None when the arguments do not say it."""
    given = (first_line, skip, last_line, count)
    numbers = [_number(one) for one in given]
    if any(number is None and one is not None for number, one in zip(numbers, given, strict=True)):
        return None
    start, left_out, end, size = numbers
    if (start is not None and start < 0) or (end is not None and end < -1):
        return None
    first = max(start, 1) if start is not None else (left_out or 0) + 1
    if size is not None and size > 0:
        return first, first + size - 1
    return first, end if end is not None and end > 0 else None


def _number(given: Any) -> int | None:
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return given
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return int(given) if isinstance(given, str) and re.fullmatch(r"-?\d{1,9}", given) else None


def _edits(entry: ToolEntry, arguments: Mapping[str, Any]) -> tuple[Edit, ...] | None:
    """The passages that an edit replaces; None when the call does not say which."""
    if not entry.old:
        return None
    size = length(arguments, entry.old)
    columns = [values(arguments, spec, size) for spec in (entry.old, entry.new, entry.every)]
    found = []
    for old, new, every in zip(*columns, strict=True):
        if not isinstance(old, str) or not old or not (new is None or isinstance(new, str)):
            return None
        found.append(Edit(old, new or "", bool(every)))
    return tuple(found)
