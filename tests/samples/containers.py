"""Files that captures come in. In: Captured calls. Out: the bytes of one file.

No header that could hold a credential is ever written.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.samples.agent import Turn, ident
from tests.samples.provider import Usage
from tests.samples.wire import Json, compact

AGENT = "brindle/0.3.1"


@dataclass(frozen=True)
class Captured:
    """One call on the wire: `response` is a JSON body, or the text of an event stream."""

    key: str
    url: str
    request: Json
    response: Json | str
    started_ms: int
    ended_ms: int
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"), ("user-agent", AGENT))

    @property
    def response_text(self) -> str:
        """The response body as sent."""
        return self.response if isinstance(self.response, str) else compact(self.response)

    @property
    def response_type(self) -> str:
        """The response's content type."""
        return "text/event-stream" if isinstance(self.response, str) else "application/json"


def captured(
    turns: Sequence[Turn], usages: Iterable[Usage], wire: ModuleType, stream: bool
) -> list[Captured]:
    """`turns` spelled by a module of `tests.samples.wire`, in their order."""
    return [
        Captured(
            key=turn.key,
            url=wire.URL,
            request=wire.body(turn, stream),
            response=wire.reply_sse(turn, usage) if stream else wire.reply_json(turn, usage),
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
        )
        for turn, usage in zip(turns, usages, strict=True)
    ]


def iso(ms: int) -> str:
    """Milliseconds since the epoch in ISO 8601, UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}+00:00"


def _jsonl(records: Iterable[Any]) -> bytes:
    return "".join(compact(record) + "\n" for record in records).encode()


def pairs(calls: Iterable[Captured]) -> bytes:
    """JSONL, one request and response a line."""
    return _jsonl(
        {
            "timestamp": iso(call.started_ms),
            "method": "POST",
            "url": call.url,
            "status": 200,
            "duration_s": (call.ended_ms - call.started_ms) / 1000,
            "request": call.request,
            "response": call.response,
        }
        for call in calls
    )


def bare(calls: Iterable[Captured]) -> bytes:
    """JSONL of request bodies, with the time of each."""
    return _jsonl({"timestamp": iso(call.started_ms), **call.request} for call in calls)


def claude_trace(calls: Iterable[Captured]) -> bytes:
    """JSONL as claude-trace writes it."""
    return _jsonl(
        {
            "request": {
                "timestamp": call.started_ms / 1000,
                "method": "POST",
                "url": call.url,
                "headers": dict(call.headers),
                "body": call.request,
            },
            "response": {
                "timestamp": call.ended_ms / 1000,
                "status_code": 200,
                "headers": {"content-type": call.response_type},
                "body_raw" if isinstance(call.response, str) else "body": call.response,
            },
            "logged_at": iso(call.ended_ms + 2),
        }
        for call in calls
    )


def _pairs_of(headers: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in headers]


def _har_entry(call: Captured, encoded: bool) -> Json:
    text, request = call.response_text, compact(call.request)
    content: Json = {"size": len(text.encode()), "mimeType": call.response_type}
    if encoded:
        content |= {"text": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    else:
        content["text"] = text
    duration = call.ended_ms - call.started_ms
    return {
        "startedDateTime": iso(call.started_ms),
        "time": duration,
        "request": {
            "method": "POST",
            "url": call.url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs_of(call.headers),
            "queryString": _pairs_of(parse_qsl(urlsplit(call.url).query)),
            "headersSize": -1,
            "bodySize": len(request.encode()),
            "postData": {"mimeType": "application/json", "text": request},
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs_of([("content-type", call.response_type)]),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": content["size"],
        },
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 1, "wait": duration - 3, "receive": 2},
    }


def har(calls: Iterable[Captured], encode_every: int = 0) -> bytes:
    """An HTTP archive; every `encode_every`-th response is held in base64 (0: none)."""
    entries = [
        _har_entry(call, bool(encode_every) and number % encode_every == 0)
        for number, call in enumerate(calls, 1)
    ]
    creator = {"name": AGENT.split("/")[0], "version": AGENT.split("/")[1]}
    # One entry a line: still valid, and a diff of two versions can be read.
    lines = ",\n".join(compact(entry) for entry in entries)
    return f'{{"log":{{"version":"1.2","creator":{compact(creator)},"entries":[\n{lines}\n]}}}}\n'.encode()


def tnetstring(value: Any) -> bytes:
    """`value` as mitmproxy's tnetstring; bytes and str are different types in it."""
    if value is None:
        return b"0:~"
    if isinstance(value, dict):
        data, mark = b"".join(tnetstring(k) + tnetstring(v) for k, v in value.items()), b"}"
    elif isinstance(value, list | tuple):
        data, mark = b"".join(map(tnetstring, value)), b"]"
    elif isinstance(value, bytes):
        data, mark = value, b","
    elif isinstance(value, str):
        data, mark = value.encode(), b";"
    elif isinstance(value, bool):
        data, mark = (b"true" if value else b"false"), b"!"
    elif isinstance(value, int):
        data, mark = str(value).encode(), b"#"
    elif isinstance(value, float):
        data, mark = repr(value).encode(), b"^"
    else:
        raise TypeError(f"no tnetstring for {type(value).__name__}")
    return str(len(data)).encode() + b":" + data + mark


