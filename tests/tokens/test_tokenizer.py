from __future__ import annotations

import weakref
from itertools import pairwise
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.ingest.source import Source, lines
from cachelens.tokens import guards, tokenizer
from cachelens.tokens.tokenizer import Tokenizer
from tests.tokens.alphabet import broken_texts, texts

TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces"


def tokenize(
    encoding: tiktoken.Encoding, texts: list[str], threads: int = 2
) -> tuple[Tokenizer, list[list[int]]]:
    """Adds all texts to a tokenizer that shares `encoding` and gives the ids of each."""
    with mock.patch.object(tokenizer, "load_encoding", return_value=encoding):
        subject = Tokenizer(encoding.name, threads)
        assert [subject.add(text) for text in texts] == list(range(len(texts)))
        offsets, ids = subject.finish()
    assert (offsets.dtype, ids.dtype, len(offsets)) == (np.int64, np.uint32, len(texts) + 1)
    assert (offsets[0], offsets[-1]) == (0, len(ids))
    return subject, [ids[start:end].tolist() for start, end in pairwise(offsets)]


@given(
    texts=st.lists(broken_texts, max_size=12),
    threads=st.integers(1, 3),
    batch=st.integers(1, 60),
    target=st.integers(1, 60),
)
@settings(max_examples=400, deadline=None)
def test_equals_encode_ordinary(
    encoding: tiktoken.Encoding, texts: list[str], threads: int, batch: int, target: int
) -> None:
    with (
        mock.patch.object(tokenizer, "BATCH_CHARACTERS", batch),
        mock.patch.object(guards, "PIECE_TARGET", target),
    ):
        subject, found = tokenize(encoding, texts, threads)
    assert found == [encoding.encode_ordinary(text) for text in texts]
    assert subject.guarded_texts == 0


@given(texts=st.lists(texts, min_size=1, max_size=12), limit=st.integers(2, 9))
@settings(max_examples=200, deadline=None)
def test_result_does_not_depend_on_threads(o200k: tiktoken.Encoding, texts: list[str], limit: int) -> None:
    """Also where cuts are forced; and `add` agrees with `encode`."""
    results = []
    with (
        mock.patch.multiple(guards, PIECE_TARGET=1, PIECE_LIMIT=limit),
        mock.patch.object(tokenizer, "BATCH_CHARACTERS", 5),
    ):
        for threads in (1, 2, 4):
            subject, found = tokenize(o200k, texts, threads)
            results.append((found, subject.guarded_texts))
        with mock.patch.object(tokenizer, "load_encoding", return_value=o200k):
            single = Tokenizer("o200k_base", 1)
            results.append(([single.encode(text).tolist() for text in texts], single.guarded_texts))
    assert results == [results[0]] * 4
    inexact = sum(not all(part.exact for part in _pieces(text, limit)) for text in texts)
    assert results[0][1] == inexact


def _pieces(text: str, limit: int) -> list[guards.Piece]:
    with mock.patch.multiple(guards, PIECE_TARGET=1, PIECE_LIMIT=limit):
        return list(guards.pieces(text))


def test_nothing_added(o200k: tiktoken.Encoding) -> None:
    assert tokenize(o200k, [])[1] == []
    assert tokenize(o200k, ["", "", ""])[1] == [[], [], []]


@given(texts)
def test_decode_inverts_encode(o200k: tiktoken.Encoding, text: str) -> None:
    with mock.patch.object(tokenizer, "load_encoding", return_value=o200k):
        subject = Tokenizer()
        assert subject.decode(subject.encode(text)) == text


def test_decode_of_no_token() -> None:
    subject = Tokenizer("cl100k_base")
    assert subject.decode([15339, 1917]) == "hello world"
    with pytest.raises(KeyError):
        subject.decode(np.array([4_000_000_000], np.uint32))


def test_unknown_encoding_fails_at_once() -> None:
    with pytest.raises(UsageError, match="unknown encoding"):
        Tokenizer("p50k")


