"""Corrupt twins of every format: what is broken is counted with its place, the rest is read."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.ingest.formats import json_lines, json_scan, mitmproxy
from tests.builders import captures
from tests.builders.captures import chat, jsonl
from tests.builders.reading import read

CALLS = chat(4)
TWINS: dict[str, bytes] = {
    "pairs": captures.pairs(CALLS),
    "claude-trace": captures.claude_trace(CALLS),
    "requests": jsonl([call.request for call in CALLS]),
    "har": captures.har(CALLS),
    "mitmproxy": captures.mitmproxy(CALLS),
    "tokens": jsonl([{"request_id": str(n), "tokens": [n] * 300} for n in range(4)]),
    "mooncake": jsonl([{"timestamp": n, "input_length": 600, "hash_ids": [1, n + 2]} for n in range(4)]),
    "kv-cache-tester": json.dumps(
        {
            "id": "s",
            "block_size": 4,
            "requests": [{"t": n, "in": 9, "out": 1, "hash_ids": [1, n + 2]} for n in range(4)],
        }
    ).encode(),
}
LINES = ("pairs", "claude-trace", "requests", "tokens", "mooncake")
every_format = pytest.mark.parametrize("name", TWINS)
line_formats = pytest.mark.parametrize("name", LINES)


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same ones each time."""
    import hashlib

    return b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(size // 32)).hex().encode()


@every_format
def test_whole_twin_is_recognized_and_read(name: str) -> None:
    got = read(TWINS[name])
    assert (got.format, len(got.records), got.reports) == (name, 4, ())
    assert [record.record for record in got.records] == [1, 2, 3, 4]


@every_format
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_compressed_twin_is_read_and_a_truncated_one_as_far_as_it_goes(name: str, pack: Any) -> None:
    assert len(read(pack(TWINS[name])).records) == 4
    packed = pack(TWINS[name])
    for cut in (len(packed) - 3, len(packed) // 2):
        got = read(packed[:cut], name)
        assert got.skipped == {"truncated-archive": 1}
        assert got.reports[0].places == (len(got.records) + 1,)
    if pack is gzip.compress:  # zstd gives nothing of a block that is cut off
        assert len(read(packed[:-3], name).records) >= 3


@line_formats
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_broken_archive_gives_the_lines_before_the_break(name: str, pack: Any) -> None:
    filler = json.dumps({"x": noise(1 << 19).decode()}).encode() + b"\n"
    packed = bytearray(pack(TWINS[name] + filler + TWINS[name]))
    middle = len(packed) // 2
    if pack is gzip.compress:  # zstd does not notice without a checksum, which is optional
        packed[middle : middle + 64] = bytes(64)
        got = read(bytes(packed), name)
        assert len(got.records) in (4, 8)
        assert "broken-archive" in got.skipped
    got = read(bytes(packed[:middle]), name)
    assert len(got.records) == 4
    assert got.skipped == {"truncated-archive": 1}


@line_formats
def test_byte_order_mark_line_ends_and_blank_lines(name: str) -> None:
    data = b"\xef\xbb\xbf" + TWINS[name].replace(b"\n", b"\r\n\r\n  \n")
    got = read(data)
    assert (got.format, len(got.records), got.reports) == (name, 4, ())
    assert [record.record for record in got.records] == [1, 4, 7, 10]


@line_formats
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": ', "bad-json"),
        (b"\0\0\0\0", "bad-json"),
        (b"no json", "bad-json"),
        (b'{"a": "\xff\xfe"}', "bad-utf8"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too-deep"),
        (b'{"a": ' + b'{"a":' * 5000, "too-deep"),
    ],
    ids=["cut", "nul", "text", "utf8", "deep", "deep-cut"],
)
def test_broken_line_is_counted_and_the_rest_read(name: str, line: bytes, reason: str) -> None:
    first, rest = TWINS[name].split(b"\n", 1)
    for data, place in ((first + b"\n" + line + b"\n" + rest, 2), (line + b"\n" + TWINS[name], 1)):
        got = read(data)
        assert got.format == name
        assert got.skipped == {reason: 1}
        assert got.reports[0].places == (place,)
        assert len(got.records) == 4


@line_formats
def test_lines_of_another_shape_are_counted(name: str) -> None:
    others = [[1], 5, "x", None]
    got = read(TWINS[name] + jsonl(others))
    assert len(got.records) == 4
    assert sum(got.skipped.values()) == 4
    assert set(got.skipped) <= {"bad-shape", "no-request-body"}


@every_format
def test_records_over_the_limit_are_counted_and_the_rest_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is 64 MiB; here it is 3000 bytes."""
    monkeypatch.setattr(json_lines, "MAX_RECORD_BYTES", 3000)
    monkeypatch.setattr(mitmproxy, "_LARGEST_FLOW", 3000)
    monkeypatch.setattr(json_scan.JsonStream.__init__, "__defaults__", (3000, 100))
    monkeypatch.setattr(json_lines, "lines", lambda stream: base_lines(stream, 3000))
    large = "x" * 5000
    call = captures.Call({"model": large, "messages": []}, None)
    data = {
        "pairs": captures.pairs([call]) + TWINS["pairs"],
        "claude-trace": captures.claude_trace([call]) + TWINS["claude-trace"],
        "requests": jsonl([call.request]) + TWINS["requests"],
        "har": captures.har([call, *CALLS]),
        "mitmproxy": captures.mitmproxy([call]) + TWINS["mitmproxy"],
        "tokens": jsonl([{"tokens": [1], "x": large}]) + TWINS["tokens"],
        "mooncake": jsonl([{"input_length": 1, "hash_ids": [1], "x": large}]) + TWINS["mooncake"],
        "kv-cache-tester": TWINS["kv-cache-tester"].replace(
            b"[{", b'[{"x": "' + large.encode() + b'"}, {', 1
        ),
    }
    got = read(data[name], name)
    assert got.skipped == {"record-too-large": 1}
    assert [record.record for record in got.records] == [2, 3, 4, 5]


def base_lines(stream: Any, limit: int) -> Any:
    """`source.lines` with another limit."""
    from cachelens.ingest.source import lines

    return lines(stream, limit)


@pytest.mark.parametrize("cut", [1, 2, 3, 40, 400])
def test_har_that_is_cut_off_gives_the_entries_before(cut: int) -> None:
    data = TWINS["har"]
    got = read(data[:-cut])
    assert len(got.records) == (4 if cut <= 3 else 3)
    assert got.skipped == {"truncated-file": 1}


def test_har_entry_that_is_broken_inside_is_counted_and_the_rest_read() -> None:
    document = json.loads(TWINS["har"])
    entries = document["log"]["entries"]
    entries[1] = {"request": {"url": 5}}
    entries[2]["request"]["headers"] = json.loads("[" * 400 + "]" * 400)
    text = json.dumps(document).encode()
    entry = json.dumps(entries[3]).encode()
    for broken, reason in (
        (entry.replace(b'"POST"', b'"PO\xffST"'), "bad-utf8"),
        (entry.replace(b'"POST"', b'"\\q"'), "bad-json"),
        (entry.replace(b'"time"', b'"x": ' + b"[" * 5000 + b"]" * 5000 + b', "time"'), "too-deep"),
        (entry.replace(b'"POST"', b"nonsense"), "bad-json"),
        (b"17", "bad-shape"),
    ):
        got = read(text.replace(entry, broken + b", " + entry))
        assert got.skipped == {"bad-shape": 1 + (reason == "bad-shape")} | (
            {reason: 1} if reason != "bad-shape" else {}
        )
        assert [record.record for record in got.records] == [1, 3, 5]


def test_har_followed_by_something_else_is_told() -> None:
    got = read(TWINS["har"] + b"{}")
    assert (len(got.records), got.skipped) == (4, {"bad-json": 1})


@settings(max_examples=300)
@given(st.sampled_from(sorted(TWINS)), st.data())
def test_no_damage_is_fatal_and_every_line_is_accounted_for(name: str, data: st.DataObject) -> None:
    damaged = bytearray(TWINS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        size = data.draw(st.integers(0, 40))
        damaged[at : at + size] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"}", b"]", b"\\", b"9:"])
        )
    got = read(bytes(damaged), name)
    if name in LINES:
        lines = [
            line
            for line in bytes(damaged).removeprefix(b"\xef\xbb\xbf").split(b"\n")
            if line.strip(b" \t\r\v\f")
        ]
        kept = {
            report.reason: report.records for report in got.reports if report.reason != "response-unreadable"
        }
        assert len(got.records) + sum(kept.values()) == len(lines)
    assert all(len(report.detail) < 200 for report in got.reports)


def test_details_never_quote_the_record() -> None:
    secret = "sk-s3cret"
    for name in LINES:
        lines = [
            {
                "request": secret,
                "tokens": secret,
                "hash_ids": secret,
                "input_length": secret,
                "messages": secret,
            },
            {
                "request": {"url": secret, secret: secret},
                secret: secret,
                "timestamp": secret,
                "status": secret,
            },
            {"request": {}, "tokens": [secret], "custom_id": [secret], "url": {secret: secret}},
        ]
        got = read(jsonl(lines), name)
        assert sum(got.skipped.values()) + len(got.records) == 3
        assert secret not in repr(got.reports)
