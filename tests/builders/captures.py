"""Capture files in every container. In: `Call`s. Out: bytes of a file, or a folder.

All containers of the same calls hold the same exchanges, which is what the tests check.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = Any


@dataclass(frozen=True)
class Call:
    """One call: times in seconds, `response` a JSON body, SSE text, or None where none came."""

    request: Json
    response: Json = None
    start: float = 1_800_000_000.25
    duration: float = 0.5
    url: str = "https://api.example.com/v1/messages"
    method: str = "POST"
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"User-Agent": "example-agent/1.0"})

    @property
    def request_text(self) -> str:
        """The request body on the wire; empty for None."""
        return "" if self.request is None else json.dumps(self.request)

    @property
    def response_text(self) -> str:
        """The response body on the wire; empty for None."""
        if self.response is None:
            return ""
        return self.response if isinstance(self.response, str) else json.dumps(self.response)


def chat(turns: int, answer: str = "ok", stream: bool = False) -> list[Call]:
    """A conversation of `turns` calls, each with the history of those before, started a second apart."""
    history: list[Json] = []
    calls = []
    for turn in range(turns):
        history.append({"role": "user", "content": f'question {turn}: naïve ☕ 😀 "quoted" \\ back'})
        body = {"model": "example-1", "messages": list(history), "stream": stream}
        reply: Json = {
            "id": f"r{turn}",
            "role": "assistant",
            "content": [{"type": "text", "text": f"{answer} {turn}"}],
        }
        response = f"event: message\ndata: {json.dumps(reply)}\n\n" if stream else reply
        calls.append(Call(body, response, start=1_800_000_000.25 + turn))
        history.append({"role": "assistant", "content": f"{answer} {turn}"})
    return calls


def iso(seconds: float) -> str:
    """ISO 8601 with microseconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def jsonl(records: list[Json]) -> bytes:
    """One JSON document a line."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def pairs(calls: list[Call]) -> bytes:
    """Pairs JSONL."""
    return jsonl(
        [
            {
                "timestamp": iso(call.start),
                "method": call.method,
                "url": call.url,
                "status": call.status,
                "duration_s": call.duration,
                "request_headers": call.headers,
                "request": call.request,
                "response": call.response,
            }
            for call in calls
        ]
    )


def claude_trace(calls: list[Call]) -> bytes:
    """JSONL as claude-trace writes it."""
    return jsonl([_claude_trace_line(call) for call in calls])


def _claude_trace_line(call: Call) -> Json:
    response: Json = None
    if call.response is not None:
        where = "body_raw" if isinstance(call.response, str) else "body"
        response = {"timestamp": call.start + call.duration / 2, "status_code": call.status, "headers": {}}
        response[where] = call.response
    return {
        "request": {
            "timestamp": call.start,
            "method": call.method,
            "url": call.url,
            "headers": call.headers,
            "body": call.request,
        },
        "response": response,
        "logged_at": iso(call.start + call.duration),
    }


def har(
    calls: list[Call], creator: str = "example", connect_ms: float = 0.0, indent: int | None = None
) -> bytes:
    """HAR 1.2. With the creator `mitmproxy`, `time` counts `connect_ms` too, as that program does."""
    log = {
        "version": "1.2",
        "creator": {"name": creator, "version": "1"},
        "pages": [],
        "entries": [har_entry(call, connect_ms) for call in calls],
    }
    return json.dumps({"log": log}, indent=indent).encode()


def har_entry(call: Call, connect_ms: float = 0.0) -> Json:
    """One entry of `log.entries`."""
    request: Json = {
        "method": call.method,
        "url": call.url,
        "headers": [{"name": name, "value": value} for name, value in call.headers.items()],
        "bodySize": len(call.request_text),
    }
    if call.request is not None:
        request["postData"] = {"mimeType": "application/json", "text": call.request_text}
    answered = call.response is not None
    content = {"size": len(call.response_text), "mimeType": "application/json; charset=utf-8"}
    return {
        "startedDateTime": iso(call.start),
        "time": call.duration * 1000 + connect_ms,
        "request": request,
        "response": {
            "status": call.status if answered else 0,
            "content": content | ({"text": call.response_text} if answered else {}),
        },
        "timings": {
            "connect": connect_ms or -1,
            "send": 1.0,
            "wait": call.duration * 500,
            "receive": call.duration * 500 - 1.0,
        },
    }


def tnetstring(value: Any) -> bytes:
    """`value` as a tagged netstring; tuples are lists."""
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, int):
        payload, tag = str(value).encode(), b"#"
    elif isinstance(value, float):
        payload, tag = repr(value).encode(), b"^"
    elif isinstance(value, bytes):
        payload, tag = value, b","
    elif isinstance(value, str):
        payload, tag = value.encode(), b";"
    elif isinstance(value, (list, tuple)):
        payload, tag = b"".join(map(tnetstring, value)), b"]"
    else:
        payload = b"".join(tnetstring(key) + tnetstring(item) for key, item in value.items())
        tag = b"}"
    return str(len(payload)).encode() + b":" + payload + tag


def flow(call: Call, version: int = 21, **request: Any) -> dict[str, Any]:
    """The state of a mitmproxy flow; `request` overrides fields of its request."""
    scheme, _, rest = call.url.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.rpartition("@")[2].partition(":")
    headers = [(b"Host", host.encode())]
    headers += [(key.encode(), value.encode()) for key, value in call.headers.items()]
    response = None
    if call.response is not None:
        response = {
            "status_code": call.status,
            "headers": [],
            "content": call.response_text.encode(),
            "timestamp_start": call.start + call.duration / 2,
            "timestamp_end": call.start + call.duration,
        }
    return {
        "version": version,
        "type": "http",
        "id": "flow",
        "error": None,
        "client_conn": {"peername": ("127.0.0.1", 1), "tls": False},
        "metadata": {},
        "websocket": None,
        "request": {
            "method": call.method.encode(),
            "scheme": scheme.encode(),
            "host": name,
            "port": int(port or (443 if scheme == "https" else 80)),
            "authority": b"",
            "path": (slash + path).encode(),
            "http_version": b"HTTP/1.1",
            "headers": headers,
            "content": call.request_text.encode(),
            "timestamp_start": call.start,
            "timestamp_end": call.start + 0.001,
        }
        | request,
        "response": response,
    }


def mitmproxy(calls: list[Call], version: int = 21) -> bytes:
    """A mitmproxy flow dump."""
    return b"".join(tnetstring(flow(call, version)) for call in calls)


def claude_raw(folder: Path, calls: list[Call]) -> None:
    """Claude Code's raw bodies, file times set to those of the calls."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, call in enumerate(calls):
        name = f"{number:08x}-0000-4000-8000-000000000000.request.json"
        _written(folder / name, call.request_text, call.start)
        if call.response is not None:
            response = folder / f"req_{number:03d}.response.json"
            _written(response, call.response_text, call.start + call.duration)


def _written(path: Path, text: str, at: float) -> None:
    path.write_text(text)
    os.utime(path, ns=(round(at * 1e6) * 1000, round(at * 1e6) * 1000))
