"""Records what SDK clients say. In: calls that pass a transport of httpx or httpx2. Out: pairs JSONL.

A `Recording` is one file; its transports stand between a client and the transport that does the work. Responses
reach the caller chunk by chunk as they come; a call is written, as one line, when its response has been read to the
end or closed. POST requests with a JSON object are recorded, all others only counted.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from cachelens.errors import UsageError
from cachelens.ingest.exchange import kept_headers
from cachelens.ingest.formats.content_encoding import EncodingError, decoded
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.source import MAX_RECORD_BYTES
from cachelens.testing.secrets import keys_of, without_credentials, without_keys
from cachelens.testing.tee import library_of, listened

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RAW = msgspec.json.Decoder(msgspec.Raw)
#: Types of a response that is text.
_TEXTS = ("json", "text/", "event-stream", "xml")
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Recording:
    """A file that calls are appended to, from any thread, one write a line. It is made with the first call.

    Passes for the path of its file, so that `cachelens.load` and the assertions take it as it is. Times are
    those of the clock, in whole milliseconds as captures have them; a call that began after another had ended is
    never written as if it began before (it starts up to a millisecond later instead).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        #: Requests that passed and are no POST of a JSON object.
        self.left_out = 0
        self._lock = threading.Lock()
        self._open: dict[int, _Call] = {}
        self._ended_ms = 0

    def transport(self, inner: Any = None) -> Any:
        """A transport for a `Client` of httpx or httpx2. `inner` does the work; None: a `HTTPTransport`."""
        return RecordingTransport(self, inner)

    def async_transport(self, inner: Any = None) -> Any:
        """A transport for an `AsyncClient`. `inner` does the work; None: an `AsyncHTTPTransport`."""
        return AsyncRecordingTransport(self, inner)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies recorded so far, in the order in which their calls ended."""
        if not self.path.exists():
            return []
        return [msgspec.json.decode(line)["request"] for line in self.path.read_bytes().splitlines()]

    def __fspath__(self) -> str:
        if not self.path.exists():
            raise UsageError(
                f"nothing was recorded in {self.path.name}",
                "the client must be made with the transport, and the response read or closed",
            )
        return os.fspath(self.path)

    def close(self) -> None:
        """Write the calls whose responses were neither read to their end nor closed, as far as they came."""
        with self._lock:
            left = list(self._open.values())
        for call in left:
            call.end(closed_early=True)

    # -- calls

    def begin(self, request: Any, body: bytes | None) -> _Call | None:
        """Start a call; None for one that is not recorded (`body` None, or no JSON object)."""
        line = None if body is None else _one_line(body)
        if line is None or line[:1] != b"{":
            with self._lock:
                self.left_out += 1
            return None
        headers = list(request.headers.multi_items())
        url = str(request.url)
        with self._lock:
            started_ms = max(time.time_ns() // 1_000_000, self._ended_ms)
            call = _Call(
                recording=self,
                request=without_credentials(line),
                url=safe_url(url),
                headers=kept_headers(headers),
                keys=keys_of(url, headers),
                started_ms=started_ms,
            )
            self._open[id(call)] = call
        return call

    def write(self, call: _Call, record: dict[str, Any], tenths: int) -> None:
        """Append a call that took `tenths` of a millisecond."""
        line = without_keys(msgspec.json.encode(record), call.keys) + b"\n"
        with self._lock:
            del self._open[id(call)]
            self._ended_ms = max(self._ended_ms, call.started_ms + -(-tenths // 10))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                rest = memoryview(line)
                while rest:
                    rest = rest[file.write(rest) :]


@dataclass(eq=False)
class _Call:
    """One call under way; listens to its response."""

    recording: Recording
    request: bytes
    url: str
    headers: dict[str, str]
    keys: tuple[bytes, ...]
    started_ms: int
    status: int | None = None
    encoding: str = ""
    is_text: bool = True
    _began_ns: int = field(default_factory=time.perf_counter_ns)
    _chunks: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _ended: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, response: Any, library: ModuleType) -> None:
        """The head of the response is there; hear the rest of it."""
        self.status = response.status_code
        kind = response.headers.get("content-type", "")
        self.is_text = not kind or any(text in kind.lower() for text in _TEXTS)
        if response.is_closed:  # made in memory and read already: no bytes will pass
            self.chunk(response.content)
            self.end()
        else:
            self.encoding = response.headers.get("content-encoding", "")
            listened(response, library, self)

    def chunk(self, data: bytes) -> None:
        """Keep a piece of the response, as long as it stays within what a record may hold."""
        self._bytes += len(data)
        if self._bytes <= MAX_RECORD_BYTES:
            self._chunks.append(data)
        else:
            self._chunks.clear()

    def end(self, error: BaseException | None = None, closed_early: bool = False) -> None:
        """Write the call. Only the first end counts."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        tenths = round((time.perf_counter_ns() - self._began_ns) / 100_000)
        response, unread = self._response()
        record = {
            "timestamp": (_EPOCH + timedelta(milliseconds=self.started_ms)).isoformat(
                timespec="milliseconds"
            ),
            "method": "POST",
            "url": self.url,
            "status": self.status,
            "duration_ms": tenths / 10,
            "request_headers": self.headers,
            "request": msgspec.Raw(self.request),
            "response": response,
        }
        if unread:
            record["response_left_out"] = unread
        if error is not None:
            record["error"] = type(error).__name__
        elif closed_early:
            record["closed_early"] = True
        self.recording.write(self, record, tenths)

    def _response(self) -> tuple[msgspec.Raw | str | None, str]:
        """JSON as it is, other text as text; None, and why, for what is neither."""
        if not self._bytes:
            return None, ""
        if self._bytes > MAX_RECORD_BYTES:
            return None, f"more than {MAX_RECORD_BYTES >> 20} MiB"
        if not self.is_text:
            return None, "no text"
        try:
            body = decoded(b"".join(self._chunks), self.encoding)
        except EncodingError as error:
            return None, str(error)
        line = _one_line(body)
        return (body.decode("utf-8", "replace"), "") if line is None else (msgspec.Raw(line), "")