def _connection(key: str, side: str, when: float, **more: Any) -> Json:
    return {
        "id": _uuid(key, side),
        "address": None,
        "alpn": None,
        "alpn_offers": [],
        "certificate_list": [],
        "cipher": None,
        "cipher_list": [],
        "error": None,
        "peername": ["127.0.0.1", 443],
        "sni": None,
        "sockname": ["127.0.0.1", 8080],
        "timestamp_end": None,
        "timestamp_start": when,
        "timestamp_tls_setup": None,
        "tls": False,
        "tls_version": None,
        "transport_protocol": "tcp",
        **more,
    }


def _uuid(*parts: str) -> str:
    text = ident("", *parts) + ident("", *parts, "tail")
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"


def _flow(call: Captured) -> Json:
    url = urlsplit(call.url)
    started, ended = call.started_ms / 1000, call.ended_ms / 1000
    path = url.path + (f"?{url.query}" if url.query else "")
    body, answer = compact(call.request).encode(), call.response_text.encode()
    client = _connection(call.key, "client", started, mitmcert=None, proxy_mode="regular")
    server = _connection(call.key, "server", started, timestamp_tcp_setup=started, via=None)
    server["address"] = [url.hostname, url.port or 443]
    del client["address"]
    return {
        "version": 21,
        "type": "http",
        "id": _uuid(call.key, "flow"),
        "error": None,
        "intercepted": False,
        "is_replay": None,
        "marked": "",
        "metadata": {},
        "comment": "",
        "timestamp_created": started,
        "backup": None,
        "websocket": None,
        "client_conn": client,
        "server_conn": server,
        "request": {
            "http_version": b"HTTP/1.1",
            "headers": [[name.encode(), value.encode()] for name, value in call.headers],
            "content": body,
            "trailers": None,
            "timestamp_start": started,
            "timestamp_end": started + 0.001,
            "host": url.hostname,
            "port": url.port or 443,
            "method": b"POST",
            "scheme": url.scheme.encode(),
            "authority": b"",
            "path": path.encode(),
        },
        "response": {
            "http_version": b"HTTP/1.1",
            "headers": [[b"content-type", call.response_type.encode()]],
            "content": answer,
            "trailers": None,
            "timestamp_start": ended - 0.002,
            "timestamp_end": ended,
            "status_code": 200,
            "reason": b"OK",
        },
    }


def mitmproxy(calls: Iterable[Captured]) -> bytes:
    """A mitmproxy flow dump (version 21), flows in the order in which they ended."""
    return b"".join(tnetstring(_flow(call)) for call in by_end(calls))


def by_end(calls: Iterable[Captured]) -> Iterator[Captured]:
    """`calls` in the order in which a proxy would log them."""
    yield from sorted(calls, key=lambda call: (call.ended_ms, call.started_ms))


def token_trace(requests: Iterable[Json]) -> bytes:
    """JSONL of requests given as token ids."""
    return _jsonl(requests)
