"""JSONL written by claude-trace, one call a line. Out: an Exchange for each line with a request body.

`response.timestamp` is when the response headers came; `logged_at` when its body had been read, so that
is when the call ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import headers_of, request_body, request_bytes, response_bytes
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.formats.json_scan import visible_keys
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.source import Source


class _Request(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw()
    timestamp: Time = None
    method: str | None = None
    url: str | None = None
    headers: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    timestamp: Time = None
    status_code: int | None = None
    body: msgspec.Raw = msgspec.Raw()
    body_raw: msgspec.Raw = msgspec.Raw()
    events: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    request: _Request
    response: _Response | None = None
    logged_at: Time = None


class _Event(msgspec.Struct):
    data: msgspec.Raw
    event: str = ""


_DECODER = msgspec.json.Decoder(_Line)


class ClaudeTrace:
    """claude-trace JSONL: `{"request": {...}, "response": {...} or null, "logged_at"}`."""

    name = "claude-trace"
    note = (
        "claude-trace leaves out requests of two messages or fewer unless it runs with "
        "--include-all-requests: first turns, titles and other side calls may be missing here."
    )

    def claim(self, source: Source) -> float:
        """Sure when `request` shows the envelope of an HTTP call instead of a body."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each line whose `request.body` is the JSON body of a POST."""
        for number, line, elided in records(source, context, _DECODER):
            try:
                yield _exchange(number, line, elided, context)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    envelope = visible_keys(keys.get("request", b""))
    if "body" in envelope and {"method", "url", "timestamp"} & envelope.keys():
        return 0.97
    return 0.9 if {"method", "url"} <= envelope.keys() else 0.0


def _exchange(number: int, line: _Line, elided: object | None, context: ReadContext) -> Exchange:
    request, response = line.request, line.response
    body, embedded = request_bytes(request.body)
    started = start_us(request.timestamp)
    exchange = Exchange(
        record=number,
        request=request_body(request.method or "POST", body, checked=embedded),
        url=safe_url(request.url or ""),
        started_us=started,
        headers=headers_of(request.headers),
        elided=elided,
    )
    if response is not None:
        exchange.status = response.status_code or None
        exchange.response = _response(number, response, context)
        ended = start_us(line.logged_at if line.logged_at is not None else response.timestamp)
        if started is not None and ended is not None:
            exchange.ended_us = end_us(started, (ended - started) / 1000)
    return exchange


def _response(number: int, response: _Response, context: ReadContext) -> bytes:
    for stored in (response.body, response.body_raw):
        if data := response_bytes(stored, number, context):
            return data
    if bytes(response.events)[:1] != b"[":
        return b""
    try:
        events = msgspec.json.decode(bytes(response.events), type=list[_Event])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        context.skip_response(number, "its events are no list of `event` and `data`")
        return b""
    return b"".join(_sse(event, number, context) for event in events)


def _sse(event: _Event, number: int, context: ReadContext) -> bytes:
    data = response_bytes(event.data, number, context).replace(b"\r", b" ").replace(b"\n", b" ")
    name = b"event: " + event.event.encode() + b"\n" if event.event.isprintable() and event.event else b""
    return name + b"data: " + data + b"\n\n"
