"""Worked examples in the docs. In: a page. Out: the requests and the rows of each table behind a marker.

A marker is `<!-- example NAME option=value … -->`; the column `prompt` holds `name:tokens` words (equal names
are equal tokens from the start, `name[5]:3` are tokens 5 to 8 of it), `=>` before what was generated; the
columns `session`, `start` and `duration` are optional.
"""

from __future__ import annotations

import re

from tests.simulate.workloads import Call

Row = dict[str, str]
_WORD = re.compile(r"([a-z]+\d*)(?:\[(\d+)\])?:(\d+)")


def _tokens(text: str, names: dict[str, int]) -> list[int]:
    found: list[int] = []
    for word in text.split():
        match = _WORD.fullmatch(word)
        assert match, word
        name, skip, count = match.groups()
        base = names.setdefault(name, len(names)) * 100_000 + int(skip or 0)
        found += range(base, base + int(count))
    return found


def rows(page: str, name: str) -> list[tuple[dict[str, str], list[Call], list[Row]]]:
    """The examples called `name`: options, requests, rows by column."""
    examples = []
    for head, table in re.findall(rf"<!-- example {name}([^>]*?) -->\n((?:\|.*\n)+)", page):
        options = dict(pair.split("=") for pair in head.split())
        lines = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in table.splitlines()]
        cells = [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]
        names: dict[str, int] = {}
        requests = []
        for row in cells:
            prompt, _, output = row["prompt"].strip("`").partition("=>")
            requests.append(
                Call(
                    _tokens(prompt, names),
                    _tokens(output, names),
                    start=float(row["start"]) if "start" in row else None,
                    duration=float(row["duration"]) if "duration" in row else None,
                    session=row.get("of"),
                )
            )
        examples.append((options, requests, cells))
    return examples
