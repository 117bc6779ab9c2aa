"""Documentation of rules, out of the docstrings of their modules. In: a rule's code. Out: a `RulePage`.

A docstring is a summary line, then the sections of `cachelens.advise.rule.SECTIONS`: each a heading on a line of
its own, then indented text. Blank lines part paragraphs; a line that begins with `* ` begins an item of a list;
what is indented four spaces deeper is kept as it stands.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cachelens.advise.rule import SECTIONS
from cachelens.advise.rules import RULES
from cachelens.errors import UsageError

_ITEM = "* "
_CODE = "    "


@dataclass(frozen=True)
class Block:
    """A piece of text: a `paragraph` or an `item` of a list on one line, or lines of `code`."""

    kind: Literal["paragraph", "item", "code"]
    text: str


@dataclass(frozen=True)
class RulePage:
    """What there is to read about a rule. `summary`: the pattern that fails, a sentence. `sections` in order."""

    code: str
    name: str
    summary: str
    sections: tuple[tuple[str, tuple[Block, ...]], ...]


def rule_page(code: str) -> RulePage:
    """The documentation of a rule. Raises UsageError for an unknown code, and where there is no documentation."""
    rule = RULES.load(code)
    text = importlib.import_module(rule.__module__).__doc__
    if not text:
        raise UsageError(f"{code}: the documentation is missing", "run Python without -OO")
    try:
        summary, sections = parse(text)
    except ValueError as error:
        raise UsageError(f"{code}: {error}") from error
    return RulePage(code, rule.name, summary, sections)


def parse(docstring: str) -> tuple[str, tuple[tuple[str, tuple[Block, ...]], ...]]:
    """Summary and sections of a docstring. Raises ValueError unless it has all sections, in order, none empty."""
    lines = inspect.cleandoc(docstring).splitlines()
    bodies: dict[str, list[str]] = {}
    lead: list[str] = []
    current = lead
    for line in lines:
        if line in SECTIONS:
            if line in bodies:
                raise ValueError(f"section {line!r} stands twice")
            current = bodies[line] = []
        else:
            current.append(line)
    if tuple(bodies) != SECTIONS:
        raise ValueError("the sections of the documentation are not those of a rule")
    summary = " ".join(line.strip() for line in lead if line.strip())
    if not summary:
        raise ValueError("the documentation has no summary")
    sections = tuple((title, tuple(_blocks(body))) for title, body in bodies.items())
    empty = [title for title, blocks in sections if not blocks]
    if empty:
        raise ValueError(f"section {empty[0]!r} is empty")
    return summary, sections


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    """Paragraphs, items and code of one section."""
    text = textwrap.dedent("\n".join(lines)).strip("\n").splitlines()
    for part in _parts(text):
        if part[0].startswith(_CODE):
            yield Block("code", textwrap.dedent("\n".join(part)))
            continue
        item: list[str] = []
        kind: Literal["paragraph", "item"] = "paragraph"
        for line in part:
            if line.startswith(_ITEM):
                if item:
                    yield Block(kind, " ".join(item))
                kind, item = "item", [line[len(_ITEM) :].strip()]
            else:
                item.append(line.strip())
        yield Block(kind, " ".join(item))


def _parts(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines without a blank one between them; code goes on until a line that is none."""
    part: list[str] = []
    for line in lines:
        code = bool(part) and part[0].startswith(_CODE)
        if not line.strip():
            if code:
                part.append("")
            elif part:
                yield part
                part = []
            continue
        if part and code != line.startswith(_CODE) and (code or part[-1] == ""):
            yield _trimmed(part)
            part = []
        part.append(line)
    if part:
        yield _trimmed(part)


def _trimmed(part: list[str]) -> list[str]:
    while part and not part[-1]:
        part = part[:-1]
    return part
