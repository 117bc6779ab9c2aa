"""Small sessions of agents as traces, built step by step. A token is a character, so ranges are easy to read.

In: what system, user, assistant and tools said. Out: a Trace, its Texts, and the rows of what was said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cachelens.attribute.content import ContentFacts, LabelOptions
from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE, LABELS, ROLE_CODE
from cachelens.model.trace import Contents, Segments, Trace

#: Tokens of the frame of a message: enough to be noticed when they are forgotten.
FRAME = 3
_ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "thinking": "assistant",
    "tool_call": "assistant",
    "tool_result": "tool",
    "tools": "system",
    "image": "user",
}


@dataclass
class Session:
    """A trace under construction; `at` is the row that the next segment follows."""

    at: int = -1
    _contents: list[tuple[str, str | None, int]] = field(default_factory=list)
    _rows: list[tuple[int, int, str, int, int, int]] = field(default_factory=list)
    _strings: list[str] = field(default_factory=list)
    _requests: list[tuple[str, int, int]] = field(default_factory=list)
    _calls: int = 0

    def add(
        self,
        kind: str,
        text: str | None,
        name: str | None = None,
        call_id: str | None = None,
        framed: bool = True,
        place: str | None = None,
    ) -> int:
        """A segment after the latest one; the same segment after the same row is the same row."""
        key = kind, text, FRAME if framed else 0
        if key not in self._contents:
            self._contents.append(key)
        numbers = [self._string(value) for value in (name, call_id, place)]
        row = (self.at, self._contents.index(key), kind, *numbers)
        if row not in self._rows:
            self._rows.append(row)
        self.at = self._rows.index(row)
        return self.at

    def system(self, text: str) -> int:
        return self.add("system", text)

    def user(self, text: str) -> int:
        return self.add("user", text)

    def assistant(self, text: str = "Well.") -> int:
        return self.add("assistant", text)

    def call(self, tool: str, call_id: str | None = "new", **arguments: object) -> int:
        """A structured call, with an id of its own unless one is given, or none."""
        self._calls += call_id == "new"
        named = f"call-{self._calls}" if call_id == "new" else call_id
        return self.add("tool_call", f"{tool}\n{json.dumps(arguments)}", tool, named, framed=False)

    def result(self, text: str, call_id: str | None = "latest", name: str | None = None) -> int:
        """What the latest call gave back, unless another is named."""
        named = f"call-{self._calls}" if call_id == "latest" else call_id
        return self.add("tool_result", text, name, named)

    def step(self, tool: str, text: str, say: str = "Next.", **arguments: object) -> int:
        """The assistant says something and calls a tool, which answers `text`. The row of the answer."""
        self.assistant(say)
        self.call(tool, **arguments)
        return self.result(text)

    def request(self, lineage: str = "main", generated: Sequence[str] = ()) -> int:
        """A request with everything up to here as its prompt, and what was generated for it. Its number."""
        here = self.at
        for text in generated:
            self.assistant(text)
        self._requests.append((lineage, here, self.at))
        self.at = here
        return len(self._requests) - 1

    def _string(self, value: str | None) -> int:
        if value is None:
            return -1
        if value not in self._strings:
            self._strings.append(value)
        return self._strings.index(value)

    def trace(self, encoding: str = "characters") -> Trace:
        """The trace; a request is made of the latest position when none was."""
        if not self._requests:
            self.request()
        ids = [
            [0xFFFFFF00 + at for at in range(framing)] + [ord(character) for character in text]
            if text is not None
            else []
            for _, text, framing in self._contents
        ]
        lengths = np.array([len(one) for one in ids], dtype=np.int64)
        atomic = np.array([500 if text is None else 0 for _, text, _ in self._contents], dtype=np.int64)
        contents = Contents(
            kind=np.array([KIND_CODE[kind] for kind, _, _ in self._contents], dtype=np.uint8),
            bytes=lengths,
            tokens=lengths + atomic,
            framing=np.array([framing for _, _, framing in self._contents], dtype=np.int32),
            offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            ids=np.array([token for one in ids for token in one], dtype=np.uint32),
        )
        rows = self._rows
        count = len(rows)
        segments = Segments(
            parent=np.array([row[0] for row in rows], dtype=np.int32),
            content=np.array([row[1] for row in rows], dtype=np.int32),
            kind=np.array([KIND_CODE[row[2]] for row in rows], dtype=np.uint8),
            role=np.array([ROLE_CODE[_ROLES[row[2]]] for row in rows], dtype=np.uint8),
            name=np.array([row[3] for row in rows], dtype=np.int32),
            call_id=np.array([row[4] for row in rows], dtype=np.int32),
            breakpoint_s=np.zeros(count, dtype=np.int32),
            message=np.zeros(count, dtype=np.int32),
            field=np.array([row[5] for row in rows], dtype=np.int32),
            strings=tuple(self._strings),
        )
        return Trace(
            requests=pl.DataFrame({"lineage_id": [request[0] for request in self._requests]}),
            segments=segments,
            contents=contents,
            last_segment=np.array([request[1] for request in self._requests], dtype=np.int64),
            last_output=np.array([request[2] for request in self._requests], dtype=np.int64),
            predecessor=np.full(len(self._requests), -1, dtype=np.int64),
            skipped=(),
            encoding=encoding,
            render="system-first",
            sources=("session",),
        )

    def facts(self, options: LabelOptions | None = None, known: bool = True) -> ContentFacts:
        """What is found in the trace; not `known`: a trace without text."""
        trace = self.trace()
        return ContentFacts(
            trace, Texts(trace.contents, characters if known else None), options or LabelOptions()
        )

    def labels(
        self, *names: str, options: LabelOptions | None = None
    ) -> list[tuple[int, str, str, int, int]]:
        """Facts as (row, label, text of the tokens, since, cause), those of the labels `names`, or all."""
        found = self.facts(options)
        labels, text = found.labels, self._texts()
        return [
            (row, LABELS[code], text[row][lo:hi], since, cause)
            for row, lo, hi, code, since, cause in zip(
                labels.row.tolist(),
                labels.lo.tolist(),
                labels.hi.tolist(),
                labels.label.tolist(),
                labels.since.tolist(),
                labels.cause.tolist(),
                strict=True,
            )
            if not names or LABELS[code] in names
        ]

    def _texts(self) -> list[str]:
        """The text of each row, with its frame as `#`."""
        return ["#" * self._contents[row[1]][2] + (self._contents[row[1]][1] or "") for row in self._rows]


def begun() -> Session:
    """A session with a system prompt and a first question, both too short for any label."""
    session = Session()
    session.system("Be brief.")
    session.user("Go.")
    return session


def characters(ids: Sequence[int]) -> str:
    """The decoder: a token is a character."""
    return "".join(map(chr, ids))


def lines(first: int, last: int, what: str = "line") -> str:
    """Lines of a file, each of a text of its own."""
    return "".join(f"{what} {number} says {number * number + 1000}\n" for number in range(first, last + 1))


def numbered(first: int, last: int, what: str = "line", separator: str = "\t") -> str:
    """The same lines as a tool shows them that numbers lines."""
    texts = lines(first, last, what).splitlines()
    return "\n".join(
        f"{number:6d}{separator}{text}" for number, text in zip(range(first, last + 1), texts, strict=True)
    )
