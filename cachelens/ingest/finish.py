"""From interned calls to a `Trace`: order, lineages, numbers that do not depend on the container.

In: the calls of all sources and the tables they were interned in. Out: a `Trace`. Rows and contents are
renumbered by first use in order of start, so that the same exchanges give the same tables whether they
came as HAR, JSONL or flow dump, and in whatever order they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cachelens.ingest.intern import Contents, SegmentTrie
from cachelens.ingest.lineage import Lineages, find_lineages
from cachelens.ingest.reader import Call
from cachelens.model import trace as model
from cachelens.model.render import Render
from cachelens.model.skips import SkipReport
from cachelens.model.tables import REQUESTS


@dataclass(frozen=True)
class Ingested:
    """What the notes and names of a trace are made of, beside its calls."""

    sources: tuple[str, ...]
    skipped: tuple[SkipReport, ...]
    encoding: str
    render: str
    notes: tuple[str, ...]


def in_order_of_start(calls: list[Call]) -> list[Call]:
    """Calls sorted by start; those without a time keep their place after the call they follow in the file."""
    keys, last, last_source = [], -(2**63), -1
    for at, call in enumerate(calls):
        if call.source != last_source:
            last, last_source = -(2**63), call.source
        if call.started_us is not None:
            last = call.started_us
        keys.append((last, at))
    if any(call.started_us is None for call in calls) and len({call.source for call in calls}) > 1:
        # Some times are unknown: sources cannot be interleaved, so they follow each other as given.
        keys = [(call.source, *key) for call, key in zip(calls, keys, strict=True)]  # type: ignore[misc]
    return [calls[at] for *_, at in sorted(keys)]


def finish(calls: list[Call], contents: Contents, trie: SegmentTrie, facts: Ingested) -> model.Trace:
    """Build the trace. `calls` in the order of reading."""
    tokens, offsets, ids = contents.encode()
    ordered = in_order_of_start(calls)
    stripped = Render.parse(facts.render).thinking != "thinking-kept"
    lineages = find_lineages(ordered, contents, trie, tokens.tolist(), without_thinking=stripped)
    rows = _rows_by_use(ordered, trie)
    new_row = np.full(len(trie.parent) + 1, -1, dtype=np.int64)
    new_row[rows] = np.arange(len(rows))
    part = np.frombuffer(trie.part, dtype=np.int64)[rows] if len(rows) else np.zeros(0, np.int64)
    table = np.array(trie.parts, dtype=np.int64).reshape(-1, 7)[part]
    content_order = _first_use(table[:, 0])
    new_content = np.zeros(len(contents), dtype=np.int64)
    new_content[content_order] = np.arange(len(content_order))
    segments = _segments(trie, rows, new_row, table, new_content)
    lasts = np.array([call.last_row for call in ordered], dtype=np.int64)
    outputs = np.array([call.output_row for call in ordered], dtype=np.int64)
    trace_contents = _contents(contents, content_order, tokens, offsets, ids)
    row_tokens = trace_contents.tokens[segments.content] if len(rows) else np.zeros(0, np.int64)
    depth = row_depths(segments.parent, row_tokens)
    last_segment, last_output = new_row[lasts], new_row[outputs]
    prompt_tokens = np.where(last_segment >= 0, depth[last_segment], 0)
    output_tokens = np.where(last_output >= 0, depth[last_output], 0) - prompt_tokens
    frame = _requests(ordered, lineages, facts, prompt_tokens.tolist(), output_tokens.tolist())
    return model.Trace(
        requests=frame,
        segments=segments,
        contents=trace_contents,
        last_segment=last_segment,
        last_output=last_output,
        predecessor=np.array(lineages.predecessor, dtype=np.int64),
        skipped=facts.skipped,
        encoding=_encoding(ordered, facts.encoding),
        render=facts.render,
        sources=facts.sources,
        notes=(*facts.notes, *_notes(ordered)),
    )


def _encoding(calls: Sequence[Call], encoding: str) -> str:
    """The encoding of the texts; `exact` or `hashes` where there are none, only token ids or block hashes."""
    dialects = {call.dialect for call in calls}
    return {frozenset({"hashes"}): "hashes", frozenset({"tokens"}): "exact"}.get(
        frozenset(dialects), "exact" if dialects == {"tokens", "hashes"} else encoding
    )


def row_depths(parent: model.Int32, row_tokens: model.Int64) -> model.Int64:
    """Tokens from the start of the prompt to the end of each row; one more entry, 0, so that [-1] is 0."""
    depth = [0] * (len(parent) + 1)
    for row, (before, tokens) in enumerate(zip(parent.tolist(), row_tokens.tolist(), strict=True)):
        depth[row] = depth[before] + tokens
    return np.array(depth, dtype=np.int64)


def _rows_by_use(calls: Sequence[Call], trie: SegmentTrie) -> model.Int64:
    """Old row numbers in order of first use by a prompt or reply."""
    seen = bytearray(len(trie.parent))
    parent = trie.parent
    order: list[int] = []
    for call in calls:
        for row in (call.last_row, call.output_row):
            fresh = []
            while row >= 0 and not seen[row]:
                seen[row] = 1
                fresh.append(row)
                row = parent[row]
            order.extend(reversed(fresh))
    return np.array(order, dtype=np.int64)


def _first_use(numbers: model.Int64) -> model.Int64:
    """Distinct numbers in order of first occurrence."""
    distinct, first = np.unique(numbers, return_index=True)
    return distinct[np.argsort(first, kind="stable")]


def _segments(
    trie: SegmentTrie, rows: model.Int64, new_row: model.Int64, table: model.Int64, new_content: model.Int64
) -> model.Segments:
    parent = np.frombuffer(trie.parent, dtype=np.int64)[rows] if len(rows) else np.zeros(0, np.int64)
    message = np.frombuffer(trie.message, dtype=np.int64)[rows] if len(rows) else np.zeros(0, np.int64)
    used = table[:, [3, 4, 6]].ravel()
    order = _first_use(used[used >= 0])
    new_string = np.full(len(trie.strings) + 1, -1, dtype=np.int64)
    new_string[order] = np.arange(len(order))
    return model.Segments(
        parent=new_row[parent].astype(np.int32),
        content=new_content[table[:, 0]].astype(np.int32) if len(rows) else np.zeros(0, np.int32),
        kind=table[:, 1].astype(np.uint8),
        role=table[:, 2].astype(np.uint8),
        name=new_string[table[:, 3]].astype(np.int32),
        call_id=new_string[table[:, 4]].astype(np.int32),
        breakpoint_s=table[:, 5].astype(np.int32),
        message=message.astype(np.int32),
        field=new_string[table[:, 6]].astype(np.int32),
        strings=tuple(trie.strings[number] for number in order.tolist()),
    )


def _contents(
    contents: Contents, order: model.Int64, tokens: model.Int64, offsets: model.Int64, ids: model.UInt32
) -> model.Contents:
    """Contents in a new order; those that no row uses are left out."""
    if np.array_equal(order, np.arange(len(contents))):
        return _contents_as_they_are(contents, tokens, offsets, ids)
    lengths = np.diff(offsets)[order]
    starts = np.zeros(len(order) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    source = np.repeat(offsets[order] - starts[:-1], lengths) + np.arange(int(starts[-1]))
    return model.Contents(
        kind=np.frombuffer(contents.kind, dtype=np.uint8)[order],
        bytes=np.frombuffer(contents.bytes, dtype=np.int64)[order],
        tokens=tokens[order],
        framing=np.frombuffer(contents.framing, dtype=np.int64)[order].astype(np.int32),
        offsets=starts,
        ids=ids[source],
    )


def _contents_as_they_are(
    contents: Contents, tokens: model.Int64, offsets: model.Int64, ids: model.UInt32
) -> model.Contents:
    """Contents that were first seen in order of first use already: nothing is copied."""
    framing = np.frombuffer(contents.framing, dtype=np.int64).astype(np.int32)
    return model.Contents(
        kind=np.frombuffer(contents.kind, dtype=np.uint8),
        bytes=np.frombuffer(contents.bytes, dtype=np.int64),
        tokens=tokens,
        framing=framing,
        offsets=offsets,
        ids=ids,
    )


def _requests(
    calls: Sequence[Call],
    lineages: Lineages,
    facts: Ingested,
    prompt_tokens: list[int],
    output_tokens: list[int],
) -> pl.DataFrame:
    ids = _request_ids(calls)
    usage = [call.usage for call in calls]
    harness: dict[int, str] = {}
    for call, session in zip(calls, lineages.session, strict=True):
        if call.harness:
            harness.setdefault(session, call.harness)

    def reported(name: str) -> list[int | None]:
        return [getattr(one, name) if one is not None else None for one in usage]

    columns = {
        "request_id": ids,
        "session_id": [f"s{number + 1}" for number in lineages.session],
        "lineage_id": [f"l{number + 1}" for number in lineages.lineage],
        "previous_request_id": [ids[before] if before >= 0 else None for before in lineages.predecessor],
        "parent_request_id": [ids[parent] if parent >= 0 else None for parent in lineages.parent],
        "seq": list(range(len(calls))),
        "started_at": [call.started_us for call in calls],
        "first_token_at": [call.first_token_us for call in calls],
        "ended_at": [call.ended_us for call in calls],
        "namespace": [call.namespace for call in calls],
        # Side calls (titles, summaries) do not say who made them; their session does.
        "harness": [
            call.harness or harness.get(session)
            for call, session in zip(calls, lineages.session, strict=True)
        ],
        "provider": [call.provider for call in calls],
        "model": [call.model for call in calls],
        "dialect": [call.dialect for call in calls],
        "status": [call.status for call in calls],
        "stream": [call.stream for call in calls],
        "auto_breakpoint_ttl_s": [call.auto_breakpoint_s for call in calls],
        "priority": [call.settings.priority for call in calls],
        "invalidates_system": [call.settings.invalidates_system for call in calls],
        "invalidates_messages": [call.settings.invalidates_messages for call in calls],
        "routing_key": [call.settings.routing_key for call in calls],
        "cache_retention_s": [call.settings.cache_retention_s for call in calls],
        "cache_mode": [call.settings.cache_mode for call in calls],
        "source_file": [facts.sources[call.source] for call in calls],
        "source_record": [call.record for call in calls],
        "prompt_tokens": prompt_tokens,
        "output_tokens": [
            tokens if call.output_tokens is None else call.output_tokens
            for call, tokens in zip(calls, output_tokens, strict=True)
        ],
        "reported_prompt_tokens": reported("prompt"),
        "reported_uncached_tokens": reported("uncached"),
        "reported_cache_read_tokens": reported("cache_read"),
        "reported_cache_write_5m_tokens": reported("cache_write_5m"),
        "reported_cache_write_1h_tokens": reported("cache_write_1h"),
        "reported_output_tokens": reported("output"),
        "reported_miss_reason": [one.miss_reason if one is not None else None for one in usage],
        "partial": [call.partial for call in calls],
    }
    return pl.DataFrame(columns, schema=REQUESTS, strict=False)


def _request_ids(calls: Sequence[Call]) -> list[str]:
    """The capture's own ids, or r1, r2, … in order of start; one given twice gets `#2`, `#3`, …"""
    ids: list[str] = []
    taken: set[str] = set()
    for number, call in enumerate(calls, 1):
        name = wanted = call.request_id or f"r{number}"
        copy = 1
        while name in taken:
            copy += 1
            name = f"{wanted}#{copy}"
        taken.add(name)
        ids.append(name)
    return ids


def _notes(calls: Sequence[Call]) -> tuple[str, ...]:
    notes = []
    timed = sum(call.started_us is not None for call in calls)
    if calls and timed == 0:
        notes.append("no times in the trace: requests are in file order, expiry is not applicable")
    elif timed < len(calls):
        notes.append(
            f"{len(calls) - timed} of {len(calls)} requests have no time: they keep their place in the file"
        )
    if any(call.dialect == "hashes" for call in calls):
        notes.append(
            "hash traces hold no text: breaks are not applicable, what no prefix serves counts as fresh"
        )
    first: dict[tuple[int, int], int] = {}
    twice = sum(
        first.setdefault((call.started_us, call.last_row), call.source) != call.source
        for call in calls
        if call.started_us is not None
    )
    if twice:
        notes.append(
            f"{twice} requests stand in more than one input, with equal start and prompt: counted each time"
        )
    partial = sum(call.partial is not None for call in calls)
    if partial:
        notes.append(f"{partial} of {len(calls)} requests are known only in part (column `partial`)")
    return tuple(notes)
