"""Response bodies on their way to the caller, listened to. In: a stream of httpx or httpx2. Out: the same chunks.

Both libraries have the same interface under their own names, and accept streams of their own classes only; so a
stream that listens is made of the classes of the library that the request came from.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from types import ModuleType
from typing import Any, Protocol

#: What a library of the family must have.
_NEEDED = ("AsyncByteStream", "AsyncHTTPTransport", "HTTPTransport", "SyncByteStream")


class Listener(Protocol):
    """Is told of every chunk as it passes, and how the stream ended; only the first end counts."""

    def chunk(self, data: bytes) -> None:
        """`data` is about to be handed to the caller."""

    def end(self, error: BaseException | None = None, closed_early: bool = False) -> None:
        """There is no more: the stream is exhausted, failed with `error`, or was closed before its end."""


class _Sync:
    """Passes chunks on as they come."""

    def __init__(self, stream: Any, listener: Listener) -> None:
        self._stream, self._listener = stream, listener

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except GeneratorExit:
            self._listener.end(closed_early=True)
            raise
        except BaseException as error:
            self._listener.end(error)
            raise
        self._listener.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._listener.end(closed_early=True)


class _Async:
    """Passes chunks on as they come."""

    def __init__(self, stream: Any, listener: Listener) -> None:
        self._stream, self._listener = stream, listener

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._listener.chunk(chunk)
                yield chunk
        except GeneratorExit:
            self._listener.end(closed_early=True)
            raise
        except BaseException as error:
            self._listener.end(error)
            raise
        self._listener.end()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._listener.end(closed_early=True)


def library_of(request: Any) -> ModuleType:
    """The module whose `Request` this is: httpx, or one that kept its interface. Raises TypeError for others."""
    for kind in type(request).__mro__:
        module = sys.modules.get(kind.__module__.partition(".")[0])
        if module is not None and all(hasattr(module, name) for name in _NEEDED):
            return module
    raise TypeError(f"a {type(request).__name__} is no request of httpx or httpx2")


def listened(response: Any, library: ModuleType, listener: Listener) -> None:
    """Let `listener` hear the body of a response that nobody has read yet."""
    sync, asynchronous = _classes(library)
    kind = asynchronous if isinstance(response.stream, library.AsyncByteStream) else sync
    response.stream = kind(response.stream, listener)


@cache
def _classes(library: ModuleType) -> tuple[type[Any], type[Any]]:
    return (
        type("ListenedStream", (_Sync, library.SyncByteStream), {}),
        type("AsyncListenedStream", (_Async, library.AsyncByteStream), {}),
    )
