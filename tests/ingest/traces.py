"""Builds traces from chat bodies, in memory, through the real reader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.finish import Ingested, finish
from cachelens.ingest.reader import Reader
from cachelens.ingest.shorten import Shortener
from cachelens.model.render import Render
from cachelens.model.trace import Trace
from tests.ingest.bytes_tokenizer import BytesTokenizer

TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]


def message(role: str, content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(call_id: str, arguments: str = "{}") -> dict[str, Any]:
    """An assistant message with one tool call."""
    function = {"name": "read", "arguments": arguments}
    return message("assistant", None, tool_calls=[{"id": call_id, "type": "function", "function": function}])


def result(call_id: str, content: str) -> dict[str, Any]:
    return message("tool", content, tool_call_id=call_id)


def body(messages: Sequence[dict[str, Any]], tools: Any = TOOLS, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), "tools": tools, **more}


def reply(answer: dict[str, Any] | None) -> bytes:
    if answer is None:
        return b""
    return json.dumps(
        {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": answer}]}
    ).encode()


def trace_of(
    exchanges: Sequence[tuple[dict[str, Any], dict[str, Any] | None]],
    headers: Sequence[dict[str, str]] = (),
    timed: bool = True,
    render: str | None = None,
    starts: Sequence[int] = (),
) -> Trace:
    """A trace of (request body, reply message) pairs, one second apart."""
    reader, shortener = Reader(BytesTokenizer(), lambda *image: 85, render), Shortener()
    calls = []
    for at, (request, answer) in enumerate(exchanges):
        exchange = Exchange(
            record=at + 1,
            request=json.dumps(request).encode(),
            response=reply(answer),
            url="http://localhost/v1/chat/completions",
            started_us=(starts[at] if starts else at * 1_000_000) if timed else None,
            headers=headers[at] if headers else {},
        )
        calls.append(reader.exchange(exchange, 0, shortener))
    return finish(
        calls, reader.contents, reader.trie, Ingested(("test",), (), "exact", str(Render.parse(render)), ())
    )
