"""Mooncake hash traces. In: a trace. Out: JSON Lines of times, lengths and chained block ids.

Source: the trace files published with Mooncake (kvcache-ai, FAST'25): blocks of 512 tokens, times in milliseconds, the
last block of a prompt hashed although it may not be full.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.export.base import ExportOptions, File
from cachelens.export.blocks import Blocks
from cachelens.export.prompts import prompt_ids
from cachelens.model.trace import Trace

#: Tokens of a block in the published traces.
BLOCK_TOKENS = 512


class Mooncake:
    """`{"timestamp" (ms), "input_length", "output_length", "hash_ids"}`, in order of start."""

    name = "mooncake"
    several = False
    hashed = True
    lost = ("sessions, models and texts are left out; replies are lengths only",)

    def files(self, trace: Trace, options: ExportOptions) -> Iterator[File]:
        """One file. Requests without tokens are left out, which no reader takes."""
        yield File("", self._lines(trace, options))

    def _lines(self, trace: Trace, options: ExportOptions) -> Iterator[bytes]:
        blocks = Blocks(options.block_tokens or BLOCK_TOKENS, options.salt)
        frame = trace.requests
        first = frame["started_at"].to_physical().min()
        starts = frame["started_at"].to_physical().to_list()
        for at, (namespace, prompt, output) in enumerate(
            frame.select("namespace", "prompt_tokens", "output_tokens").iter_rows()
        ):
            if not prompt:
                continue
            line: dict[str, object] = {}
            if starts[at] is not None:
                line["timestamp"] = (starts[at] - first) // 1000
            line["input_length"] = prompt
            line["output_length"] = output or 0
            line["hash_ids"] = blocks.of(prompt_ids(trace, at), namespace or "", partial=True)
            yield msgspec.json.encode(line) + b"\n"
