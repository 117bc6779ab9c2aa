"""Places to read from."""

from __future__ import annotations

import gzip
import io
import os
import re
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import InputError, UsageError
from cachelens.ingest import source as source_module
from cachelens.ingest.source import HEAD_BYTES, STREAM_ERRORS, Feed, Source, expand, lines

PLAIN = b"".join(b"line %d of a text\n" % number for number in range(20_000))
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
PACKED = {
    "plain": PLAIN,
    "gzip": gzip.compress(PLAIN),
    "gzip members": gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:]),
    "zstd": zstandard.compress(PLAIN),
    "zstd frames": zstandard.compress(PLAIN[:1000]) + SKIPPABLE + zstandard.compress(PLAIN[1000:]),
    "zstd skippable first": SKIPPABLE + zstandard.compress(PLAIN),
}
CUT = ["gzip", "gzip members", "zstd", "zstd frames"]


def sources(data: bytes, folder: Path) -> list[Source]:
    path = folder / "file"
    path.write_bytes(data)
    return [Source("file", path), Source("stdin", stream=io.BytesIO(data))]


@pytest.mark.parametrize("name", PACKED)
def test_streams_are_decompressed(name: str, tmp_path: Path) -> None:
    for source in sources(PACKED[name], tmp_path):
        assert source.head() == PLAIN[:HEAD_BYTES]
        with source.open() as stream:
            assert stream.read() == PLAIN


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("cut", [0.4, 0.9, 0.999])
def test_all_lines_before_a_cut_are_given_then_the_error(name: str, cut: float, tmp_path: Path) -> None:
    packed = PACKED[name]
    for source in sources(packed[: int(len(packed) * cut)], tmp_path):
        source.head()
        given_lines: list[bytes] = []
        with source.open() as stream, pytest.raises(EOFError):
            given_lines.extend(line or b"" for _, line in lines(stream))
        assert given_lines == PLAIN.splitlines(keepends=True)[: len(given_lines)]
        assert len(given_lines) > len(PLAIN.splitlines()) * cut / 3


@pytest.mark.parametrize("name", CUT)
def test_feed_gives_every_byte_before_a_cut(name: str) -> None:
    packed = PACKED[name][:-4]
    stream = Source("x", stream=io.BytesIO(packed)).open()
    feed = Feed(stream)
    got = feed.read(10 * len(PLAIN))
    assert PLAIN.startswith(got)
    assert len(got) >= len(PLAIN) - (1 << 17)  # the size of a zstd block
    for _ in range(2):
        with pytest.raises(STREAM_ERRORS):
            feed.read(1)


def test_standard_input_is_read_once() -> None:
    source = Source("<stdin>", stream=io.BytesIO(b"abc\n"))
    assert source.open().read() == b"abc\n"
    with pytest.raises(InputError, match="only once"):
        source.open()


def test_what_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: No such file"):
        Source("gone", tmp_path / "gone").open()
    with pytest.raises(InputError, match="directory"):
        Source("folder", tmp_path).open()


def test_zstd_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_MAX_ZSTD_WINDOW", 1 << 17)
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=21)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(bytes(1 << 22))
    with pytest.raises(zstandard.ZstdError):
        Source("x", stream=io.BytesIO(packed)).open().read()


@given(
    st.lists(st.sampled_from([b"", b"a", b"bb", b" ", b"ccc\r", b"\xef\xbb\xbf", b"x" * 20])), st.booleans()
)
def test_lines_are_numbered_and_bounded(parts: list[bytes], final: bool) -> None:
    data = b"\n".join(parts) + (b"\n" if final else b"")
    expected: list[tuple[int, bytes | None]] = []
    for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", data.removeprefix(b"\xef\xbb\xbf")), 1):
        if len(line.removesuffix(b"\n")) > 10:
            expected.append((number, None))
        elif line.strip():
            expected.append((number, line))
    assert list(lines(io.BytesIO(data), limit=10)) == expected


def test_arguments_are_expanded(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", ".hidden", "sub/c.har", "raw/x"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = expand([str(tmp_path)], lambda path: path.name == "raw")
    assert [Path(source.name).relative_to(tmp_path).as_posix() for source in found] == [
        "a.jsonl",
        "b.jsonl",
        "raw",
        "sub/c.har",
    ]
    assert [source.name for source in expand([str(tmp_path / "*.jsonl"), "-"], lambda _: False)] == [
        str(tmp_path / "a.jsonl"),
        str(tmp_path / "b.jsonl"),
        "<stdin>",
    ]
    with pytest.raises(InputError, match="no such file"):
        expand([str(tmp_path / "none*")], lambda _: False)


def test_names_that_are_no_utf_8_are_shown_with_replacements(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    path.write_bytes(b"{}\n")
    (source,) = expand([str(path)], lambda _: False)
    assert source.name == f"{tmp_path}/\N{REPLACEMENT CHARACTER}.jsonl"
    with source.open() as stream:
        assert stream.read() == b"{}\n"


def test_a_pipe_is_read_whole_and_left_out_of_folders(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.jsonl").write_text("{}\n")
    assert [source.name for source in expand([str(tmp_path)], lambda _: False)] == [str(tmp_path / "a.jsonl")]
    data = b'{"a": 1}\n' * 300_000
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    (source,) = expand([str(pipe)], lambda _: False)
    assert data.startswith(source.head())
    with source.open() as stream:
        assert stream.read() == data
    writer.join()


def test_standard_input_is_named_once() -> None:
    with pytest.raises(UsageError, match="only once"):
        expand(["-", "-"], lambda _: False)
