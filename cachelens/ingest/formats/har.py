"""HTTP archives (HAR 1.2). In: one JSON document of any size. Out: an Exchange for each entry.

Entries are found one at a time in a bounded buffer, so a capture of many gigabytes takes the memory of
its largest entry.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import headers_of, mend_surrogates, request_body
from cachelens.ingest.formats.json_scan import JsonStream, visible_keys
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.formats.websocket import Message, exchanges
from cachelens.ingest.source import MAX_RECORD_BYTES, STREAM_ERRORS, Source


class _Content(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    mime: str | None = msgspec.field(default=None, name="mimeType")


class _Request(msgspec.Struct):
    method: str = "POST"
    url: str = ""
    headers: msgspec.Raw = msgspec.Raw()
    body: _Content | None = msgspec.field(default=None, name="postData")


class _Response(msgspec.Struct):
    status: int | None = None
    content: _Content | None = None


class _Timings(msgspec.Struct):
    send: float | None = None
    wait: float | None = None
    receive: float | None = None


class _Message(msgspec.Struct):
    type: str = ""
    time: float | None = None
    opcode: int = 1
    data: str = ""


class _Entry(msgspec.Struct):
    request: _Request
    started: Time = msgspec.field(default=None, name="startedDateTime")
    time: float | None = None
    response: _Response | None = None
    timings: _Timings | None = None
    messages: list[_Message] | None = msgspec.field(default=None, name="_webSocketMessages")


class _Creator(msgspec.Struct):
    name: str = ""


_DECODER = msgspec.json.Decoder(_Entry)


class Har:
    """HTTP archive: `log.entries[]` of requests with `postData.text` and responses with `content.text`."""

    name = "har"
    note = ""

    def claim(self, source: Source) -> float:
        """Certain when `log` holds `entries` or names a version and creator."""
        log = visible_keys(source.head()).get("log", b"")
        keys = visible_keys(log)
        if "entries" in keys and keys["entries"].startswith(b"["):
            return 1.0
        return 0.9 if {"version", "creator"} & keys.keys() else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each entry that holds the JSON body of a POST, and for each websocket turn."""
        reading = _Reading(context)
        try:
            with source.open() as stream:
                yield from reading.document(JsonStream(stream))
        except RecordError as error:
            context.skip(reading.number + 1, error.reason, error.detail)
        except STREAM_ERRORS as error:
            context.skip_rest(reading.number + 1, error)


class _Reading:
    """One pass over one archive. `number` counts entries."""

    def __init__(self, context: ReadContext) -> None:
        self.number = 0
        self._context = context
        self._by_mitmproxy = False

    def document(self, stream: JsonStream) -> Iterator[Exchange]:
        for key in stream.members():
            if key == "log" and stream.peek() == b"{":
                yield from self._log(stream)
            else:
                stream.value()
        if stream.peek():
            raise RecordError("bad-json", "something follows the JSON document")

    def _log(self, stream: JsonStream) -> Iterator[Exchange]:
        for key in stream.members():
            if key == "entries" and stream.peek() == b"[":
                for _ in stream.elements():
                    raw = stream.value()
                    self.number += 1
                    if raw is None:
                        detail = f"an entry of more than {MAX_RECORD_BYTES >> 20} MiB"
                        self._context.skip(self.number, "record-too-large", detail)
                    else:
                        yield from self._entry(raw)
            elif key == "creator":
                self._by_mitmproxy = _made_by_mitmproxy(stream.value() or b"")
            else:
                stream.value()

    def _entry(self, raw: bytes) -> Iterator[Exchange]:
        try:
            entry = _decoded(raw)
            if entry.messages:
                yield from exchanges(
                    _messages(entry.messages), self._shape(entry), lambda error: self._skip(error)
                )
            else:
                yield self._exchange(entry)
        except RecordError as error:
            self._skip(error)

    def _exchange(self, entry: _Entry) -> Exchange:
        body = entry.request.body
        text = b"" if body is None else self._content(body)
        if text is None:
            raise RecordError("bad-encoding", "the request body is no valid base64")
        exchange = self._shape(entry)
        exchange.request = request_body(entry.request.method, text)
        exchange.started_us = start_us(entry.started)
        response = entry.response
        if response is not None and response.status:
            exchange.status = response.status
            exchange.ended_us = end_us(exchange.started_us, self._duration_ms(entry))
            if response.content is not None:
                content = self._content(response.content)
                if content is None:
                    self._context.skip_response(self.number, "the response is no valid base64")
                exchange.response = mend_surrogates(content or b"")
        return exchange

    def _shape(self, entry: _Entry) -> Exchange:
        return Exchange(
            record=self.number,
            request=b"",
            url=safe_url(entry.request.url),
            headers=headers_of(entry.request.headers),
        )

    def _duration_ms(self, entry: _Entry) -> float | None:
        """`time`; but mitmproxy counts connecting in it, which went before its `startedDateTime`."""
        if not self._by_mitmproxy or entry.timings is None:
            return entry.time
        parts = (entry.timings.send, entry.timings.wait, entry.timings.receive)
        return sum(max(0.0, part or 0.0) for part in parts)

    def _content(self, content: _Content) -> bytes | None:
        """The bytes of a body; None when its base64 is broken."""
        text = content.text or ""
        if content.encoding == "base64":
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                return None
        if self._by_mitmproxy and not text.isascii() and not _names_charset(content.mime or ""):
            return _as_utf8(text)
        return text.encode()

    def _skip(self, error: RecordError) -> None:
        self._context.skip(self.number, error.reason, error.detail)


def _decoded(raw: bytes) -> _Entry:
    try:
        if not raw.isascii():
            raw.decode()
        try:
            return _DECODER.decode(raw)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return _DECODER.decode(mend_surrogates(raw))
    except UnicodeDecodeError:
        raise RecordError("bad-utf8", "no valid UTF-8") from None
    except msgspec.ValidationError as error:
        raise RecordError("bad-shape", str(error)) from None
    except msgspec.DecodeError as error:
        raise RecordError("bad-json", str(error)) from None
    except RecursionError:
        raise RecordError("too-deep", "nested too deeply") from None


def _messages(stored: list[_Message]) -> Iterator[Message]:
    for message in stored:
        if message.opcode == 1:
            yield Message(message.type == "send", message.data.encode(), message.time)


def _made_by_mitmproxy(creator: bytes) -> bool:
    try:
        return msgspec.json.decode(creator, type=_Creator).name.lower().startswith("mitmproxy")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _names_charset(mime: str) -> bool:
    return "charset=" in mime.lower() or "json" in mime.lower()


def _as_utf8(text: str) -> bytes:
    """UTF-8 of a text that mitmproxy took for Latin-1, as it does with event streams that name no charset."""
    try:
        data = text.encode("latin-1")
        data.decode()
    except UnicodeError:
        return text.encode()
    return data
