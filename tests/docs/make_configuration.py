"""Renews the tables of docs/configuration.md. In: the program. Out: the page, with every key and variable there is."""

from __future__ import annotations

import re
from pathlib import Path

from cachelens.cli.app import build
from cachelens.cli.config.environment import variables
from cachelens.cli.config.known import Kind, kind_of, settable
from cachelens.cli.config.settings import ALIASES, REFUSED, TOOLS

PATH = Path(__file__).parents[2] / "docs" / "configuration.md"
COMMAND = "python -m tests.docs.make_configuration"
_TAKES: dict[Kind, str] = {
    "flag": "`true` or `false`",
    "choice": "one of its names",
    "integer": "a whole number",
    "number": "a number",
    "keyed": "a table, or a list of texts",
    "list": "a text, or a list of texts",
    "text": "a text, or a number",
}


def table() -> str:
    """A row for each key: what it takes, which commands have it, and its variable."""
    verbs: dict[tuple[str, str], list[str]] = {}
    known = settable(build())
    for verb, options in known.items():
        for name, option in options.items():
            if name not in REFUSED:
                more = " or `[[tools]]`" if name == TOOLS else ""
                verbs.setdefault((name, _TAKES[kind_of(option)] + more), []).append(verb)
    rows = ["| key | takes | commands | variable |", "|---|---|---|---|"]
    for (name, takes), named in sorted(verbs.items()):
        alias = next((f", `[{alias}]`" for alias, of in ALIASES.items() if of == name), "")
        variable = variables(named[0], name)[1]
        rows.append(f"| `{name}`{alias} | {takes} | {', '.join(named)} | `{variable}` |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """The page with the table renewed."""
    block = re.compile(r"(<!-- keys -->\n).*?(<!-- end of keys -->)", re.DOTALL)
    assert len(block.findall(text)) == 1
    return block.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", text)


if __name__ == "__main__":
    PATH.write_text(with_table(PATH.read_text(encoding="utf-8")), encoding="utf-8")
