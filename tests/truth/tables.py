"""Traces out of segments, without captures. In: prompts and replies as `Seg`s. Out: a `Trace`, and its texts.

Token ids are small numbers; `word` makes ids that no other word has. Id `SPACE` decodes to white space, so
that two segments which differ in it alone are two spellings of one text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.tables import REQUESTS
from cachelens.model.trace import Contents, Segments, Trace

#: Decodes to a space.
SPACE = 0
#: Tokens of a frame, as in captures.
FRAME = 4
_ROLES = {"tools": "none", "tool_call": "assistant", "tool_result": "tool", "thinking": "assistant"}


class Seg(NamedTuple):
    """One segment: ids of its text, its kind, whether a message starts with it, and whose call it is."""

    ids: tuple[int, ...]
    kind: str = "user"
    framed: bool = False
    call: str | None = None
    name: str | None = None
    mark: int = 0

    @property
    def tokens(self) -> int:
        """Tokens with the frame."""
        return len(self.ids) + FRAME * self.framed

    @property
    def whole(self) -> tuple[int, ...]:
        """All ids, those of the frame included."""
        role = ROLE_CODE[_ROLES.get(self.kind, self.kind)]
        frame = (0xFFFFFF00, 0xFFFFFF10 + role, 0xFFFFFF01, 0xFFFFFF02)
        return frame * self.framed + self.ids


def word(number: int, tokens: int) -> tuple[int, ...]:
    """`tokens` ids that stand in no other word."""
    return tuple(range(1 + 1000 * number, 1 + 1000 * number + tokens))


@dataclass(frozen=True)
class Ask:
    """One request; `before`: number of the one it continues, -1 for none."""

    prompt: Sequence[Seg]
    reply: Sequence[Seg] = ()
    before: int = -1
    start: float = 0.0
    namespace: str = ""
    lineage: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


def table(asks: Sequence[Ask]) -> Trace:
    """The trace of `asks`, in this order, ten seconds apart unless they say otherwise."""
    contents: dict[tuple[str, bool, tuple[int, ...]], int] = {}
    rows: dict[tuple[int, Seg], int] = {}
    depths: dict[int, int] = {-1: 0}
    places: dict[int, int] = {-1: -1}

    def follow(row: int, segs: Iterable[Seg]) -> int:
        for seg in segs:
            contents.setdefault((seg.kind, seg.framed, seg.ids), len(contents))
            below = rows.setdefault((row, seg), len(rows))
            depths[below] = depths[row] + seg.tokens
            places[below] = places[row] + 1
            row = below
        return row

    lasts = [follow(-1, ask.prompt) for ask in asks]
    outputs = [follow(last, ask.reply) for last, ask in zip(lasts, asks, strict=True)]
    segs = [seg for _, seg in rows]
    strings = tuple(dict.fromkeys(["messages[].content", *_strings(segs)]))
    number = {text: at for at, text in enumerate(strings)}
    segments = Segments(
        parent=np.array([above for above, _ in rows], dtype=np.int32),
        content=np.array([contents[seg.kind, seg.framed, seg.ids] for seg in segs], dtype=np.int32),
        kind=np.array([KIND_CODE[seg.kind] for seg in segs], dtype=np.uint8),
        role=np.array([ROLE_CODE[_ROLES.get(seg.kind, seg.kind)] for seg in segs], dtype=np.uint8),
        name=np.array([-1 if seg.name is None else number[seg.name] for seg in segs], dtype=np.int32),
        call_id=np.array([-1 if seg.call is None else number[seg.call] for seg in segs], dtype=np.int32),
        breakpoint_s=np.array([seg.mark for seg in segs], dtype=np.int32),
        message=np.array([places[row] for row in range(len(rows))], dtype=np.int32),
        field=np.zeros(len(rows), dtype=np.int32),
        strings=strings,
    )
    return Trace(
        requests=_frame(asks, [depths[row] for row in lasts], [depths[row] for row in outputs]),
        segments=segments,
        contents=_contents(list(contents)),
        last_segment=np.array(lasts, dtype=np.int64),
        last_output=np.array(outputs, dtype=np.int64),
        predecessor=np.array([ask.before for ask in asks], dtype=np.int64),
        skipped=(),
        encoding="exact",
        render="default",
        sources=("table",),
    )


def _strings(segs: Sequence[Seg]) -> list[str]:
    return [text for seg in segs for text in (seg.name, seg.call) if text is not None]


def _contents(keys: Sequence[tuple[str, bool, tuple[int, ...]]]) -> Contents:
    whole = [Seg(ids, kind, framed).whole for kind, framed, ids in keys]
    lengths = np.array([len(ids) for ids in whole], dtype=np.int64)
    return Contents(
        kind=np.array([KIND_CODE[kind] for kind, _, _ in keys], dtype=np.uint8),
        bytes=lengths * 4,
        tokens=lengths,
        framing=np.array([FRAME * framed for _, framed, _ in keys], dtype=np.int32),
        offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        ids=np.array([token for ids in whole for token in ids], dtype=np.uint32),
    )


def _frame(asks: Sequence[Ask], prompts: Sequence[int], ends: Sequence[int]) -> pl.DataFrame:
    lineages: list[str] = []
    for number, ask in enumerate(asks):
        lineages.append(ask.lineage or (lineages[ask.before] if ask.before >= 0 else f"l{number}"))
    start = [int((1_700_000_000 + ask.start + 10 * number) * 1e6) for number, ask in enumerate(asks)]
    columns: dict[str, list[Any]] = {name: [None] * len(asks) for name in REQUESTS}
    columns |= {
        "request_id": [f"r{number}" for number in range(len(asks))],
        "session_id": ["s1"] * len(asks),
        "lineage_id": lineages,
        "previous_request_id": [f"r{ask.before}" if ask.before >= 0 else None for ask in asks],
        "seq": list(range(len(asks))),
        "started_at": start,
        "first_token_at": [at + 1_000_000 for at in start],
        "ended_at": [at + 2_000_000 for at in start],
        "namespace": [ask.namespace for ask in asks],
        "dialect": ["chat"] * len(asks),
        "model": ["example-1"] * len(asks),
        "auto_breakpoint_ttl_s": [0] * len(asks),
        "source_file": ["table"] * len(asks),
        "source_record": list(range(len(asks))),
        "prompt_tokens": list(prompts),
        "output_tokens": [end - prompt for prompt, end in zip(prompts, ends, strict=True)],
    }
    for number, ask in enumerate(asks):
        for name, value in ask.more.items():
            columns[name][number] = value
    return pl.DataFrame(columns, schema=REQUESTS, strict=False)


def texts_of(trace: Trace) -> Texts:
    """Texts of a table: one word per id, white space for `SPACE`."""
    return Texts(
        trace.contents, lambda ids: "".join(" " if number == SPACE else f"<{number}>" for number in ids)
    )


def prompt_ids(trace: Trace, request: int, reply: bool = False) -> list[int]:
    """Token ids of a prompt (with the reply to it), one after the other."""
    last = trace.last_output if reply else trace.last_segment
    path = trace.segments.path(int(last[request]))
    return [
        int(token)
        for content in trace.segments.content[path]
        for token in trace.contents.token_ids(int(content))
    ]
