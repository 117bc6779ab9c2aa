"""Leaving out what an earlier record said must never change what is read."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.ingest.shorten import Elided, Shortener
from cachelens.model.options import IngestOptions
from cachelens.pipeline import load
from tests.builders.captures import Call, pairs

TEXTS = st.text(alphabet='ab"\\[]{},:\u00e9 \n', max_size=12)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS}), max_size=8
)


def record(messages: list[object], spaced: bool = False, **more: object) -> bytes:
    body = {"model": "m", "messages": messages, "tools": [{"name": "t"}], **more}
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps({"id": len(messages), "request": body}, separators=separators).encode()


def read(shortener: Shortener, line: bytes) -> list[bytes]:
    """Raw messages of a record, read as the ingest core does: shortened, checked, remembered."""
    short, elided = shortener.shorten(line)
    body = msgspec.json.decode(short, type=dict[str, msgspec.Raw])["request"]
    raw_list = bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["messages"])
    raws = [bytes(raw) for raw in msgspec.json.decode(raw_list, type=list[msgspec.Raw])]
    if elided.start < 0:
        elided = shortener.learn(elided.record, raw_list) or elided
    kept = list(elided.known.payload[: elided.kept]) if elided.known else []
    whole = kept + raws
    if elided.start >= 0 and not shortener.remember(elided, raws, whole):
        assert elided.kept
        restored = elided.restore(bytes(body))
        raw_list = bytes(msgspec.json.decode(restored, type=dict[str, msgspec.Raw])["messages"])
        return [bytes(raw) for raw in msgspec.json.decode(raw_list, type=list[msgspec.Raw])]
    return whole


PAD = {"role": "system", "content": "x" * 600}


@settings(max_examples=300)
@given(st.lists(st.tuples(MESSAGES, st.booleans()), min_size=1, max_size=8))
def test_shortened_records_hold_the_same_messages(requests: list[tuple[list[object], bool]]) -> None:
    shortener = Shortener()
    for messages, spaced in requests:
        whole = [PAD, *messages]
        line = record(whole, spaced)
        assert [json.loads(raw) for raw in read(shortener, line)] == whole


@given(MESSAGES, MESSAGES)
def test_a_growing_history_is_left_out_whole(first: list[object], more: list[object]) -> None:
    shortener = Shortener()
    read(shortener, record([PAD, *first]))
    read(shortener, record([PAD, *first]))
    short, elided = shortener.shorten(record([PAD, *first, *more]))
    assert elided.kept == 1 + len(first)
    assert b"x" * 600 not in short


def test_a_list_outside_the_body_is_put_back() -> None:
    """The same key earlier in the record: what was cut belongs elsewhere, and the body stays whole."""
    shortener = Shortener()
    read(shortener, record([PAD]))
    body = json.dumps({"messages": [{"role": "user", "content": "mine"}]}, separators=(",", ":"))
    decoy = json.dumps([PAD, {"role": "user", "content": "not mine"}], separators=(",", ":"))
    line = f'{{"note":{{"messages":{decoy}}},"request":{body}}}'.encode()
    assert [json.loads(raw) for raw in read(shortener, line)] == [{"role": "user", "content": "mine"}]


def test_restore_puts_the_cut_back_into_the_body() -> None:
    line = record([PAD, {"role": "user", "content": "a"}])
    start = line.index(b"[")
    resume = line.index(b'{"role":"user"')
    short = line[: start + 1] + line[resume:]
    body = bytes(msgspec.json.decode(short, type=dict[str, msgspec.Raw])["request"])
    whole = bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["request"])
    assert Elided(line, start, resume, None, 1).restore(body) == whole


def test_memory_is_bounded() -> None:
    shortener = Shortener()
    for number in range(300):
        read(shortener, record([{"role": "system", "content": f"{number} " + "y" * 700}]))
    assert len(shortener._lists) <= 64
    assert shortener._bytes == sum(len(known.region) for known in shortener._lists.values())


def test_counting_the_tokens_of_known_messages_is_no_request(tmp_path: Path) -> None:
    """What was sent before is left out of the body: what is left must not be taken for a request."""
    messages = [{"role": "user", "content": "tell me about the tides " * 60}]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": messages}
    url = "https://api.anthropic.com/v1/messages"
    calls = [
        Call(body, url=url),
        Call({"model": "claude-sonnet-4-5", "messages": messages}, url=f"{url}/count_tokens"),
    ]
    place = tmp_path / "capture.jsonl"
    place.write_bytes(pairs(calls))
    trace = load([str(place)], IngestOptions())
    assert len(trace) == 1
    assert [report.reason for report in trace.skipped] == ["not-an-llm-request"]
