"""OpenAI Responses over a websocket, as Codex speaks it. In: messages of one connection. Out: its turns.

The client sends `{"type": "response.create", ...body}`; the server answers with the events that it would
stream over HTTP, the last of them `response.completed`. Each such turn is one API call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.bodies import mend_surrogates, request_body
from cachelens.ingest.formats.times import Time, end_us, start_us

_FINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_ANSWERED = frozenset({"response.completed", "response.incomplete"})


class Message(NamedTuple):
    """One text message. `at` is its time in seconds since the epoch."""

    from_client: bool
    text: bytes
    at: Time


class _Event(msgspec.Struct):
    type: str = ""
    status: int | None = None


@dataclass
class _Turn:
    body: bytes
    at: Time
    events: list[bytes] = field(default_factory=list)
    ended: Time = None
    status: int | None = None


def exchanges(
    messages: Iterable[Message], shape: Exchange, skip: Callable[[RecordError], None]
) -> Iterator[Exchange]:
    """One Exchange for each `response.create`, otherwise like `shape`; `skip` is told what is left out.

    Its response is the server's events as SSE text, cut off where the connection ended before the last
    one. Its status is 200 once answered, the server's for an error that names one, else None.
    """
    for turn in _turns(messages, skip):
        try:
            started = start_us(turn.at)
            duration = None
            if isinstance(turn.at, (int, float)) and isinstance(turn.ended, (int, float)):
                duration = (turn.ended - turn.at) * 1000
            yield Exchange(
                record=shape.record,
                request=request_body("POST", turn.body),
                response=b"".join(b"data: " + event + b"\n\n" for event in turn.events),
                url=shape.url,
                status=turn.status,
                started_us=started,
                ended_us=end_us(started, duration),
                headers=shape.headers,
            )
        except RecordError as error:
            skip(error)


def _turns(messages: Iterable[Message], skip: Callable[[RecordError], None]) -> Iterator[_Turn]:
    turn: _Turn | None = None
    for message in messages:
        text = mend_surrogates(message.text)
        try:
            event = msgspec.json.decode(text, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if message.from_client:
                skip(RecordError("bad-message", "a websocket message from the client that is no JSON object"))
            continue
        if message.from_client:
            if event.type == "response.create":
                if turn is not None:
                    yield turn
                turn = _Turn(_body(text), message.at)
        elif turn is not None:
            turn.events.append(text.replace(b"\r", b" ").replace(b"\n", b" "))
            if event.type in _FINAL:
                turn.ended = message.at
                turn.status = 200 if event.type in _ANSWERED else event.status
                yield turn
                turn = None
    if turn is not None:
        yield turn


def _body(text: bytes) -> bytes:
    """The request body inside a `response.create`: its fields but the type, or its `response` object."""
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    fields.pop("type")
    if "input" not in fields and "response" in fields:
        return bytes(fields["response"])
    return msgspec.json.encode(fields)
