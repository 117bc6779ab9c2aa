"""Puts prompts together, as rows of the segment trie.

In: a body's tools and system prompt, its messages as element numbers, and how prompts are rendered. Out: a
`Prompt`, whose rows are those of a prompt that began the same wherever the rendering is the same as well, so
that the cost follows what changed and not what was sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_128_digest

from cachelens.ingest.dialects.base import Body, Dialect, Part
from cachelens.ingest.elements import SYSTEM_HEAD_CHARS, Elements, decoded
from cachelens.model.render import Render

#: Parts and the index of each in its list.
_Group = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Prompt:
    """A prompt put together, as remembered for those after it.

    `items`: its messages by element number, of which the first `leading` are its leading system prompt. `head`:
    what stands before the others. `rows[i]`: the row after message `leading + i`, `last_row` the last of all. `turns`,
    `systems`: where in `items` turns of the user and system messages stand. `first_image`: where the first
    pictures do (-1: nowhere).
    """

    dialect: str
    items: list[int]
    head: tuple[_Group, ...] = ()
    leading: int = 0
    rows: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    systems: list[int] = field(default_factory=list)
    first_image: int = -1
    last_row: int = -1

    @property
    def last_turn(self) -> int:
        """Where the last turn of the user stands, -1 when there is none."""
        return self.turns[-1] if self.turns else -1


@dataclass
class Prompts:
    """Puts prompts together out of interned elements."""

    elements: Elements
    render: Render
    _groups: dict[tuple[str, str, bytes], tuple[_Group, str]] = field(default_factory=dict)

    def assemble(
        self, dialect: Dialect, body: Body, items: list[int], known: Prompt | None, shared: int
    ) -> tuple[Prompt, str]:
        """The prompt of `items`, and how its system prompt begins.

        `known` is a prompt whose first `shared` items are those of this one.
        """
        prompt = self._found(Prompt(dialect.name, items), known, shared)
        elements, systems, last_turn = self.elements, prompt.systems, prompt.last_turn
        hoisted = self.render.system == "system-hoisted"
        leading = prompt.leading = self._leading(prompt)
        first = systems[: bisect_left(systems, leading)]
        prompt.head, text = self._head(dialect, body, items, systems if hoisted else first)
        row = self._head_row(prompt.head)
        rows = prompt.rows
        if known is not None and known.head == prompt.head and known.leading == leading < shared:
            rows.extend(known.rows[: self._same(known, prompt, shared) - leading])
            row = rows[-1] if rows else row
        follow = self.elements.trie.follow
        for index in range(leading + len(rows), len(items)):
            element = elements[items[index]]
            if not (hoisted and element.system):
                row = follow(row, element.closed if index < last_turn else element.open, index)
            rows.append(row)
        prompt.last_row = row
        if not text:
            text = next((elements[items[index]].text for index in first), "")
        return prompt, text

    def _leading(self, prompt: Prompt) -> int:
        """How many messages the leading system prompt takes; those that render nothing are not in its way."""
        leading = 0
        for index, item in enumerate(prompt.items):
            element = self.elements[item]
            if element.system:
                leading = index + 1
            elif element.closed if index < prompt.last_turn else element.open:
                break
        return leading

    def _found(self, prompt: Prompt, known: Prompt | None, shared: int) -> Prompt:
        """`prompt` with the places of turns, system messages and pictures in it."""
        if known is None:
            shared = 0
        else:
            prompt.turns = known.turns[: bisect_left(known.turns, shared)]
            prompt.systems = known.systems[: bisect_left(known.systems, shared)]
            prompt.first_image = known.first_image if known.first_image < shared else -1
        for index in range(shared, len(prompt.items)):
            element = self.elements[prompt.items[index]]
            if element.turn:
                prompt.turns.append(index)
            if element.system:
                prompt.systems.append(index)
            if element.images and prompt.first_image < 0:
                prompt.first_image = index
        return prompt

    def _same(self, known: Prompt, prompt: Prompt, shared: int) -> int:
        """How many of the `shared` items render in `prompt` as they did in `known`.

        Those between the two last turns of the user have lost their thinking, or have it again.
        """
        if self.render.thinking != "thinking-last-turn":
            return shared
        low, high = sorted((known.last_turn, prompt.last_turn))
        for index in range(max(low, prompt.leading), min(high, shared)):
            element = self.elements[prompt.items[index]]
            if element.open is not element.closed:
                return index
        return shared

    def _head(
        self, dialect: Dialect, body: Body, items: list[int], in_front: Sequence[int]
    ) -> tuple[tuple[_Group, ...], str]:
        """What precedes the messages, in prompt order; `in_front`: the messages among it."""
        tools, _ = self._group(dialect, "tools", bytes(body.tools) or bytes(body.functions), body)
        raw = b"\0".join(
            bytes(part)
            for part in (body.system, body.instructions, body.systemInstruction, body.system_instruction)
        )
        system, text = self._group(dialect, "system", raw, body)
        messages = tuple((part, index) for index in in_front for part in self.elements[items[index]].open)
        if (self.render.order or dialect.render) == "tools-first":
            return (tools, system, messages), text
        return (system, messages, tools), text

    def _head_row(self, head: tuple[_Group, ...]) -> int:
        row = -1
        for group in head:
            for part, index in group:
                row = self.elements.trie.follow(row, (part,), index)
        return row

    def _group(self, dialect: Dialect, what: str, raw: bytes, body: Body) -> tuple[_Group, str]:
        """Tools or top-level system prompt as (part, index) pairs, and their text; remembered by raw bytes."""
        key = (dialect.name, what, xxh3_128_digest(raw))
        found = self._groups.get(key)
        if found is None:
            if not raw.strip(b"\0") or raw == b"null":
                parts: list[Part] = []
            else:
                parts = decoded(lambda: dialect.tools(raw) if what == "tools" else dialect.system(body))
            pairs = tuple((self.elements.part(part), index) for index, part in enumerate(parts))
            text = next((part.text for part in parts), "") if what == "system" else ""
            found = self._groups[key] = (pairs, text[:SYSTEM_HEAD_CHARS])
        return found
