"""Requests to provider APIs in a few words, and the tables of docs/engines that are written like that.

A prompt is blocks `name:tokens` with spaces between; `*` after a block is a marker of 5 minutes, `**` of an
hour, `^` OpenAI's of 30 minutes; `=> answer:30` is what was generated. Blocks named `tool…` are tool
definitions, `system…` the system prompt, `thought…` thinking, all others user text. Equal names hold the
same tokens from the start; `name[500]:300` are tokens 500 to 800 of it. `name:20+` belongs to the block before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.tables import REQUESTS
from cachelens.model.trace import Contents, Segments, Trace
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload, workload

PAGES = Path(__file__).parents[2] / "docs" / "engines"
MARKS = {"": 0, "*": 300, "**": 3600, "^": 1800}
_BLOCK = re.compile(r"([a-zA-Z]+\d*)(?:\[(\d+)\])?:(\d+)(\+?)(\*{0,2}|\^)")
_ROLES = {"tool": ("tools", "system"), "system": ("system", "system"), "thought": ("thinking", "assistant")}


@dataclass(frozen=True)
class Ask:
    """One request; times in seconds. The response begins `first` and ends `end` seconds after the start.

    `start` None: no times at all; `first`, `end` None: not known. `more`: further columns of its row.
    """

    prompt: str
    start: float | None = None
    first: float | None = 1
    end: float | None = 2
    model: str | None = "claude-sonnet-4-5"
    namespace: str | None = None
    auto_s: int = 0
    more: tuple[tuple[str, Any], ...] = ()


class _Block(NamedTuple):
    ids: tuple[int, ...]
    kind: str
    role: str
    mark: int
    field: str


def _blocks(text: str, names: dict[str, int]) -> list[_Block]:
    found: list[_Block] = []
    number = 0
    for word in text.split():
        match = _BLOCK.fullmatch(word)
        assert match, word
        name, skip, tokens, joined, mark = match.groups()
        base = names.setdefault(name, len(names)) * 100_000 + int(skip or 0)
        stem = re.sub(r"\d+$", "", name).removesuffix("s")
        kind, role = _ROLES.get(stem, ("user", "user"))
        number += not joined
        field = "tools[]" if kind == "tools" else f"messages[].content[{number}].content[{len(found)}].text"
        found.append(_Block(tuple(range(base, base + int(tokens))), kind, role, MARKS[mark], field))
    return found


def scene(asks: Sequence[Ask]) -> Workload:
    """The workload of `asks`, in this order."""
    names: dict[str, int] = {}
    contents: dict[tuple[int, ...], int] = {}
    fields: dict[str, int] = {}
    rows: dict[tuple[int, _Block], int] = {}

    def follow(row: int, blocks: Sequence[_Block]) -> int:
        for block in blocks:
            contents.setdefault(block.ids, len(contents))
            fields.setdefault(block.field, len(fields))
            row = rows.setdefault((row, block), len(rows))
        return row

    prompts, outputs, tokens, generated = [], [], [], []
    for ask in asks:
        prompt, _, output = ask.prompt.partition("=>")
        prompts.append(follow(-1, _blocks(prompt, names)))
        outputs.append(follow(prompts[-1], _blocks(output, names)))
        tokens.append(sum(len(block.ids) for block in _blocks(prompt, names)))
        generated.append(sum(len(block.ids) for block in _blocks(output, names)))
    none = np.full(len(rows), -1, dtype=np.int32)
    blocks = [block for _, block in rows]
    segments = Segments(
        parent=np.array([parent for parent, _ in rows], dtype=np.int32),
        content=np.array([contents[block.ids] for block in blocks], dtype=np.int32),
        kind=np.array([KIND_CODE[block.kind] for block in blocks], dtype=np.uint8),
        role=np.array([ROLE_CODE[block.role] for block in blocks], dtype=np.uint8),
        name=none,
        call_id=none,
        breakpoint_s=np.array([block.mark for block in blocks], dtype=np.int32),
        message=np.zeros(len(rows), dtype=np.int32),
        field=np.array([fields[block.field] for block in blocks], dtype=np.int32),
        strings=tuple(fields),
    )
    trace = Trace(
        requests=_frame(asks, tokens, generated),
        segments=segments,
        contents=_contents(list(contents)),
        last_segment=np.array(prompts, dtype=np.int64),
        last_output=np.array(outputs, dtype=np.int64),
        predecessor=np.full(len(asks), -1, dtype=np.int64),
        skipped=(),
        encoding="exact",
        render="default",
        sources=("scene",),
    )
    return workload(trace)


def _contents(payloads: Sequence[tuple[int, ...]]) -> Contents:
    count = len(payloads)
    return Contents(
        kind=np.zeros(count, dtype=np.uint8),
        bytes=np.zeros(count, dtype=np.int64),
        tokens=np.array([len(ids) for ids in payloads], dtype=np.int64),
        framing=np.zeros(count, dtype=np.int32),
        offsets=np.cumsum([0, *(len(ids) for ids in payloads)]).astype(np.int64),
        ids=np.array([token for ids in payloads for token in ids], dtype=np.uint32),
    )


def _frame(asks: Sequence[Ask], tokens: Sequence[int], generated: Sequence[int]) -> pl.DataFrame:
    def moment(ask: Ask, after: float | None) -> int | None:
        known = ask.start is not None and after is not None
        return int((1_700_000_000 + ask.start + after) * 1_000_000) if known else None  # type: ignore[operator]

    columns: dict[str, list[Any]] = {name: [None] * len(asks) for name in REQUESTS}
    columns |= {
        "request_id": [f"r{number}" for number in range(len(asks))],
        "seq": list(range(len(asks))),
        "started_at": [moment(ask, 0) for ask in asks],
        "first_token_at": [moment(ask, ask.first) for ask in asks],
        "ended_at": [moment(ask, ask.end) for ask in asks],
        "namespace": [ask.namespace or ask.model or "" for ask in asks],
        "model": [ask.model for ask in asks],
        "auto_breakpoint_ttl_s": [ask.auto_s for ask in asks],
        "prompt_tokens": list(tokens),
        "output_tokens": list(generated),
    }
    frame = pl.DataFrame(columns, schema=REQUESTS, strict=False)
    extra = dict.fromkeys(name for ask in asks for name, _ in ask.more)
    return frame.with_columns([pl.Series(name, [dict(ask.more).get(name) for ask in asks]) for name in extra])


def play(engine: str, asks: Sequence[Ask], **options: object) -> Replay:
    """The replay of `asks`, with the engine's own options."""
    kind: type[Engine] = ENGINES.load(engine)
    setup = Setup(options={name: str(value) for name, value in options.items()})
    return kind(scene(asks), setup).replay()


