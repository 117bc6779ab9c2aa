"""kv-cache-tester sessions. In: a trace. Out: a JSON document for each session, with ids of full blocks.

Source: the traces published with kv-cache-tester: blocks of 64 tokens, only full ones hashed, ids local to a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from cachelens.export.base import ExportOptions, File
from cachelens.export.blocks import Blocks
from cachelens.export.prompts import prompt_ids
from cachelens.model.trace import Trace

#: Tokens of a block in the published traces.
BLOCK_TOKENS = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


class KvCacheTester:
    """`{"id", "models", "block_size", "hash_id_scope", "requests": [...]}`, times in seconds."""

    name = "kv-cache-tester"
    several = True
    hashed = True
    lost = (
        "the tokens after the last full block of a prompt are lengths only",
        "sessions share nothing unless a salt makes ids global",
    )

    def files(self, trace: Trace, options: ExportOptions) -> Iterator[File]:
        """A file for each session, named after it. With a salt ids are global, else local to the file."""
        frame = trace.requests
        members: dict[str, list[int]] = {}
        for at, session in enumerate(frame["session_id"].to_list()):
            members.setdefault(session, []).append(at)
        for number, (session, own) in enumerate(members.items(), start=1):
            plain = _UNSAFE.sub("-", session)[:_LONGEST_NAME].strip(".-") or "session"
            yield File(f"{number:04d}-{plain}.json", iter([_document(trace, session, own, options)]))


def _document(trace: Trace, session: str, members: list[int], options: ExportOptions) -> bytes:
    size = options.block_tokens or BLOCK_TOKENS
    blocks = Blocks(size, options.salt)
    frame = trace.requests[members]
    starts = frame["started_at"].to_physical().to_list()
    ends = frame["ended_at"].to_physical().to_list()
    first = min((start for start in starts if start is not None), default=0)
    requests = []
    columns = frame.select("namespace", "model", "prompt_tokens", "output_tokens", "stream")
    for at, (namespace, model, prompt, output, stream) in enumerate(columns.iter_rows()):
        if not prompt:
            continue
        row: dict[str, object] = {
            # Without times: one a second, so that their order is kept.
            "t": float(at) if starts[at] is None else (starts[at] - first) / 1e6,
            "type": "s" if stream else "n",
            "model": model or "",
            "in": prompt,
            "out": output or 0,
            "hash_ids": blocks.of(prompt_ids(trace, members[at]), namespace or "", partial=False),
        }
        if starts[at] is not None and ends[at] is not None:
            row["api_time"] = (ends[at] - starts[at]) / 1e6
        requests.append(row)
    document = {
        "id": session,
        "models": sorted({str(row["model"]) for row in requests} - {""}),
        "block_size": size,
        "hash_id_scope": "local" if options.salt is None else "global",
        "requests": requests,
    }
    return msgspec.json.encode(document) + b"\n"
