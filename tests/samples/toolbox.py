"""The agent's tools. In: a checkout and the arguments of a call. Out: the text the model gets back.

Reading, listing, searching, editing and diffing are done for real on an in-memory checkout. The test
run is written out from the state of the two planted faults, with a fixed duration.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.samples.project import CLOCK_BEFORE, FILES, KIND_BEFORE

Schema = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """One tool definition: `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Schema


def _object(required: list[str], **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _string(description: str) -> Schema:
    return {"type": "string", "description": description}


def _integer(description: str, minimum: int) -> Schema:
    return {"type": "integer", "description": description, "minimum": minimum}


_PATH = _string("Path relative to the root of the checkout, with forward slashes.")

TOOLS: tuple[Tool, ...] = (
    Tool(
        "read_file",
        "Read a text file of the checkout. Lines come back numbered from 1, a tab after the number. "
        "Read a file before you edit it. Give `first` and `last` to read a part of a long file; both "
        "are inclusive. Binary files are refused.",
        _object(
            ["path"],
            path=_PATH,
            first=_integer("First line to read; 1 if left out.", 1),
            last=_integer("Last line to read; the end of the file if left out.", 1),
        ),
    ),
    Tool(
        "list_files",
        "List the files below a folder of the checkout with their sizes in bytes, sorted by path. "
        "Hidden files and everything named in .gitignore are left out.",
        _object(["folder"], folder=_string("Folder relative to the root; `.` for all of it.")),
    ),
    Tool(
        "grep",
        "Search all text files for a regular expression (Python syntax) and get back the matching "
        "lines as path:line:text, in order of path and line. At most 60 lines are shown; the number "
        "of those left out is printed at the end.",
        _object(
            ["pattern"],
            pattern=_string("Regular expression, matched line by line, case-sensitive."),
            folder=_string("Search only below this folder."),
        ),
    ),
    Tool(
        "edit_file",
        "Replace one passage of a file. `old` must occur exactly once, white space included: take it "
        "from what read_file showed, without the line numbers. The answer is the edited passage with "
        "two lines around it.",
        _object(
            ["path", "old", "new"],
            path=_PATH,
            old=_string("The passage as it stands in the file."),
            new=_string("What to put in its place; empty to delete it."),
        ),
    ),
    Tool(
        "write_file",
        "Create a file, or replace the whole of one that is there. Use edit_file for changes to "
        "existing files; this is for new ones.",
        _object(["path", "text"], path=_PATH, text=_string("The complete new content.")),
    ),
    Tool(
        "run_command",
        "Run a shell command in the root of the checkout, without a terminal, and get its output and "
        "exit status. It is stopped after `timeout_s` seconds. Do not start servers or editors with it.",
        _object(
            ["command"],
            command=_string("The command line, given to sh -c."),
            timeout_s=_integer("Seconds to wait; 60 if left out.", 1),
        ),
    ),
    Tool(
        "delegate",
        "Give a self-contained question about the checkout to a scout, a second agent that may only "
        "read. It does not see this conversation, so put everything it must know into `task`. Several "
        "scouts may run at the same time. The answer is the scout's report.",
        _object(["task"], task=_string("The question, with all the context it needs.")),
    ),
)

#: What a scout may use.
SCOUT_TOOLS: tuple[Tool, ...] = tuple(t for t in TOOLS if t.name in {"read_file", "list_files", "grep"})


class Checkout:
    """A mutable copy of the project."""

    def __init__(self) -> None:
        self.files = dict(FILES)

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Carry out one call of any tool but `delegate`. Raises KeyError for an unknown one."""
        tools: dict[str, Callable[..., str]] = {
            "read_file": self._read,
            "list_files": self._list,
            "grep": self._grep,
            "edit_file": self._edit,
            "write_file": self._write,
            "run_command": self._run,
        }
        return tools[name](**arguments)

    def _read(self, path: str, first: int = 1, last: int | None = None) -> str:
        lines = self.files[path].splitlines()[first - 1 : last]
        return "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))

    def _list(self, folder: str) -> str:
        prefix = "" if folder == "." else folder + "/"
        return "\n".join(
            f"{len(text.encode()):6d}  {path}"
            for path, text in sorted(self.files.items())
            if path.startswith(prefix)
        )

    def _grep(self, pattern: str, folder: str = ".") -> str:
        prefix = "" if folder == "." else folder + "/"
        found = [
            f"{path}:{number}:{line}"
            for path, text in sorted(self.files.items())
            if path.startswith(prefix)
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
        more = [f"({len(found) - 60} more lines)"] if len(found) > 60 else []
        return "\n".join(found[:60] + more) or "no line matches"

    def _edit(self, path: str, old: str, new: str) -> str:
        text = self.files[path]
        if text.count(old) != 1:
            return f"error: the passage occurs {text.count(old)} times in {path}; nothing was changed"
        self.files[path] = text.replace(old, new)
        start = text[: text.index(old)].count("\n") + 1
        shown = self._read(path, max(1, start - 2), start + new.count("\n") + 2)
        return f"edited {path}\n{shown}"

    def _write(self, path: str, text: str) -> str:
        self.files[path] = text
        return f"wrote {path}, {len(text.encode())} bytes"

    def _run(self, command: str, timeout_s: int = 60) -> str:
        if command.startswith("git diff"):
            return self._diff() or "(no output)\nexit status 0"
        if "pytest" in command:
            return self._tests()
        return f"sh: {command.split()[0]}: not found\nexit status 127"

    def _diff(self) -> str:
        out: list[str] = []
        for path in sorted(self.files):
            before, after = FILES.get(path, ""), self.files[path]
            out += difflib.unified_diff(
                before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=2
            )
        return "\n".join(out)

    def _tests(self) -> str:
        failures: list[tuple[str, str]] = []
        if KIND_BEFORE in self.files["tidekit/table.py"]:
            failures.append(("test_highs_are_above_lows", KIND_TRACE))
        if CLOCK_BEFORE in self.files["tidekit/units.py"]:
            failures.append(("test_clock_carries_the_hour", CLOCK_TRACE))
        if not failures:
            return ".....                                       [100%]\n5 passed in 0.04s\nexit status 0"
        marks = {1: "...F.", 2: "F..F."}[len(failures)]
        body = "".join(f"{f' {name} ':_^72}\n\n{trace}\n" for name, trace in failures)
        names = "".join(f"FAILED tests/test_table.py::{name}\n" for name, _ in failures)
        return (
            f"{marks}                                       [100%]\n{' FAILURES ':=^72}\n{body}"
            f"{' short test summary info ':=^72}\n{names}"
            f"{len(failures)} failed, {5 - len(failures)} passed in 0.06s\nexit status 1"
        )


KIND_TRACE = """    def test_highs_are_above_lows():
        turns = list(turning_points(HARBOR, 0.0, 48.0))
        highs = [t.height_m for t in turns if t.kind == "high"]
        lows = [t.height_m for t in turns if t.kind == "low"]
>       assert min(highs) > max(lows)
E       assert 0.22032110430367746 > 3.9792300038059207
E        +  where 0.22032110430367746 = min([0.2468058530236772, 0.22535336722061095, 0.22032110430367746])

tests/test_table.py:16: AssertionError
"""
CLOCK_TRACE = """    def test_clock_carries_the_hour():
>       assert format_clock(5.999) == "06:00"
E       AssertionError: assert '05:60' == '06:00'
E         - 06:00
E         + 05:60

tests/test_table.py:29: AssertionError
"""
