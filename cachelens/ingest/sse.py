"""Server-sent events. In: the bytes of a `text/event-stream` body. Out: its events, in order.

Follows the WHATWG rules for lines, fields and comments, with one departure: an event that the body
ends in, without the blank line that would close it, is given as well, because captures often trim
the end. Whether its data is whole is for the reader of the data to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name (empty: `message`) and its data, lines joined by a line feed."""

    name: str
    data: bytes


def events(body: bytes) -> Iterator[Event]:
    """The events of `body` that have data. Never raises: any bytes are a stream of zero or more events."""
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in body.split(b"\n\n"):
        if not block:
            continue
        name, separator, rest = block.partition(b"\ndata: ")
        if b"\n" not in rest and separator and name.startswith(b"event: ") and b"\n" not in name:
            yield Event(name[7:].decode(errors="replace"), rest)  # as Anthropic and OpenAI Responses write it
        elif block.startswith(b"data: ") and b"\n" not in block:  # as nearly all others do
            yield Event("", block[6:])
        elif (event := _event(block)) is not None:
            yield event


def _event(block: bytes) -> Event | None:
    """The event that lines without a blank one between them make; None when they have no data."""
    name, data = b"", list[bytes]()
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(name.decode(errors="replace"), b"\n".join(data)) if data else None
