"""The same calls in every container give the same exchanges, and nothing secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, Shortened
from cachelens.ingest.formats.pairs import Pairs
from cachelens.ingest.source import Source
from cachelens.model.skips import SkipTally
from tests.builders.captures import (
    Call,
    chat,
    claude_trace,
    flow,
    har,
    har_entry,
    jsonl,
    mitmproxy,
    pairs,
    tnetstring,
)
from tests.builders.reading import read

CONTAINERS: dict[str, Callable[[list[Call]], bytes]] = {
    "pairs": pairs,
    "claude-trace": claude_trace,
    "har": har,
    "mitmproxy": mitmproxy,
}

container = pytest.mark.parametrize("name", CONTAINERS)


def facts(exchange: Exchange) -> tuple[object, ...]:
    """What must be equal over all containers."""
    response = exchange.response.decode()
    return (
        exchange.record,
        exchange.started_us,
        exchange.ended_us,
        exchange.first_token_us,
        exchange.status,
        exchange.url,
        exchange.headers,
        json.loads(exchange.request),
        json.loads(response) if response.startswith("{") else response,
    )


@container
@pytest.mark.parametrize("stream", [False, True])
def test_calls_come_back_as_they_went_in(name: str, stream: bool) -> None:
    calls = chat(3, stream=stream)
    got = read(CONTAINERS[name](calls))
    assert got.format == name
    assert got.reports == ()
    assert [facts(exchange) for exchange in got.exchanges] == [
        (
            number,
            1_800_000_000_250_000 + (number - 1) * 1_000_000,
            1_800_000_000_750_000 + (number - 1) * 1_000_000,
            None,
            200,
            "https://api.example.com/v1/messages",
            {"user-agent": "example-agent/1.0"},
            call.request,
            call.response,
        )
        for number, call in enumerate(calls, 1)
    ]


@container
def test_times_are_floored_to_milliseconds_and_durations_rounded_to_tenths(name: str) -> None:
    call = replace(chat(1)[0], start=1_800_000_000.123987, duration=0.01236)
    (exchange,) = read(CONTAINERS[name]([call])).exchanges
    assert exchange.started_us == 1_800_000_000_123_000
    # claude-trace logs the end in whole milliseconds: .136347 is floored before the difference is taken.
    assert exchange.ended_us == 1_800_000_000_123_000 + (13_000 if name == "claude-trace" else 12_400)


@container
def test_what_is_no_llm_request_is_counted_and_the_rest_read(name: str) -> None:
    good = chat(1)[0]
    calls = [
        replace(good, method="GET", request=None),
        replace(good, request=None),
        good,
        replace(good, request=[1, 2]),
        replace(good, method="PUT"),
    ]
    got = read(CONTAINERS[name](calls), name)
    assert [exchange.record for exchange in got.exchanges] == [3]
    assert got.skipped == {"no-request-body": 2, "not-json": 1, "not-post": 1}
    assert {report.reason: report.places for report in got.reports}["no-request-body"] == (1, 2)


@container
def test_call_without_response_is_kept(name: str) -> None:
    (exchange,) = read(CONTAINERS[name]([replace(chat(1)[0], response=None)])).exchanges
    assert exchange.response == b""
    if name != "pairs":
        assert exchange.status is None
        assert exchange.ended_us is None


@container
def test_secrets_reach_neither_exchanges_nor_reports(name: str) -> None:
    secret = "s3cr3t-k3y"
    headers = {
        "Authorization": f"Bearer {secret}",
        "X-Api-Key": secret,
        "x-goog-api-key": secret,
        "Cookie": f"sid={secret}",
        "Proxy-Authorization": secret,
        "X-Session-Id": "session-1",
    }
    url = f"https://user:{secret}@host.example/v1beta/m:streamGenerateContent?key={secret}&alt=sse#{secret}"
    good = replace(chat(1)[0], headers=headers, url=url)
    bad = replace(good, request=f"no json {secret}")
    got = read(CONTAINERS[name]([good, bad, replace(good, method=secret)]))
    assert secret not in repr(got)
    assert got.exchanges[0].url == "https://host.example/v1beta/m:streamGenerateContent?alt=sse"
    assert got.exchanges[0].headers == {"x-session-id": "session-1"}
    assert sum(got.skipped.values()) == 2


@container
def test_halves_of_surrogate_pairs_become_replacement_characters(name: str) -> None:
    lone, whole = "cut \ud83d here", "whole \U0001f600"
    call = Call(
        {"model": "m", "messages": [{"role": "user", "content": lone + whole}]},
        {"content": [{"type": "text", "text": "\udc00" + whole}]},
    )
    got = read(CONTAINERS[name]([call, *chat(1)]))
    assert got.reports == ()
    first = got.exchanges[0]
    assert json.loads(first.request)["messages"][0]["content"] == "cut \ufffd here" + whole
    assert json.loads(first.response)["content"][0]["text"] == "\ufffd" + whole


@container
def test_first_record_larger_than_the_head_is_recognized(name: str) -> None:
    big = Call({"messages": [{"role": "user", "content": "x" * 200_000}], "model": "m"}, {"ok": True})
    got = read(CONTAINERS[name]([big]))
    assert got.format == name
    assert len(got.exchanges) == 1


@pytest.mark.parametrize("first", ["request", "response", "timestamp"])
def test_pairs_are_recognized_whatever_key_comes_first(first: str) -> None:
    record = json.loads(pairs(chat(1)))
    record["request"]["messages"][0]["content"] = "x" * 100_000
    record["response"] = {"content": "y" * 100_000}
    ordered = {first: record[first]} | record
    if first == "response":  # nothing but the response is visible; the second line tells
        with_small = jsonl([json.loads(pairs(chat(1))), ordered])
        assert read(with_small).format == "pairs"
    else:
        assert read(jsonl([ordered])).format == "pairs"


def test_bodies_given_as_strings_are_unpacked() -> None:
    call = chat(1)[0]
    record = json.loads(pairs([call]))
    record["request"], record["response"] = call.request_text, "data: {}\n\n"
    got = read(jsonl([record, record | {"request": '{"a": '}, record | {"response": 7}]), "pairs")
    assert json.loads(got.exchanges[0].request) == call.request
    assert got.exchanges[0].response == b"data: {}\n\n"
    assert got.skipped == {"not-json": 1}


def test_durations_in_milliseconds_and_session_keys_of_pairs() -> None:
    record = json.loads(pairs(chat(1)))
    del record["duration_s"]
    record |= {"duration_ms": 59.26, "session_id": "s", "request_id": "r", "usage": {"n": 1}}
    (exchange,) = read(jsonl([record])).exchanges
    assert exchange.ended_us == 1_800_000_000_250_000 + 59_300
    assert (exchange.session_key, exchange.request_id) == ("s", "r")
    assert json.loads(exchange.usage) == {"n": 1}


@pytest.mark.parametrize("stamp", ["yesterday", -5, 1e30, "9999999-01-01"])
def test_times_that_are_none_are_counted(stamp: object) -> None:
    record = json.loads(pairs(chat(1))) | {"timestamp": stamp}
    assert read(jsonl([record])).skipped == {"bad-timestamp": 1}


def test_records_without_a_time_are_kept() -> None:
    record = json.loads(pairs(chat(1)))
    del record["timestamp"]
    (exchange,) = read(jsonl([record])).exchanges
    assert (exchange.started_us, exchange.ended_us) == (None, None)


def test_shortened_records_are_decoded_and_the_reference_is_passed_on() -> None:
    seen: list[bytes] = []

    def shorten(record: bytes) -> Shortened:
        seen.append(record)
        return record.replace(b'"question', b'"short question'), ("cut", len(seen))

    data = pairs(chat(2))
    skips = SkipTally()
    exchanges = list(Pairs().read(_source(data), ReadContext("x", skips, shorten)))
    assert seen == data.splitlines(keepends=True)
    assert [exchange.elided for exchange in exchanges] == [("cut", 1), ("cut", 2)]
    assert b"short question 0" in exchanges[0].request


def test_a_mended_record_is_read_whole() -> None:
    """What was cut out of a line does not fit the line once surrogates are mended in it."""
    call = Call({"messages": [{"role": "user", "content": "kept \ud83d"}]}, None)
    exchanges = list(Pairs().read(_source(pairs([call])), ReadContext("x", SkipTally(), _cut_messages)))
    assert exchanges[0].elided is None
    assert json.loads(exchanges[0].request)["messages"][0]["content"] == "kept \ufffd"


def _cut_messages(record: bytes) -> Shortened:
    return record.replace(b'"role": "user", ', b""), "cut"


def _source(data: bytes) -> Source:
    import io

    return Source("x", stream=io.BytesIO(data))


def test_har_of_mitmproxy_counts_connecting_in_time_and_others_do_not() -> None:
    call = chat(1)[0]
    by_mitmproxy = read(har([call], creator="mitmproxy", connect_ms=8.5)).exchanges[0]
    by_browser = read(har([call], creator="WebInspector", connect_ms=8.5)).exchanges[0]
    assert by_mitmproxy.ended_us == 1_800_000_000_750_000
    assert by_browser.ended_us == 1_800_000_000_758_500


def test_har_event_stream_without_charset_is_not_mangled() -> None:
    """mitmproxy takes such a stream for Latin-1."""
    text = 'data: {"x": "naïve ’ 😀"}\n\n'
    entry = har_entry(replace(chat(1)[0], response=text.encode().decode("latin-1")))
    entry["response"]["content"]["mimeType"] = "text/event-stream"
    log = {"log": {"creator": {"name": "mitmproxy"}, "entries": [entry]}}
    assert read(json.dumps(log).encode()).exchanges[0].response.decode() == text
    entry["response"]["content"]["text"] = text
    assert read(json.dumps(log).encode()).exchanges[0].response.decode() == text


def test_har_base64_bom_indentation_and_missing_text() -> None:
    calls = chat(2)
    document = json.loads(har(calls))
    first, second = document["log"]["entries"]
    first["response"]["content"] |= {
        "encoding": "base64",
        "text": base64.b64encode(calls[0].response_text.encode()).decode(),
    }
    del second["response"]["content"]["text"]
    got = read(b"\xef\xbb\xbf" + json.dumps(document, indent=4).encode())
    assert json.loads(got.exchanges[0].response) == calls[0].response
    assert (got.exchanges[1].response, got.exchanges[1].status) == (b"", 200)
    first["response"]["content"]["text"] = "!!"
    got = read(json.dumps(document).encode())
    assert len(got.exchanges) == 2
    assert got.skipped == {"response-unreadable": 1}


def test_claude_trace_events_become_an_event_stream() -> None:
    line = json.loads(claude_trace(chat(1)))
    del line["response"]["body"]
    line["response"]["events"] = [{"event": "ping", "data": "{}", "timestamp": 1}, {"data": {"a": 1}}]
    (exchange,) = read(jsonl([line])).exchanges
    assert exchange.response == b'event: ping\ndata: {}\n\ndata: {"a": 1}\n\n'


def test_bare_bodies_and_batch_lines() -> None:
    body = chat(1)[0].request
    bare = read(
        jsonl([body | {"timestamp": 1.5, "session_id": "s", "usage": {"u": 1}, "response": {"id": 1}}])
    )
    assert bare.format == "requests"
    (exchange,) = bare.exchanges
    assert json.loads(exchange.request)["messages"] == body["messages"]
    assert (exchange.started_us, exchange.session_key) == (1_500_000, "s")
    assert (json.loads(exchange.usage), json.loads(exchange.response)) == ({"u": 1}, {"id": 1})
    batch = {"custom_id": "c1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    got = read(jsonl([batch, {"custom_id": "c2", "response": {"body": {}}}, {"model": "m"}]))
    assert got.format == "requests"
    assert json.loads(got.exchanges[0].request) == body
    assert (got.exchanges[0].url, got.exchanges[0].request_id) == ("/v1/chat/completions", "c1")
    assert got.skipped == {"batch-output": 1, "no-request-body": 1}


def _codex_messages() -> list[tuple[bool, str, float]]:
    create = {"type": "response.create", "model": "m", "input": [{"role": "user", "content": "hi"}]}
    return [
        (False, json.dumps({"type": "session.created"}), 99.0),
        (True, json.dumps(create), 100.0),
        (False, json.dumps({"type": "response.created", "response": {"id": "r1"}}, indent=1), 100.1),
        (False, json.dumps({"type": "response.completed", "response": {"id": "r1"}}), 100.25),
        (True, "no json", 100.3),
        (True, json.dumps(create | {"previous_response_id": "r1"}), 101.0),
        (False, json.dumps({"type": "error", "status": 429}), 101.5),
        (True, json.dumps(create), 102.0),
        (False, json.dumps({"type": "response.created"}), 102.1),
    ]


def _websocket_flows(version: int) -> bytes:
    call = Call(None, None, url="wss://h.example/v1/responses", method="GET")
    state = flow(call, version)
    messages = [[1, client, text.encode(), at, False, False] for client, text, at in _codex_messages()]
    if version >= 12:
        state["websocket"] = {"messages": [*messages, [2, True, b"\x00", 103.0, False, False]]}
        return tnetstring(state)
    state["metadata"] = {"websocket": True}
    old = {"version": version, "type": "websocket", "id": "w", "metadata": {"websocket_handshake": "flow"}}
    old["messages"] = [message[:5] for message in messages]
    return tnetstring(state) + tnetstring(old)


def _websocket_har() -> bytes:
    entry = har_entry(Call(None, None, url="wss://h.example/v1/responses", method="GET"))
    entry["_webSocketMessages"] = [
        {"type": "send" if client else "receive", "time": at, "opcode": 1, "data": text}
        for client, text, at in _codex_messages()
    ]
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}).encode()


@pytest.mark.parametrize("data", [_websocket_flows(21), _websocket_flows(11), _websocket_har()])
def test_websocket_turns_become_exchanges(data: bytes) -> None:
    got = read(data)
    first, second, third = got.exchanges
    assert json.loads(first.request) == {"model": "m", "input": [{"role": "user", "content": "hi"}]}
    assert [json.loads(event[6:])["type"] for event in first.response.decode().split("\n\n")[:-1]] == [
        "response.created",
        "response.completed",
    ]
    assert first.url.endswith("//h.example/v1/responses")
    assert (first.status, first.started_us, first.ended_us) == (200, 100_000_000, 100_250_000)
    assert json.loads(second.request)["previous_response_id"] == "r1"
    assert (second.status, second.ended_us) == (429, 101_500_000)
    assert (third.status, third.ended_us) == (None, None)
    assert got.skipped["bad-message"] == 1
