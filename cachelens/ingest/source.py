"""Places to read from: files, folders and standard input, decompressed on the way.

In: command-line arguments. Out: `Source`s, each able to show its head and to open a byte stream.
Compressed streams give every byte before the place where they are broken, then raise one of STREAM_ERRORS.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from cachelens.errors import InputError, UsageError

#: Bytes of a source that formats may look at before they claim it.
HEAD_BYTES = 1 << 16
#: A record longer than this is skipped; a request of a million tokens is about 5 MB.
MAX_RECORD_BYTES = 64 << 20
#: Largest zstd window that is accepted (2**27 = 128 MiB); a larger one is a memory bomb.
_MAX_ZSTD_WINDOW = 1 << 27
#: Compressed bytes given to zstd at a time: at most 32,768 times as many come out, 64 MiB.
_ZSTD_STEP = 1 << 11
#: What a broken compressed stream raises; EOFError when it merely ends too early.
STREAM_ERRORS = (EOFError, OSError, zlib.error, zstandard.ZstdError)
_GZIP_MAGIC = b"\x1f\x8b"
#: A zstd frame, or a skippable frame that some writers put before it.
_ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")


class Source:
    """One input: a file, a folder that is itself a capture, or standard input.

    `name` is what reports show. Streams are decompressed (gzip, zstd, told by magic bytes).
    """

    def __init__(self, name: str, path: Path | None = None, stream: BinaryIO | None = None) -> None:
        self.name = name
        self.path = path
        self._stream = stream
        self._feed: Feed | None = None
        self._head: bytes | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this source is a folder rather than a stream of bytes."""
        return self.path is not None and self.path.is_dir()

    def head(self) -> bytes:
        """The first HEAD_BYTES of the decompressed stream; empty for a folder or an empty file."""
        if self._head is None:
            if self.is_folder:
                self._head = b""
            elif self._stream is not None:
                self._feed = Feed(_decompressed(self._stream))
                self._head = _beginning(self._feed)
            else:
                with self.open() as stream:
                    self._head = _beginning(Feed(stream))
        return self._head

    def open(self) -> BinaryIO:
        """The decompressed stream from its start. Standard input can be opened once only."""
        if self.path is not None:
            try:
                return _decompressed(open(self.path, "rb", buffering=1 << 20))
            except OSError as error:
                raise InputError(f"{self.name}: {error.strerror or error}") from error
        head, feed = self.head(), self._feed
        if feed is None:
            raise InputError(f"{self.name} can be read only once")
        self._feed = None
        return cast(BinaryIO, io.BufferedReader(_Chained(head, feed, self._stream), 1 << 20))


class Feed:
    """Reads a stream in pieces without losing what comes just before a break.

    A read gives fewer bytes than asked for at the end and before a break; the read after that gives
    none, or raises the error that the stream broke with.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = cast(io.BufferedReader, stream)
        self._error: Exception | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes. Raises one of STREAM_ERRORS where the stream is broken."""
        if self._error is not None:
            raise self._error
        chunks: list[bytes] = []
        try:
            while size > 0 and (chunk := self._stream.read1(size)):
                chunks.append(chunk)
                size -= len(chunk)
        except STREAM_ERRORS as error:
            self._error = error
            if not chunks:
                raise
        return b"".join(chunks)


def _beginning(feed: Feed) -> bytes:
    """The first bytes of a stream; none of one that is broken at once."""
    try:
        return feed.read(HEAD_BYTES)
    except STREAM_ERRORS:
        return b""  # whoever reads the whole stream meets the same error, and reports it with its place


class _Chained(io.RawIOBase):
    """Bytes already read, then the rest of a stream. Closes `opened`, what the rest comes from."""

    def __init__(self, head: bytes, rest: Feed, opened: BinaryIO | None) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self._opened = opened

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Close what was opened as well, unless it is standard input, which is not ours to close."""
        super().close()
        if self._opened is not None and self._opened is not getattr(sys.stdin, "buffer", None):
            self._opened.close()

    def readinto(self, buffer: Any) -> int:
        data: bytes | memoryview
        if self._head:
            data = self._head[: len(buffer)]
            self._head = self._head[len(data) :]
        else:
            data = self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Gzip(gzip.GzipFile):
    """A gzip stream that closes the file below it."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(fileobj=stream)
        self._below = stream

    def close(self) -> None:
        super().close()
        self._below.close()


