"""mitmproxy flow dumps, format versions 7 to 21 (mitmproxy 5 and later). Out: an Exchange for each call.

Websocket flows are read as well, from version 12 on inside the flow of their handshake, before as flows
of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cachelens.ingest.exchange import Exchange, kept_headers
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import mend_surrogates, request_body
from cachelens.ingest.formats.content_encoding import EncodingError, decoded
from cachelens.ingest.formats.times import end_us, start_us
from cachelens.ingest.formats.tnetstring import Value, dictionaries, dictionary
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.formats.websocket import Message, exchanges
from cachelens.ingest.source import MAX_RECORD_BYTES, STREAM_ERRORS, Source

_VERSIONS = range(7, 22)
_BEGINNING = re.compile(
    rb"\d{1,12}:\d{1,2}:(?:version|type|id|error|client_conn|server_conn|request|response|websocket"
    rb"|metadata|marked|is_replay|intercepted|comment|timestamp_created|backup|mode|messages)[;,]"
)
_WANTED = frozenset({"version", "type", "id", "request", "response", "websocket", "metadata", "messages"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: A flow holds two bodies.
_LARGEST_FLOW = 2 * MAX_RECORD_BYTES
#: Websocket handshakes remembered for the flow of messages that refers to them (versions before 12).
_KEPT_HANDSHAKES = 1024

Fields = dict[str, Value]


class Mitmproxy:
    """mitmproxy flow dump: tagged netstrings, one flow after another."""

    name = "mitmproxy"
    note = ""

    def claim(self, source: Source) -> float:
        """Certain when the first record begins like the dictionary of a flow."""
        return 1.0 if _BEGINNING.match(source.head()) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each flow that holds the JSON body of a POST, and for each websocket turn."""
        reading = _Reading(context)
        try:
            with source.open() as stream:
                for payload in dictionaries(stream, _LARGEST_FLOW):
                    reading.number += 1
                    yield from reading.flow(payload)
        except RecordError as error:
            context.skip(reading.number + 1, error.reason, error.detail)
        except STREAM_ERRORS as error:
            context.skip_rest(reading.number + 1, error)


class _Reading:
    """One pass over one dump. `number` counts flows."""

    def __init__(self, context: ReadContext) -> None:
        self.number = 0
        self._context = context
        self._handshakes: dict[str, Exchange] = {}

    def flow(self, payload: bytes | None) -> Iterator[Exchange]:
        try:
            if payload is None:
                raise RecordError("record-too-large", f"a flow of more than {_LARGEST_FLOW >> 20} MiB")
            yield from self._read(dictionary(payload, _WANTED))
        except RecordError as error:
            self._skip(error)

    def _read(self, flow: Fields) -> Iterator[Exchange]:
        version = flow.get("version")
        if not isinstance(version, int) or version not in _VERSIONS:
            named = f"version {version}" if isinstance(version, int) else "a version before 4"
            detail = f"flow format {named}; {_VERSIONS[0]} to {_VERSIONS[-1]} can be read"
            raise RecordError("unsupported-version", detail)
        kind = _text(flow.get("type"))
        if kind == "websocket":
            shape = self._handshakes.pop(_text(_fields(flow, "metadata").get("websocket_handshake")), None)
            shape = shape or Exchange(record=self.number, request=b"")
            shape.record = self.number
            yield from exchanges(_messages(flow), shape, self._skip)
            return
        if kind != "http" or not isinstance(flow.get("request"), dict):
            raise RecordError("not-http", "a flow of another protocol than HTTP")
        request = _fields(flow, "request")
        shape = self._shape(request)
        if isinstance(flow.get("websocket"), dict):
            yield from exchanges(_messages(_fields(flow, "websocket")), shape, self._skip)
            return
        if "websocket" in _fields(flow, "metadata") and len(self._handshakes) < _KEPT_HANDSHAKES:
            self._handshakes[_text(flow.get("id"))] = shape
        yield self._exchange(flow, request, shape)

    def _shape(self, request: Fields) -> Exchange:
        """What an exchange takes from its request but the body."""
        headers = _headers(request)
        return Exchange(
            record=self.number,
            request=b"",
            url=safe_url(_url(request, headers)),
            headers=kept_headers(headers),
        )

    def _exchange(self, flow: Fields, request: Fields, exchange: Exchange) -> Exchange:
        method = _text(request.get("method"))
        content = request.get("content")
        try:
            body = decoded(content if isinstance(content, bytes) else b"", _encoding(request))
        except EncodingError as error:
            raise RecordError("bad-encoding", f"the request body cannot be read: {error}") from None
        exchange.request = request_body(method, body)
        started = request.get("timestamp_start")
        exchange.started_us = start_us(started if isinstance(started, (int, float)) else None)
        if not isinstance(flow.get("response"), dict):
            return exchange
        response = _fields(flow, "response")
        status = response.get("status_code")
        exchange.status = status if isinstance(status, int) and status else None
        ended = response.get("timestamp_end") or response.get("timestamp_start")
        if isinstance(started, (int, float)) and isinstance(ended, (int, float)):
            exchange.ended_us = end_us(exchange.started_us, (ended - started) * 1000)
        content = response.get("content")
        try:
            body = decoded(content if isinstance(content, bytes) else b"", _encoding(response))
            exchange.response = mend_surrogates(body)
        except EncodingError as error:
            self._context.skip_response(self.number, f"the response cannot be read: {error}")
        return exchange

    def _skip(self, error: RecordError) -> None:
        self._context.skip(self.number, error.reason, error.detail)


def _fields(parent: Fields, name: str) -> Fields:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _headers(message: Fields) -> list[tuple[str, str]]:
    stored = message.get("headers")
    found: list[tuple[str, str]] = []
    for pair in stored if isinstance(stored, list) else ():
        if isinstance(pair, list) and len(pair) == 2:
            found.append((_text(pair[0]), _text(pair[1])))
    return found


def _encoding(message: Fields) -> str:
    return ",".join(value for name, value in _headers(message) if name.lower() == "content-encoding")


def _url(request: Fields, headers: list[tuple[str, str]]) -> str:
    """The URL as the client meant it: in transparent mode `host` is only an address."""
    scheme = _text(request.get("scheme")) or "http"
    port = str(_DEFAULT_PORTS.get(scheme, ""))
    authority = next((value for name, value in headers if name.lower() == "host"), "")
    if _text(request.get("http_version")).startswith(("HTTP/2", "HTTP/3")):
        authority = _text(request.get("authority")) or authority
    if not authority:
        authority = _text(request.get("host"))
        if isinstance(number := request.get("port"), int):
            authority = f"{authority}:{number}"
    if port:
        authority = authority.removesuffix(f":{port}")
    return f"{scheme}://{authority}{_text(request.get('path'))}"


def _messages(websocket: Fields) -> Iterator[Message]:
    """Text messages of a connection: lists of opcode, from client, content, time and flags."""
    stored = websocket.get("messages")
    for message in stored if isinstance(stored, list) else ():
        if not isinstance(message, list) or len(message) < 4 or message[0] != 1:
            continue
        content, at = message[2], message[3]
        text = content if isinstance(content, bytes) else _text(content).encode("utf-8", "replace")
        yield Message(message[1] is True, text, at if isinstance(at, (int, float)) else None)
