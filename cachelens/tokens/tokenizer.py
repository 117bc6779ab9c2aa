"""Encodes many texts on several threads while the caller goes on reading.

In: texts, one at a time. Out: token ids of all of them, as two arrays. tiktoken releases the GIL only
inside one call, and taking it back from a busy reader costs milliseconds, so texts are joined into
large batches, with a control token between them that the encoder recognises and no text contains.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from cachelens.tokens.encodings import DEFAULT_ENCODING, ENCODINGS, load_encoding
from cachelens.tokens.guards import pieces, well_formed

if TYPE_CHECKING:
    import tiktoken

UInt32 = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]

#: Characters of text handed to a thread at a time.
BATCH_CHARACTERS = 1 << 18
#: Bytes of text that may wait for a thread; `add` blocks above it.
WAITING_BYTES = 1 << 24

# Part of both shipped encodings. It starts with its only "<" and ends with its only ">", as do all
# their control tokens, so no occurrence can overlap another one or the end of a text.
_SEPARATOR = "<|endofprompt|>"


class _Batch(NamedTuple):
    """Encoded pieces: all ids, and the number of ids of each piece."""

    ids: UInt32
    lengths: Int64


class Tokenizer:
    """Token ids of texts under one encoding.

    `add` texts, then `finish` once. `guarded_texts` counts texts so far whose ids are approximate
    because a stretch of them had to be cut at a fixed length (see `guards`). The result does not
    depend on `threads` (default: one per core). The encoding is loaded when the first ids are needed.
    To be used from one thread. Raises UsageError for an unknown encoding.
    """

    def __init__(self, encoding_name: str = DEFAULT_ENCODING, threads: int | None = None) -> None:
        ENCODINGS.load(encoding_name)
        self.encoding_name = encoding_name
        self.guarded_texts = 0
        self._threads = threads or os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None
        self._encoding: Future[tiktoken.Encoding] | None = None
        self._first_piece = array("q")
        self._pieces = 0
        self._batch: list[str] = []
        self._batch_characters = 0
        self._waiting: deque[tuple[Future[_Batch], int]] = deque()
        self._waiting_bytes = 0
        self._done: list[_Batch] = []
        self._finished = False

    def add(self, text: str) -> int:
        """Queues `text` and gives its ticket: the number of texts added before it.

        Blocks while WAITING_BYTES of text wait; raises what an earlier encoding raised, if anything.
        """
        if self._finished:
            raise RuntimeError("add after finish")
        ticket = len(self._first_piece)
        self._first_piece.append(self._pieces)
        exact = True
        for piece, exact_end in pieces(text):
            exact = exact and exact_end
            self._pieces += 1
            self._batch.append(piece)
            self._batch_characters += len(piece)
            if self._batch_characters >= BATCH_CHARACTERS:
                self._submit()
        self.guarded_texts += not exact
        return ticket

    def finish(self) -> tuple[Int64, UInt32]:
        """Offsets (one more than texts) and ids: text `t` is `ids[offsets[t] : offsets[t + 1]]`.

        To be called once; raises what the encoding of a text raised, if anything.
        """
        if self._finished:
            raise RuntimeError("finish after finish")
        self._finished = True
        try:
            if self._batch:
                self._submit()
            while self._waiting:
                self._collect()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
        done, self._done = self._done, []
        lengths = [batch.lengths for batch in done]
        piece_ends = np.zeros(self._pieces + 1, np.int64)
        np.cumsum(np.concatenate(lengths) if lengths else [], out=piece_ends[1:], dtype=np.int64)
        offsets = piece_ends[[*self._first_piece, self._pieces]]
        ids = np.empty(offsets[-1], np.uint32)
        end = len(ids)
        while done:  # from the back, so that each batch is freed as soon as it is copied
            part = done.pop().ids
            ids[end - len(part) : end] = part
            end -= len(part)
        return offsets, ids

    def encode(self, text: str) -> UInt32:
        """Ids of one text, at once and on this thread; works before and after `finish`."""
        encoding = self._load()
        parts = list(pieces(text))
        self.guarded_texts += not all(part.exact for part in parts)
        return _encode_batch(encoding, [part.text for part in parts]).ids

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """Text of `ids`; bytes that are no UTF-8 become U+FFFD. Raises KeyError for an id that is no token."""
        return self._load().decode(np.asarray(ids, np.int64).tolist())

    def _load(self) -> tiktoken.Encoding:
        if self._encoding is None:
            self._encoding = Future()
            self._encoding.set_result(load_encoding(self.encoding_name))
        return self._encoding.result()

    def _submit(self) -> None:
        """Hands the batch at hand to the threads, waiting for older ones first when too much text waits."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "tokenizer")
        if self._encoding is None:
            # First in the queue, so a batch that waits for it cannot keep it from running.
            self._encoding = self._pool.submit(load_encoding, self.encoding_name)
        size = sum(len(text) if text.isascii() else 4 * len(text) for text in self._batch)
        while self._waiting and self._waiting_bytes + size > WAITING_BYTES:
            self._collect()
        self._waiting.append((self._pool.submit(_run, self._encoding, self._batch), size))
        self._waiting_bytes += size
        self._batch, self._batch_characters = [], 0

    def _collect(self) -> None:
        """Takes the result of the oldest batch, waiting for it."""
        future, size = self._waiting.popleft()
        self._waiting_bytes -= size
        self._done.append(future.result())


def _run(encoding: Future[tiktoken.Encoding], texts: list[str]) -> _Batch:
    return _encode_batch(encoding.result(), texts)


def _encode_batch(encoding: tiktoken.Encoding, texts: list[str]) -> _Batch:
    """Ids of each text as `encode_ordinary` would give them; control tokens in a text are plain text."""
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        parts = [_ids(encoding, text, frozenset()) for text in texts]
        return _Batch(np.concatenate(parts), np.array([len(part) for part in parts], np.int64))
    ids = _ids(encoding, joined, frozenset([_SEPARATOR]))
    separates = ids == encoding.encode_single_token(_SEPARATOR)
    ends = np.append(np.flatnonzero(separates), len(ids))
    return _Batch(ids[~separates], np.diff(ends, prepend=-1) - 1)


def _ids(encoding: tiktoken.Encoding, text: str, control: frozenset[str]) -> UInt32:
    with _panics_raised():
        try:
            return encoding.encode_to_numpy(text, allowed_special=control, disallowed_special=())
        except UnicodeEncodeError:
            repaired = well_formed(text)
            return encoding.encode_to_numpy(repaired, allowed_special=control, disallowed_special=())


@contextmanager
def _panics_raised() -> Iterator[None]:
    """Turns a panic of the Rust encoder, which is no Exception and would pass every handler, into a RuntimeError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError("the token encoder panicked") from error
