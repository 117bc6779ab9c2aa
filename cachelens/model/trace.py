"""Trace: one or more captures as columnar tables. The only thing analysis reads.

In: built by `cachelens.ingest`, or read back from a table folder. Out: a `requests` frame (one row
per request, in order of start) and struct-of-arrays tables of segments and contents.

Agents send their whole history with every request, so the rows of a flat segment table grow with
the square of a session. Here segments are a trie: each row is one prompt position that differs
from all before it, and points to the position it follows. A request is then a single row number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cachelens.model.skips import SkipReport

if TYPE_CHECKING:
    import polars as pl

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
UInt8 = npt.NDArray[np.uint8]

#: Version of the table layout, written into every table folder; raised when a column is added or changes meaning.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Contents:
    """Unique segment payloads. Row i is content_id i.

    `tokens[i]` is its length in tokens. Its ids are `ids[offsets[i]:offsets[i + 1]]`; a content
    without ids (an image, a hash block) is atomic: equal to itself and to nothing else, in no part.
    `bytes` is the size of the payload in UTF-8 or binary bytes; `kind` indexes KINDS.
    `framing[i]` of its tokens are the message header (start, role, separator) that precedes the text.
    """

    kind: UInt8
    bytes: Int64
    tokens: Int64
    framing: Int32
    offsets: Int64
    ids: UInt32

    def __len__(self) -> int:
        return len(self.tokens)

    def token_ids(self, content_id: int) -> UInt32:
        """Token ids of one content, empty when it is atomic."""
        return self.ids[self.offsets[content_id] : self.offsets[content_id + 1]]


@dataclass(frozen=True)
class Segments:
    """Distinct prompt positions as a trie. Row i follows row `parent[i]` (-1: starts a prompt).

    Parents precede children. `content` indexes Contents; `kind` KINDS; `role` ROLES; `name`,
    `call_id` and `field` index `strings` (-1: none). `breakpoint_s` is the TTL in seconds of a cache
    breakpoint after this segment (0: none). `message` is the index inside the body's list of
    messages or tools (-1: the body has no list there); `field` is the path below it.
    """

    parent: Int32
    content: Int32
    kind: UInt8
    role: UInt8
    name: Int32
    call_id: Int32
    breakpoint_s: Int32
    message: Int32
    field: Int32
    strings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.parent)

    def rearranged(self, source: Int64, parent: list[int]) -> Segments:
        """Positions made of these: row i is row `source[i]` again, and follows row `parent[i]` of the new ones."""
        return replace(
            self,
            parent=np.array(parent, dtype=np.int32),
            content=self.content[source],
            kind=self.kind[source],
            role=self.role[source],
            name=self.name[source],
            call_id=self.call_id[source],
            breakpoint_s=self.breakpoint_s[source],
            message=self.message[source],
            field=self.field[source],
        )

    def path(self, last: int) -> Int64:
        """Rows from the first segment of a prompt to `last`, both included; empty for -1."""
        rows: list[int] = []
        parent = self.parent
        while last >= 0:
            rows.append(last)
            last = int(parent[last])
        return np.array(rows[::-1], dtype=np.int64)

    def location(self, row: int) -> str:
        """Where the segment stands in the request body, such as `messages[3].content[1].text`.

        `response…` when it was generated and never sent back.
        """
        text = self.strings[self.field[row]] if self.field[row] >= 0 else ""
        if self.message[row] < 0 and "[]" in text:
            return "response" + text.partition("[]")[2]
        return text.replace("[]", f"[{self.message[row]}]", 1)


@dataclass(frozen=True)
class Trace:
    """Captures as tables.

    `requests` has the columns of `cachelens.model.tables.REQUESTS`, sorted by start. `last_segment[i]`
    is the segment row that ends the prompt of request i (-1: empty prompt) and `last_output[i]` the one
    that ends prompt plus generated text (equal to it when the response is unknown or empty).
    `predecessor[i]` is the request whose prompt request i continues (-1: starts a lineage).
    `encoding` names the token encoding, or is `exact` when the capture held token ids, `hashes` when it held
    block hashes; `notes` are
    sentences about the trace as a whole that every report shows.
    """

    requests: pl.DataFrame
    segments: Segments
    contents: Contents
    last_segment: Int64
    last_output: Int64
    predecessor: Int64
    skipped: tuple[SkipReport, ...]
    encoding: str
    render: str
    sources: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.last_segment)

    def prompts(self) -> Iterator[Int64]:
        """Segment rows of each request's prompt, in order of start."""
        for last in self.last_segment:
            yield self.segments.path(int(last))