def timed(*prompts: tuple[float, str], **more: Any) -> list[Ask]:
    """Requests of (start in seconds, prompt)."""
    return [Ask(prompt, start, **more) for start, prompt in prompts]


def check_page(engine: str) -> int:
    """Replay every worked example of the engine's page and compare its figures; how many there were.

    An example is a table behind `<!-- example model=NAME option=value … -->` with the columns time, prompt,
    read, and where the API has them written and written for an hour; further columns are words.
    """
    text = (PAGES / f"{engine}.md").read_text(encoding="utf-8")
    examples = re.findall(r"<!-- example ([^>]*?) -->\n((?:\|.*\n)+)", text)
    for head, table in examples:
        given = dict(pair.split("=") for pair in head.split())
        model = given.pop("model")
        lines = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table.splitlines()]
        names, cells = lines[0], lines[2:]
        asks = [Ask(line[1].strip("`"), _seconds(line[0]), model=model) for line in cells]
        replay = play(engine, asks, **given)
        for name, figures in (
            ("read", replay.hit),
            ("written", replay.written_5m),
            ("written for 1 h", replay.written_1h),
        ):
            if name in names:
                assert figures is not None, name
                shown = [int(line[names.index(name)].replace(",", "")) for line in cells]
                assert shown == figures.tolist(), (engine, name)
    return len(examples)


def _seconds(text: str) -> float:
    minutes, seconds = text.split(":")
    return int(minutes) * 60 + int(seconds)
