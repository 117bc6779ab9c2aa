"""kv-cache-tester sessions, one JSON document a file. Out: a TokenRequest for each request, in order of time.

Hash ids are local to a file, so keys carry the session's id. Requests of sub-agents are nested and their
times count from the start of the sub-agent. Only full blocks are hashed: the tokens after the last one
become a block that equals no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from cachelens.ingest.exchange import Block, TokenRequest
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.json_scan import JsonStream, visible_keys
from cachelens.ingest.formats.times import end_us, start_us
from cachelens.ingest.source import MAX_RECORD_BYTES, STREAM_ERRORS, Source

T = TypeVar("T")

_LARGEST_BLOCK = 1 << 20
_DEPTH = 16


class _Request(msgspec.Struct):
    t: float
    type: str = ""
    model: str | None = None
    input_tokens: int | None = msgspec.field(default=None, name="in")
    output_tokens: int | None = msgspec.field(default=None, name="out")
    hash_ids: list[int | str] | None = None
    api_time: float | None = None
    requests: list[msgspec.Raw] | None = None


class _About(msgspec.Struct):
    block_size: int = 0
    id: str = ""
    hash_id_scope: str = "local"


class _Session:
    """What the requests of a file share. Prompts repeat most of their blocks, so each is made once."""

    def __init__(self, about: _About, source: str) -> None:
        if not 0 < about.block_size <= _LARGEST_BLOCK:
            raise RecordError("bad-shape", "no block_size before the requests")
        self.id = about.id or source
        self.block_size = about.block_size
        self._scope = "" if about.hash_id_scope == "global" else self.id
        self._blocks: dict[int | str, Block] = {}

    def block(self, key: int | str) -> Block:
        found = self._blocks.get(key)
        if found is None:
            found = self._blocks[key] = Block(f"{self._scope}\0{key}".encode(), self.block_size)
        return found


_ABOUT = msgspec.json.Decoder(_About)
_REQUEST = msgspec.json.Decoder(_Request)


class KvCacheTester:
    """kv-cache-tester session: `{"id", "block_size", "hash_id_scope", "requests": [...]}`."""

    name = "kv-cache-tester"
    note = (
        "kv-cache-tester hashes only full blocks: the tokens after the last full block of a prompt "
        "are counted as never shared."
    )

    def claim(self, source: Source) -> float:
        """Sure when a block size stands beside a list of requests or the scope of the hash ids."""
        keys = visible_keys(source.head()).keys()
        return 0.95 if "block_size" in keys and {"hash_id_scope", "requests"} & keys else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[TokenRequest]:
        """A TokenRequest for each request, sub-agents included, sorted by start; `record` is its place."""
        reading = _Reading(source, context)
        found = list(reading.session())
        found.sort(key=lambda request: (request.started_us or 0, request.record))
        yield from found


class _Reading:
    """One pass over one file. `number` counts requests in the order in which they stand there."""

    def __init__(self, source: Source, context: ReadContext) -> None:
        self.number = 0
        self._source = source
        self._context = context

    def session(self) -> Iterator[TokenRequest]:
        try:
            with self._source.open() as stream:
                yield from self._document(JsonStream(stream))
        except STREAM_ERRORS as error:
            self._context.skip_rest(self.number + 1, error)
        except RecordError as error:
            self._context.skip(self.number + 1, error.reason, error.detail)

    def _document(self, stream: JsonStream) -> Iterator[TokenRequest]:
        about: dict[str, msgspec.Raw] = {}
        for key in stream.members():
            if key == "requests" and stream.peek() == b"[":
                session = _Session(_decoded(_ABOUT, msgspec.json.encode(about)), self._context.source)
                for _ in stream.elements():
                    yield from self._request(stream.value(), session, 0.0, 0)
            else:
                about[key] = msgspec.Raw(stream.value() or b"null")
        if stream.peek():
            raise RecordError("bad-json", "something follows the JSON document")

    def _request(
        self, raw: bytes | None, session: _Session, offset_s: float, depth: int
    ) -> Iterator[TokenRequest]:
        self.number += 1
        try:
            if raw is None:
                raise RecordError("record-too-large", f"a request of more than {MAX_RECORD_BYTES >> 20} MiB")
            request = _decoded(_REQUEST, raw)
            if request.requests is None:
                yield _token_request(self.number, request, session, offset_s)
                return
            if depth >= _DEPTH:
                raise RecordError("too-deep", "sub-agents nested too deeply")
        except RecordError as error:
            self._context.skip(self.number, error.reason, error.detail)
            return
        self.number -= 1  # a sub-agent is no request
        for nested in request.requests:
            yield from self._request(bytes(nested), session, offset_s + request.t, depth + 1)


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise RecordError("bad-shape", str(error)) from None
    except msgspec.DecodeError as error:
        raise RecordError("bad-json", str(error)) from None
    except UnicodeDecodeError:
        raise RecordError("bad-utf8", "no valid UTF-8") from None
    except RecursionError:
        raise RecordError("too-deep", "nested too deeply") from None


def _token_request(number: int, request: _Request, session: _Session, offset_s: float) -> TokenRequest:
    tokens, ids, size = request.input_tokens or 0, request.hash_ids or [], session.block_size
    if tokens <= 0:
        raise RecordError("empty-prompt", "a prompt without tokens")
    tail = tokens - len(ids) * size
    if not 0 <= tail < size:
        raise RecordError("block-count", f"`in` does not fit the number of {size}-token blocks")
    if request.output_tokens is not None and request.output_tokens < 0:
        raise RecordError("bad-shape", "a negative number of output tokens")
    prompt = [session.block(key) for key in ids]
    if tail:
        prompt.append(Block(f"{session.id}\0after\0{number}".encode(), tail))
    started = start_us(offset_s + request.t)
    return TokenRequest(
        record=number,
        prompt=prompt,
        output_tokens=request.output_tokens,
        session_key=session.id,
        started_us=started,
        ended_us=end_us(started, None if request.api_time is None else request.api_time * 1000),
        model=request.model or None,
    )
