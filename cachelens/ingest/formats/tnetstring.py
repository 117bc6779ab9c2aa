"""Tagged netstrings, the records of mitmproxy dumps. In: bytes. Out: plain Python values.

A value is `length:payload` and a tag: `,` bytes, `;` text, `#` integer, `^` float, `!` boolean, `~` null,
`]` list, `}` dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import BinaryIO

from cachelens.ingest.formats.base import RecordError

#: Digits a length may have; 12 of them would be a terabyte.
_LENGTH_DIGITS = 12
_DEPTH = 64
_PASS_OVER = 1 << 20
_INTEGER = re.compile(rb"[+-]?\d{1,20}")
_FLOAT = re.compile(rb"[+-]?(?:\d{1,20}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,4})?|nan|[+-]?inf")

Value = None | bool | int | float | str | bytes | list["Value"] | dict[str, "Value"]


def dictionaries(stream: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """The payload of each dictionary in the stream; None for one of more than `limit` bytes.

    Raises RecordError `truncated-flow` where the last one is cut off, `bad-flow` where no record begins.
    """
    while (length := _length(stream)) is not None:
        payload: bytes | None = None
        if length > limit:
            left = length
            while left and (skipped := stream.read(min(left, _PASS_OVER))):
                left -= len(skipped)
            if left:
                raise RecordError("truncated-flow", "the file ends inside a flow")
        else:
            payload = stream.read(length)
            if len(payload) < length:
                raise RecordError("truncated-flow", "the file ends inside a flow")
        tag = stream.read(1)
        if not tag:
            raise RecordError("truncated-flow", "the file ends inside a flow")
        if tag != b"}":
            raise RecordError("bad-flow", "not a flow; what follows is lost")
        yield payload


def _length(stream: BinaryIO) -> int | None:
    """The length that begins a record; None at the end of the stream."""
    digits = b""
    while (byte := stream.read(1)).isdigit() and len(digits) < _LENGTH_DIGITS:
        digits += byte
    if not byte and not digits:
        return None
    if not byte:
        raise RecordError("truncated-flow", "the file ends inside a flow")
    if byte != b":" or not digits:
        raise RecordError("bad-flow", "not a flow; what follows is lost")
    return int(digits)


def dictionary(payload: bytes, wanted: Container[str]) -> dict[str, Value]:
    """The `wanted` entries of a dictionary's payload; keys are text whichever way they were written.

    The others are passed over by their length. Raises RecordError for what is no dictionary.
    """
    entries: dict[str, Value] = {}
    start, stop = 0, len(payload)
    while start < stop:
        name, start = _key(payload, start, stop, 1)
        begin, end, tag = _span(payload, start, stop)
        if name in wanted:
            entries[name] = _parsed(payload, begin, end, tag, 1)
        start = end + 1
    return entries


def _span(data: bytes, start: int, end: int) -> tuple[int, int, str]:
    """Where the payload of the value at `start` begins and ends, and its tag; all must lie before `end`."""
    colon = data.find(b":", start, min(end, start + _LENGTH_DIGITS + 1))
    digits = data[start:colon] if colon > start else b""
    if not digits.isdigit():
        raise RecordError("bad-flow", "a length is missing")
    begin = colon + 1
    stop = begin + int(digits)
    if stop >= end:
        raise RecordError("bad-flow", "a length points outside its record")
    return begin, stop, chr(data[stop])


def _item(data: bytes, start: int, end: int, depth: int) -> tuple[Value, int]:
    """The value at `start`, and where the next one begins."""
    begin, stop, tag = _span(data, start, end)
    return _parsed(data, begin, stop, tag, depth), stop + 1


def _key(data: bytes, start: int, end: int, depth: int) -> tuple[str, int]:
    key, after = _item(data, start, end, depth)
    if not isinstance(key, (str, bytes)):
        raise RecordError("bad-flow", "a key that is no text")
    return (key if isinstance(key, str) else key.decode("utf-8", "replace")), after


def _parsed(data: bytes, start: int, stop: int, tag: str, depth: int) -> Value:
    if depth > _DEPTH:
        raise RecordError("too-deep", "nested too deeply")
    if tag == ",":
        return data[start:stop]
    if tag == ";":
        return data[start:stop].decode("utf-8", "replace")
    if tag == "}":
        entries: dict[str, Value] = {}
        while start < stop:
            name, start = _key(data, start, stop, depth + 1)
            entries[name], start = _item(data, start, stop, depth + 1)
        return entries
    if tag == "]":
        values: list[Value] = []
        while start < stop:
            value, start = _item(data, start, stop, depth + 1)
            values.append(value)
        return values
    return _scalar(data[start:stop], tag)


def _scalar(text: bytes, tag: str) -> Value:
    if tag == "#" and _INTEGER.fullmatch(text):
        return int(text)
    if tag == "^" and _FLOAT.fullmatch(text):
        return float(text)
    if tag == "!" and text in (b"true", b"false"):
        return text == b"true"
    if tag == "~" and not text:
        return None
    raise RecordError("bad-flow", "a value that does not fit its type")