class _ZstdFrames(io.RawIOBase):
    """The contents of zstd frames. zstandard's own reader takes a truncated frame for a whole one."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._rest = b""
        self._out = memoryview(b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._out:
            data = self._rest or self._stream.read1(_ZSTD_STEP)
            self._rest = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the compressed data ends inside a frame")
                return 0
            frame = self._frame or self._decompressor.decompressobj()
            self._out = memoryview(frame.decompress(data))
            self._frame = None if frame.eof else frame
            self._rest = frame.unused_data
        data_out = self._out[: len(buffer)]
        self._out = self._out[len(data_out) :]
        buffer[: len(data_out)] = data_out
        return len(data_out)


def _decompressed(stream: BinaryIO) -> BinaryIO:
    """`stream` itself, or a reader of what it compresses."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(Any, stream))
    magic = buffered.peek(4)[:4]
    if magic.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, _Gzip(buffered))
    if _ZSTD_MAGIC.match(magic):
        return cast(BinaryIO, io.BufferedReader(_ZstdFrames(buffered), 1 << 20))
    return cast(BinaryIO, buffered)


def lines(stream: BinaryIO, limit: int = MAX_RECORD_BYTES) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines from 1, without byte-order mark; None for one over `limit` bytes.

    They keep their line ends, which JSON allows: cutting them off would copy each line. Blank lines are
    numbered but not given. Memory stays below two times `limit`. Raises one of STREAM_ERRORS where a
    compressed stream is broken, after giving the lines before.
    """
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        if len(line) > limit and not line.endswith(b"\n"):
            while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif line and not line.isspace():
            yield number, line


def expand(arguments: list[str], is_capture_folder: Callable[[Path], bool]) -> list[Source]:
    """Sources named on a command line: files, `-`, globs and folders (walked, unless one capture themselves).

    Files of a folder come in name order; hidden ones are left out. Raises InputError for what does not exist.
    """
    found: list[Source] = []
    if arguments.count("-") > 1:
        raise UsageError("standard input can be read only once", "give `-` once")
    for argument in arguments:
        if argument == "-":
            found.append(Source("<stdin>", stream=sys.stdin.buffer))
            continue
        path = Path(argument)
        if path.exists():
            names = [argument]
        else:
            names = sorted(glob.glob(argument, recursive=True))
            if not names:
                raise InputError(
                    f"{argument}: no such file or folder", "globs and folders work; `-` reads standard input"
                )
        for name in names:
            found.extend(_named(Path(name), is_capture_folder))
    return found


def _named(path: Path, is_capture_folder: Callable[[Path], bool]) -> Iterator[Source]:
    """What a path on the command line stands for: pipes can be read once, like standard input."""
    if path.is_file() or path.is_dir():
        yield from _below(path, is_capture_folder, set())
    else:
        yield Source(_shown(path), stream=open(path, "rb", buffering=1 << 20))


def _shown(path: Path) -> str:
    """The path as text: a name that is no UTF-8 can be opened but not written into a table."""
    return os.fsencode(path).decode("utf-8", "replace")


def _below(path: Path, is_capture_folder: Callable[[Path], bool], seen: set[Path]) -> Iterator[Source]:
    """Regular files at and below a path. `seen`: folders walked already, which links may lead back to."""
    if path.is_file() or (path.is_dir() and is_capture_folder(path)):
        yield Source(_shown(path), path)
        return
    if not path.is_dir() or (real := path.resolve()) in seen:
        return
    seen.add(real)
    for child in sorted(path.iterdir()):
        if not child.name.startswith("."):
            yield from _below(child, is_capture_folder, seen)
