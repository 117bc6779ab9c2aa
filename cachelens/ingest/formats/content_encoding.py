"""HTTP content encodings undone. In: a body and its Content-Encoding. Out: the body as it was before.

The result is bounded, because a few kilobytes can claim to be gigabytes.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

from cachelens.ingest.source import MAX_RECORD_BYTES

#: Compressed bytes handed over at a time; few, because what they expand to cannot be bounded otherwise.
#: 2 KiB of zstd are at most 64 MiB; brotli packs 16 MiB into a dozen bytes.
_ZSTD_STEP = 1 << 11
_BROTLI_STEP = 1 << 6
#: Decompressed bytes taken at a time where the decoder allows to ask.
_PIECE = 1 << 20
_MAX_ZSTD_WINDOW = 1 << 27
_ERRORS = (zlib.error, brotli.error, zstandard.ZstdError, EOFError)


class EncodingError(Exception):
    """A body that cannot be decompressed; the message says why and never quotes it."""


def decoded(body: bytes, encoding: str, limit: int = MAX_RECORD_BYTES) -> bytes:
    """`body` with the encodings of a Content-Encoding header removed, last one first.

    Raises EncodingError when one is unknown, the data is broken or cut off, or more than `limit` bytes come
    out of it.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name in ("", "identity", "none") or not body:
            continue
        pieces = _DECODERS.get(name)
        if pieces is None:
            raise EncodingError("its content encoding is unknown")
        body = _joined(pieces, body, name, limit)
    return body


def _joined(pieces: Callable[[bytes], Iterator[bytes]], body: bytes, name: str, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        for part in pieces(body):
            size += len(part)
            if size > limit:
                raise EncodingError(f"it decompresses to more than {limit >> 20} MiB")
            parts.append(part)
    except _ERRORS:
        raise EncodingError(f"its {name} data is broken or cut off") from None
    return b"".join(parts)


def _gzip(body: bytes) -> Iterator[bytes]:
    while body:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        yield from _inflated(stream, body)
        body = stream.unused_data.lstrip(b"\0")


def _deflate(body: bytes) -> Iterator[bytes]:
    """`deflate` is a zlib stream by the standard, and a bare one from many servers."""
    is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    yield from _inflated(zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), body)


def _inflated(stream: zlib._Decompress, body: bytes) -> Iterator[bytes]:
    while not stream.eof:
        part = stream.decompress(body, _PIECE)
        body = stream.unconsumed_tail
        if not part and not body and not stream.eof:
            raise EOFError
        yield part


def _brotli(body: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    for start in range(0, len(body), _BROTLI_STEP):
        yield stream.process(body[start : start + _BROTLI_STEP])
    if not stream.is_finished():
        raise EOFError


def _zstd(body: bytes) -> Iterator[bytes]:
    source = io.BytesIO(body)
    while data := source.read(_ZSTD_STEP):
        frame = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW).decompressobj()
        while data:
            yield frame.decompress(data)
            if frame.eof:
                source.seek(-len(frame.unused_data), io.SEEK_CUR)
                break
            data = source.read(_ZSTD_STEP)
        if not frame.eof:
            raise EOFError


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
