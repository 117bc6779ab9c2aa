"""Token traces. In: a trace. Out: JSON Lines that the format `tokens` reads."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.export.base import ExportOptions, File
from cachelens.export.prompts import output_ids, prompt_ids
from cachelens.model.trace import Trace


class Tokens:
    """`{"request_id", "session_id", "timestamp", "tokens": [...], "output_tokens": [...]}`, in order of start."""

    name = "tokens"
    several = False
    hashed = False
    lost = (
        "kinds, names and messages are left out: no finding can be made of it",
        "token ids are text to whoever has the vocabulary",
    )

    def files(self, trace: Trace, options: ExportOptions) -> Iterator[File]:
        """One file; `options` change nothing."""
        yield File("", token_lines(trace))


def token_lines(trace: Trace) -> Iterator[bytes]:
    """A trace as token ids, one request a line.

    Contents without ids (pictures) become as many tokens of an id of their own above every vocabulary.
    """
    columns = (
        "request_id", "session_id", "namespace", "model", "priority", "started_at", "ended_at", "output_tokens",
    )  # fmt: skip
    for at, (name, session, namespace, model, priority, start, end, output) in enumerate(
        trace.requests.select(columns).iter_rows()
    ):
        line: dict[str, object] = {
            "request_id": name,
            "session_id": session,
            "namespace": namespace,
            "model": model,
            "priority": priority or None,
            "timestamp": None if start is None else start.timestamp(),
            "duration_s": None if start is None or end is None else (end - start).total_seconds(),
            "tokens": prompt_ids(trace, at).tolist(),
            "output_tokens": output_ids(trace, at).tolist() or output,
        }
        yield msgspec.json.encode({key: value for key, value in line.items() if value is not None}) + b"\n"