def test_encoding_is_loaded_only_when_needed() -> None:
    with mock.patch.object(tokenizer, "load_encoding", side_effect=AssertionError):
        offsets, ids = Tokenizer().finish()
    assert (offsets.tolist(), ids.tolist()) == ([0], [])


class Text(str):
    """A str that can be watched."""

    __slots__ = ("__weakref__",)


def test_waiting_text_is_bounded_and_let_go(o200k: tiktoken.Encoding) -> None:
    with (
        mock.patch.multiple(tokenizer, BATCH_CHARACTERS=1000, WAITING_BYTES=10_000),
        mock.patch.object(tokenizer, "load_encoding", return_value=o200k),
    ):
        subject = Tokenizer(threads=1)
        watched = []
        highest = 0
        for number in range(200):
            text = Text(f"text {number} " * 100)
            watched.append(weakref.ref(text))
            subject.add(text)
            del text
            highest = max(highest, subject._waiting_bytes)
            assert subject._waiting_bytes == sum(size for _, size in subject._waiting)
        assert 5_000 < highest <= 10_000
        subject.finish()
    assert [ref() for ref in watched] == [None] * 200


def test_a_text_above_the_bound_goes_through(o200k: tiktoken.Encoding) -> None:
    big = "word " * 20_000
    with mock.patch.multiple(tokenizer, BATCH_CHARACTERS=1000, WAITING_BYTES=1):
        assert tokenize(o200k, [big, "x"])[1] == [o200k.encode_ordinary(big), o200k.encode_ordinary("x")]


def test_waiting_counts_four_bytes_for_what_is_not_ascii(o200k: tiktoken.Encoding) -> None:
    with (
        mock.patch.object(tokenizer, "BATCH_CHARACTERS", 1),
        mock.patch.object(tokenizer, "load_encoding", return_value=o200k),
    ):
        subject = Tokenizer()
        subject.add("abc")
        subject.add("äbc")
        assert subject._waiting_bytes == 3 + 12
        subject.finish()


class Broken:
    """An encoding that fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def encode_to_numpy(self, text: str, **options: object) -> np.ndarray:
        raise self.error


PanicException = type("PanicException", (BaseException,), {})


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("boom"), ValueError), (MemoryError(), MemoryError), (PanicException("boom"), RuntimeError)],
)
def test_errors_in_threads_are_raised(error: BaseException, raised: type[Exception]) -> None:
    with mock.patch.object(tokenizer, "load_encoding", return_value=Broken(error)):
        subject = Tokenizer(threads=2)
        subject.add("x")
        with pytest.raises(raised):
            subject.finish()
        with mock.patch.multiple(tokenizer, BATCH_CHARACTERS=1, WAITING_BYTES=1):
            subject = Tokenizer(threads=2)
            subject.add("x")
            with pytest.raises(raised):
                subject.add("x")
        with pytest.raises(raised):
            Tokenizer().encode("x")


def test_failure_to_load_is_raised() -> None:
    with mock.patch.object(tokenizer, "load_encoding", side_effect=RuntimeError("damaged")):
        subject = Tokenizer(threads=1)
        subject.add("x")
        with pytest.raises(RuntimeError, match="damaged"):
            subject.finish()


def test_use_after_finish_is_refused(o200k: tiktoken.Encoding) -> None:
    subject, _ = tokenize(o200k, ["x"])
    with pytest.raises(RuntimeError, match="after finish"):
        subject.add("y")
    with pytest.raises(RuntimeError, match="after finish"):
        subject.finish()
    assert subject.encode("x").tolist() == o200k.encode_ordinary("x")


def strings_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in inner for text in strings_in(part)]


def test_captured_texts_equal_encode_ordinary(encoding: tiktoken.Encoding) -> None:
    path = TRACES / "opencode" / "session.jsonl.zst"
    if not path.exists():
        pytest.skip("needs ../shared/traces")
    with Source(str(path), path).open() as stream:
        found = {text for _, line in lines(stream) if line for text in strings_in(msgspec.json.decode(line))}
    captured = sorted(found)
    assert len(captured) > 100
    assert tokenize(encoding, captured)[1] == [encoding.encode_ordinary(text) for text in captured]
