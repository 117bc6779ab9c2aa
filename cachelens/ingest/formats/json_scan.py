"""JSON read without decoding it. In: bytes, whole, cut off or in a stream. Out: raw values, and their ends.

`visible_keys` looks at the beginning of a document, `JsonStream` walks through one far larger than memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

import msgspec

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.source import MAX_RECORD_BYTES, Feed

_CHUNK = 4 << 20
_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb"[^\s,:\[\]{}\"]*+")
#: A whole string, the beginning of one that is cut off, or a bracket.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_TRAILING = re.compile(r"JSON is malformed: trailing characters \(byte (\d+)\)")
_RAW = msgspec.json.Decoder(msgspec.Raw)
#: Lines of a head that claims look at; the first of a capture may be damaged.
_FIRST_LINES = 5
_BOM = b"\xef\xbb\xbf"


class EndScanner:
    """Finds where a JSON object, array or string ends, by its brackets and quotes alone; fed in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, data: bytes, at: int) -> int:
        """Index just after the value that goes on at `data[at]`; -1 when it does not end in `data`."""
        if self._in_string:
            if self._escaped and at < len(data):
                at, self._escaped = at + 1, False
            at = self._string(data, at)
            if at < 0 or not self._depth:
                return at
        depth = self._depth
        for match in _TOKEN.finditer(data, at):
            token = data[match.start()]
            if token == 0x22:
                if match.end() - match.start() == 1:
                    self._depth, self._in_string = depth, True
                    self._string(data, match.end())
                    return -1
            elif token in b"{[":
                depth += 1
            else:
                depth -= 1
            if depth <= 0:
                return match.end()
        self._depth = depth
        return -1

    def _string(self, data: bytes, at: int) -> int:
        match = _STRING_REST.match(data, at)
        at = match.end() if match else at
        if at == len(data):
            return -1
        if data[at] == 0x5C:  # a backslash that ends the data: what it escapes comes with the next piece
            self._escaped = True
            return -1
        self._in_string = False
        return at + 1


def quick_end(data: bytes, start: int) -> int:
    """Index just after the value at `data[start]`; -1 when it is not told at once, so EndScanner has to.

    msgspec skips a value many times faster than a regular expression can, and its error about what
    follows says where the value ended.
    """
    try:
        _RAW.decode(memoryview(data)[start:])
    except msgspec.DecodeError as error:
        match = _TRAILING.fullmatch(str(error))
        return start + int(match[1]) - 1 if match else -1
    except RecursionError:
        return -1
    return len(data)


def visible_keys(data: bytes) -> dict[str, bytes]:
    """Keys of the JSON object that `data` begins with, and their raw values, as far as `data` goes.

    The last value may be cut off. Empty when `data` begins with no object, or breaks the syntax at once.
    """
    found: dict[str, bytes] = {}
    at = _after_space(data, len(_BOM) if data.startswith(_BOM) else 0)
    if data[at : at + 1] != b"{":
        return found
    while True:
        at = _after_space(data, at + 1)
        if data[at : at + 1] != b'"' or (end := EndScanner().feed(data, at)) < 0:
            return found
        key = data[at + 1 : end - 1].decode(errors="replace")
        at = _after_space(data, end)
        if data[at : at + 1] != b":":
            return found
        at = _after_space(data, at + 1)
        if data[at : at + 1] in (b"{", b"[", b'"'):
            end = EndScanner().feed(data, at)
        else:
            match = _SCALAR.match(data, at)
            end = match.end() if match else at
        found.setdefault(key, data[at:] if end < 0 else data[at:end])
        if end < 0:
            return found
        at = _after_space(data, end)
        if data[at : at + 1] != b",":
            return found


@lru_cache(maxsize=4)
def first_records(head: bytes) -> tuple[dict[str, bytes], ...]:
    """The visible keys of the first lines of `head` that hold JSON objects; the last may be cut off."""
    lines = [line for line in head.split(b"\n", 4 * _FIRST_LINES) if not line.isspace()]
    records = (visible_keys(line) for line in lines[:_FIRST_LINES])
    return tuple(keys for keys in records if keys)


