"""Writes docs/cli.md. In: the application. Out: every verb and option with its default, as Markdown."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from cachelens.cli.app import NAME, build
from cachelens.cli.names import NAMED

PATH = Path(__file__).parents[2] / "docs" / "cli.md"
COMMAND = "python -m tests.cli.make_docs"

_HEAD = f"""# Command line

Made from the program by `{COMMAND}`; do not edit.

Reports go to stdout, everything else to stderr. A progress bar appears on a terminal only, after a second.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a gate failed |
| 2 | usage, configuration or unreadable input |
| 3 | a bug in cachelens; `CACHELENS_TRACEBACK=1` shows where, without any captured text |
| 130 | interrupted by Ctrl-C |
| 141 | the reader of stdout went away |

| environment | meaning |
|---|---|
| `NO_COLOR` | not empty: no color, unless `--color always` |
| `FORCE_COLOR` | neither empty nor 0: color also into a pipe, unless `NO_COLOR` or `--color never` |
| `COLUMNS` | width of a report that does not go to a terminal, 80 to 160; default 100 |

The report goes to stdout, and to each file named with `-o`, complete or not at all (with `-q`, to files
alone). Files with the suffix `.txt` are terminal reports without color.
"""


def document() -> str:
    """The whole page."""
    program = build()
    parts = [_HEAD, _section(NAME, program, level=2)]
    parts += [_section(f"{NAME} {name}", verb, level=2) for name, verb in program.commands.items()]
    parts.append("## Names\n\n| list | holds |\n|---|---|")
    parts[-1] += "".join(
        f"\n| `{NAME} list {name}` | {entry.summary} |" for name, entry in NAMED.entries.items()
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _section(title: str, command: Any, level: int) -> str:
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    tail = " COMMAND ..." if hasattr(command, "commands") else "".join(f" {name}" for name in arguments)
    usage = f"```\n{title} [OPTIONS]{tail}\n```"
    rows = [_row(param) for param in command.params if param.param_type_name == "option"]
    rows.append("| `-h`, `--help` | Show help and leave. |  |")
    table = "| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows)
    return f"{'#' * level} {title}\n\n{textwrap.dedent('    ' + command.help).strip()}\n\n{usage}\n\n{table}"


def _row(param: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(param.opts, key=len))
    choices = getattr(param.type, "choices", None)
    value = param.metavar or ("|".join(map(str, choices)) if choices else "")
    if not value and not param.is_flag and param.type.name.startswith("integer"):
        value = "N"
    shown = names + (f" `{value}`" if value else "")
    return f"| {shown} | {param.help} | {_default(param)} |".replace(
        "|".join(map(str, choices or "")) or "\0", "\\|".join(map(str, choices or ""))
    )


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(param.show_default, str):
        return param.show_default
    if param.is_flag or param.default is None or not param.expose_value:
        return ""
    return f"`{getattr(param.default, 'value', param.default)}`"


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