class RecordingTransport:
    """Records the calls of a `Client`. `recording` may be a path; transports of one file share a `Recording`."""

    def __init__(self, recording: Recording | str | os.PathLike[str], inner: Any = None) -> None:
        self.recording = recording if isinstance(recording, Recording) else Recording(recording)
        self._inner = inner
        self._lock = threading.Lock()

    def handle_request(self, request: Any) -> Any:
        """Send a request on, and record it with its response or with the error that came instead."""
        library = library_of(request)
        with self._lock:
            if self._inner is None:
                self._inner = library.HTTPTransport()
        call = self.recording.begin(request, request.read() if _is_json(request) else None)
        with _failing(call):
            response = self._inner.handle_request(request)
        if call is not None:
            call.answered(response, library)
        return response

    def close(self) -> None:
        """Close the transport that does the work."""
        if self._inner is not None:
            self._inner.close()

    def __enter__(self) -> RecordingTransport:
        if self._inner is not None:
            self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


class AsyncRecordingTransport:
    """Records the calls of an `AsyncClient`; otherwise as `RecordingTransport`."""

    def __init__(self, recording: Recording | str | os.PathLike[str], inner: Any = None) -> None:
        self.recording = recording if isinstance(recording, Recording) else Recording(recording)
        self._inner = inner

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request on, and record it with its response or with the error that came instead."""
        library = library_of(request)
        if self._inner is None:
            self._inner = library.AsyncHTTPTransport()
        call = self.recording.begin(request, await request.aread() if _is_json(request) else None)
        with _failing(call):
            response = await self._inner.handle_async_request(request)
        if call is not None:
            call.answered(response, library)
        return response

    async def aclose(self) -> None:
        """Close the transport that does the work."""
        if self._inner is not None:
            await self._inner.aclose()

    async def __aenter__(self) -> AsyncRecordingTransport:
        if self._inner is not None:
            await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.aclose()


@contextmanager
def _failing(call: _Call | None) -> Iterator[None]:
    """Write the call when there is an error instead of a response; the error goes on to the caller."""
    try:
        yield
    except BaseException as error:
        if call is not None:
            call.end(error)
        raise


def _is_json(request: Any) -> bool:
    """Whether the body may be JSON, so that it is worth reading: an upload is not."""
    return (
        request.method == "POST" and "json" in request.headers.get("content-type", "application/json").lower()
    )


def _one_line(body: bytes) -> bytes | None:
    """Valid JSON on one line, otherwise byte for byte as it is; None for what is no JSON."""
    try:
        _RAW.decode(body)
        if not body.isascii():
            body.decode()
        return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body.strip()
    except _DECODE_ERRORS:
        return None