def _after_space(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    return match.end() if match else at


class JsonStream:
    """Walks one JSON document in a stream, in memory bounded by its largest single value.

    Raises RecordError (`truncated-file`, `bad-json`) where the document breaks off or breaks the syntax,
    and one of STREAM_ERRORS where the stream does.
    """

    def __init__(self, stream: BinaryIO, limit: int = MAX_RECORD_BYTES, chunk: int = _CHUNK) -> None:
        self._feed = Feed(stream)
        self._limit = limit
        self._chunk = chunk
        self._data = b""
        self._at = 0
        if self._more() and self._data.startswith(_BOM):
            self._at = len(_BOM)

    def peek(self) -> bytes:
        """The next byte that is no white space; empty at the end."""
        while (at := _after_space(self._data, self._at)) == len(self._data):
            self._at = at
            if not self._more():
                return b""
        self._at = at
        return self._data[at : at + 1]

    def expect(self, wanted: bytes) -> bytes:
        """Take one byte, which must be one of `wanted`."""
        byte = self.peek()
        if not byte:
            raise RecordError("truncated-file", "the JSON document ends too early")
        if byte not in wanted:
            raise RecordError("bad-json", "no valid JSON here; what follows is lost")
        self._at += 1
        return byte

    def members(self) -> Iterator[str]:
        """Keys of the object that comes next; the caller takes each value before going on."""
        self.expect(b"{")
        if self.peek() == b"}":
            self._at += 1
            return
        while True:
            if self.peek() not in (b'"', b""):
                raise RecordError("bad-json", "no valid JSON here; what follows is lost")
            key = self.value() or b""
            self.expect(b":")
            yield key[1:-1].decode(errors="replace")
            if self.expect(b",}") == b"}":
                return

    def elements(self) -> Iterator[None]:
        """Stops before each element of the array that comes next; the caller takes it before going on."""
        self.expect(b"[")
        if self.peek() == b"]":
            self._at += 1
            return
        while True:
            yield
            if self.expect(b",]") == b"]":
                return

    def value(self) -> bytes | None:
        """The raw value that comes next; None when it is larger than the limit and was passed over."""
        byte = self.peek()
        if not byte:
            raise RecordError("truncated-file", "the JSON document ends too early")
        if byte in b'{["':
            return self._container()
        while (match := _SCALAR.match(self._data, self._at)) and match.end() == len(self._data):
            if len(match[0]) > 64 or not self._more():
                break
        if not match or not match[0]:
            raise RecordError("bad-json", "no valid JSON here; what follows is lost")
        self._at = match.end()
        return match[0]

    def _container(self) -> bytes | None:
        end = quick_end(self._data, self._at)
        if end < 0:
            scanner = EndScanner()
            at = self._at
            while (end := scanner.feed(self._data, at)) < 0:
                if len(self._data) - self._at > self._limit:
                    self._pass_over(scanner)
                    return None
                at = len(self._data) - self._at
                if not self._more():
                    raise RecordError("truncated-file", "the JSON document ends too early")
        raw = self._data[self._at : end]
        self._at = end
        return raw if len(raw) <= self._limit else None

    def _pass_over(self, scanner: EndScanner) -> None:
        """Drop the rest of a value that is too large."""
        while True:
            self._at = len(self._data)
            if not self._more():
                raise RecordError("truncated-file", "the JSON document ends too early")
            end = scanner.feed(self._data, 0)
            if end >= 0:
                self._at = end
                return

    def _more(self) -> bool:
        """Read on, keeping what has not been taken yet; False at the end."""
        rest = self._data[self._at :]
        chunk = self._feed.read(max(self._chunk, len(rest)))
        self._data, self._at = rest + chunk, 0
        return bool(chunk)
