"""Which format claims a source, and what is said of one that none claims."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path

import pytest

from cachelens.errors import InputError
from cachelens.ingest.formats import FORMATS
from cachelens.ingest.formats.detect import TABLES, detect
from cachelens.ingest.source import HEAD_BYTES, Source
from tests.builders import captures
from tests.builders.captures import chat, jsonl

REPOSITORY = Path(__file__).parents[3]
TEXTS = {
    "pairs": captures.pairs(chat(40)),
    "claude-trace": captures.claude_trace(chat(40)),
    "requests": jsonl([call.request for call in chat(40)]),
    "har": captures.har(chat(40), indent=2),
    "mitmproxy": captures.mitmproxy(chat(40)),
    "tokens": jsonl([{"request_id": "a", "tokens": list(range(40_000))}]),
    "mooncake": jsonl([{"timestamp": 0, "input_length": 6, "output_length": 1, "hash_ids": [1]}]),
}


def found(data: bytes) -> str:
    return detect(Source("x", stream=io.BytesIO(data)))[0]


@pytest.mark.parametrize("name", TEXTS)
def test_one_format_claims_a_capture_far_more_surely_than_any_other(name: str) -> None:
    claims = {
        other: FORMATS.load(other)().claim(Source("x", stream=io.BytesIO(TEXTS[name]))) for other in FORMATS
    }
    assert claims.pop(name) >= 0.8
    assert max(claims.values()) <= 0.4
    assert found(TEXTS[name]) == name


@pytest.mark.parametrize("name", TEXTS)
def test_a_head_cut_anywhere_behind_the_first_keys_is_enough(name: str) -> None:
    for cut in range(400, 4000, 37):
        assert found(TEXTS[name][:cut]) == name


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b" \n\n", "white space"),
        (bytes(100), "null bytes"),
        (b"\x89PNG\r\n\x1a\n....", "PNG image"),
        (b"a,b,c\n1,2,3\n", "CSV"),
        (b"a\tb\n1\t2\n", "tab-separated"),
        (b'{"a": 1, "b": 2, "key with data": 3}\n', "JSON object with keys a, b (not a request)"),
        (b'{"sk-ant-SECRET": 1}\n', "keys that are no names"),
        (b'{\n "model": "m",\n "x": 1\n}\n', "over several lines"),
        (b'[{"a": 1}]', "JSON array"),
        (pickle.dumps({"a": 1}), "pickle: refused because loading one runs code"),
        (pickle.dumps({"a": 1}, protocol=0), "pickle: refused because loading one runs code"),
        (b"SQLite format 3\0....", "SQLite"),
        (b"PAR1....", "Parquet"),
        (b"PK\x03\x04....", "zip archive"),
        ("{}\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "gzip data inside"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"---\nservices:\n- name: x\n", "YAML"),
        (b"hello, world\n", "text that is no JSON"),
        (b'{"chat_id": 1, "input_length": 5, "hash_ids": [1]}\n', "Qwen-Bailian"),
        (b'{"id": "x", "custom_id": "a", "response": {"body": {}}, "error": null}\n', "batch results"),
        (b'{"id": "x", "call_type": "acompletion", "startTime": 1, "messages": []}\n', "not a request"),
        (b'{"type": "session", "id": "s", "gen_ai": {"messages": []}}\n', "not a request"),
        (b'{"type": "message", "role": "user", "content": "x"}\n', "not a request"),
        (b'{"timestamp": 1, "type": "event", "payload": {"messages": []}}\n', "not a request"),
        (b'{"resourceSpans": [{"messages": 1}]}\n', "not a request"),
        (b"{", "breaks off"),
        (b"\x01\x02\0\x03", "binary data"),
    ],
)
def test_what_nobody_claims_is_described(data: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        found(data)
    assert words in caught.value.message
    assert caught.value.message.startswith("x: ")
    assert "SECRET" not in caught.value.message
    assert all(name in (caught.value.hint or "") for name in FORMATS)


def test_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        detect(Source("d", tmp_path))
    with pytest.raises(InputError, match="No such file"):
        detect(Source("n", tmp_path / "none"))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"{}")[:10])
    with pytest.raises(InputError, match="compressed data that breaks off"):
        detect(Source("c", cut))
    (tmp_path / "cachelens.json").write_text("{}")
    assert detect(Source("d", tmp_path)) == (TABLES, 1.0)


def test_the_head_is_all_that_claims_look_at() -> None:
    source = Source("x", stream=io.BytesIO(TEXTS["pairs"] * 10))
    detect(source)
    assert len(source.head()) == HEAD_BYTES
    with source.open() as stream:
        assert stream.read() == TEXTS["pairs"] * 10


def test_every_format_is_documented_and_says_what_its_captures_lack() -> None:
    page = (REPOSITORY / "docs" / "formats.md").read_text()
    for name in FORMATS:
        loaded = FORMATS.load(name)
        assert f"\n## {name}\n" in page
        assert loaded.name == name
        assert loaded.note == "" or loaded.note in page.replace("\n", " ")
        module = FORMATS.entries[name].target.partition(":")[0].rpartition(".")[2]
        assert module == name.replace("-", "_")
