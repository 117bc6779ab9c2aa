"""What holds for all transcripts and cassettes: they are told apart, and damage costs what it hit."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
import yaml
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats import FORMATS, claude_code_tree, codex_turns, json_lines, pi_session
from cachelens.ingest.source import Source
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline import analyze, load
from tests.builders.captures import jsonl
from tests.builders.reading import read
from tests.builders.transcripts import ClaudeCode, Codex, Pi, text

TURNS = 4


def claude_code(secret: str = "") -> list[Any]:
    t = ClaudeCode()
    for turn in range(TURNS):
        t.user(f"question {turn}", cwd=secret)
        t.answer(f"m{turn}", text(f"answer {turn}"))
    return t.lines


def codex_rollout(secret: str = "") -> list[Any]:
    r = Codex(git={"repository_url": secret})
    for turn in range(TURNS):
        r.user(f"question {turn}")
        r.message("assistant", f"answer {turn}")
        r.tokens(100 + turn, 50, 5)
    return r.lines


def pi_lines(secret: str = "", version: int | None = 3) -> list[Any]:
    s = Pi(version)
    for turn in range(TURNS):
        s.say("user", f"question {turn}", authorization=secret)
        s.answer(text(f"answer {turn}"))
    return s.lines


LINES = {"claude-code": claude_code, "codex-rollout": codex_rollout, "pi-session": pi_lines}
CASSETTE = yaml.dump(
    {
        "interactions": [
            {
                "request": {
                    "method": "POST",
                    "uri": "/v1/messages",
                    "body": json.dumps({"messages": [], "n": n}),
                }
            }
            for n in range(TURNS)
        ]
    }
).encode()
TWINS = {name: jsonl(lines()) for name, lines in LINES.items()} | {"vcr": CASSETTE}
every_format = pytest.mark.parametrize("name", TWINS)
line_formats = pytest.mark.parametrize("name", LINES)


@every_format
def test_one_format_claims_a_file_far_more_surely_than_any_other(name: str) -> None:
    claims = {
        other: FORMATS.load(other)().claim(Source("x", stream=io.BytesIO(TWINS[name]))) for other in FORMATS
    }
    assert claims.pop(name) >= 0.9
    assert max(claims.values()) <= 0.3
    got = read(TWINS[name])
    assert (got.format, len(got.records), got.reports) == (name, TURNS, ())


def test_the_lines_that_claude_code_writes_first_are_enough() -> None:
    for line in (
        {"type": "summary", "summary": "title", "leafUuid": "u"},
        {"type": "mode", "mode": "normal", "sessionId": "s"},
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        {"type": "queue-operation", "operation": "enqueue", "sessionId": "s"},
    ):
        assert read(jsonl([line] * 9) + TWINS["claude-code"]).format == "claude-code"


@every_format
def test_a_head_cut_anywhere_behind_the_first_keys_is_enough(name: str) -> None:
    for cut in range(300, len(TWINS[name]), 41):
        assert read(TWINS[name][:cut]).format == name


@every_format
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_compressed_and_truncated(name: str, pack: Any) -> None:
    packed = pack(TWINS[name])
    assert len(read(packed).records) == TURNS
    for cut in (len(packed) - 3, len(packed) // 2):
        got = read(packed[:cut], name)
        assert got.skipped == {"truncated-archive": 1}
        assert len(got.records) <= TURNS


@line_formats
def test_byte_order_mark_line_ends_and_blank_lines(name: str) -> None:
    got = read(b"\xef\xbb\xbf" + TWINS[name].replace(b"\n", b"\r\n\r\n  \n"))
    assert (got.format, len(got.records), got.reports) == (name, TURNS, ())
    assert got.records[0].record == 3 * read(TWINS[name]).records[0].record - 2


@line_formats
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": ', "bad-json"),
        (b"\0\0\0\0", "bad-json"),
        (b'{"type": "x", "a": "\xff\xfe"}', "bad-utf8"),
        (b'{"type": "x", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too-deep"),
        (b"5", "bad-shape"),
        (b'{"type": "x", "timestamp": {}}', "bad-shape"),
        (b'{"kind": "x"}', "bad-shape"),
    ],
    ids=["cut", "nul", "utf8", "deep", "number", "time", "no-type"],
)
def test_a_broken_line_is_counted_and_the_rest_read(name: str, line: bytes, reason: str) -> None:
    first, rest = TWINS[name].split(b"\n", 1)
    got = read(first + b"\n" + line + b"\n" + rest)
    assert got.format == name
    assert got.skipped == {reason: 1}
    assert got.reports[0].places == (2,)
    assert len(got.records) == TURNS


@line_formats
def test_a_time_that_is_none_costs_its_call(name: str) -> None:
    lines = LINES[name]()
    for line in lines[-2:]:
        line["timestamp"] = "yesterday"
        if name == "pi-session":
            line["message"]["timestamp"] = "yesterday"
    got = read(jsonl(lines))
    assert got.skipped == {"bad-timestamp": 1}
    assert len(got.records) == TURNS - 1


@line_formats
def test_lines_over_the_limit_are_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from cachelens.ingest.source import lines

    monkeypatch.setattr(json_lines, "lines", lambda stream: lines(stream, 3000))
    large = jsonl([{"type": "x", "x": "x" * 5000}])
    got = read(TWINS[name] + large + TWINS[name], name)
    assert got.skipped["record-too-large"] == 1
    assert len(got.records) >= TURNS


@line_formats
def test_messages_in_memory_are_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 200 if name == "codex-rollout" else 60
    for module in (claude_code_tree, codex_turns, pi_session):
        monkeypatch.setattr(module, "KEPT_BYTES", limit)
    got = read(TWINS[name])
    assert got.skipped == {"record-too-large": 1}
    assert 0 < len(got.records) < TURNS


@line_formats
def test_calls_behind_a_lost_line_say_so(name: str) -> None:
    lines = LINES[name]() if name != "pi-session" else pi_lines(version=None)
    at = next(n for n, line in enumerate(lines) if "question 1" in repr(line))
    got = read(jsonl(lines[:at]) + b"lost\n" + jsonl(lines[at + 1 :]), name)
    marked = [(record.partial or "").endswith(",history-missing") for record in got.records]
    assert marked == [False, True, True, True]


@line_formats
def test_halves_of_surrogate_pairs_become_replacement_characters(name: str) -> None:
    got = read(TWINS[name].replace(b"question 0", rb"cut \ud83d here"))
    assert (
        "cut \ufffd here"
        in json.loads(got.exchanges[0].request.replace(b"\\ufffd", "\ufffd".encode())).__repr__()
    )


@line_formats
def test_secrets_reach_neither_exchanges_nor_reports(name: str) -> None:
    secret = "s3cr3t-k3y"
    broken = [{"type": secret, secret: secret, "timestamp": [secret]}, {secret: secret}, secret]
    got = read(jsonl([*LINES[name](secret), *broken]), name)
    assert secret not in repr(got)
    assert len(got.records) == TURNS
    assert sum(got.skipped.values()) == 3


@settings(max_examples=300)
@given(st.sampled_from(sorted(TWINS)), st.data())
def test_no_damage_is_fatal(name: str, data: st.DataObject) -> None:
    damaged = bytearray(TWINS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        size = data.draw(st.integers(0, 40))
        damaged[at : at + size] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"}", b"]", b"\\", b"null", b"u1", b"- "])
        )
    got = read(bytes(damaged), name)
    assert len(got.records) <= TURNS + 4
    assert all(isinstance(record, Exchange) for record in got.records)
    assert all(json.loads(record.request) for record in got.records)
    assert all(len(report.detail) < 200 for report in got.reports)


@every_format
def test_analysis_says_what_is_missing(name: str, tmp_path: Any) -> None:
    path = tmp_path / "transcript"
    path.write_bytes(TWINS[name])
    trace = load([str(path)], IngestOptions())
    note = FORMATS.load(name).note
    assert note in trace.notes
    partial = trace.requests["partial"].to_list()
    if name == "vcr":
        assert partial == [None] * TURNS
        assert any(line.startswith("no times in the trace") for line in trace.notes)
        return
    assert all(mark.endswith("tools-missing") for mark in partial)
    assert f"{TURNS} of {TURNS} requests are known only in part (column `partial`)" in trace.notes
    result = analyze(trace, AnalyzeOptions())
    assert result.trace.lineages == 1
    assert result.totals.outcomes["divergence"] == 0
    assert trace.requests["harness"].unique().to_list() == [
        name.partition("-")[0].replace("claude", "claude-code")
    ]
