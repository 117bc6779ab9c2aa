"""VCR cassettes: the calls come back as they were recorded, in all the ways recorders store a body."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
import zstandard

from tests.builders.captures import Call, chat
from tests.builders.reading import read

SSE = "event: message_start\ndata: {}\n\n"


def interaction(call: Call, form: str = "text") -> dict[str, Any]:
    """One interaction; `form` says how its bodies are stored."""
    request: dict[str, Any] = {
        "method": call.method,
        "uri": call.url,
        "headers": {name: [value] for name, value in call.headers.items()},
    }
    response: dict[str, Any] = {
        "status": {"code": call.status, "message": "OK"},
        "headers": {"content-type": ["application/json"]},
    }
    if form == "parsed":
        # Copies, for which no alias is written: each body was parsed on its own.
        request["parsed_body"] = json.loads(call.request_text)
        response["parsed_body"] = json.loads(call.response_text)
    else:
        packed = gzip.compress(call.response_text.encode(), mtime=0)
        stored = {
            "text": call.response_text,
            "binary": call.response_text.encode(),
            "gzip": packed,
            "undone": call.response_text,
        }
        request["body"] = call.request_text.encode() if form == "binary" else call.request_text
        response["body"] = {"string": stored[form]}
        if form in ("gzip", "undone"):
            response["headers"]["Content-Encoding"] = ["gzip"]
    return {"request": request, "response": response}


def cassette(interactions: list[Any]) -> bytes:
    return yaml.dump({"interactions": interactions, "version": 1}).encode()


@pytest.mark.parametrize("form", ["text", "binary", "gzip", "undone", "parsed"])
def test_calls_come_back_as_they_went_in(form: str) -> None:
    recorded = chat(3)
    got = read(cassette([interaction(call, form) for call in recorded]))
    assert (got.format, got.reports) == ("vcr", ())
    assert [(e.record, e.status, e.url, e.headers) for e in got.exchanges] == [
        (n, 200, "https://api.example.com/v1/messages", {"user-agent": "example-agent/1.0"})
        for n in (1, 2, 3)
    ]
    assert [json.loads(e.request) for e in got.exchanges] == [call.request for call in recorded]
    assert [json.loads(e.response) for e in got.exchanges] == [call.response for call in recorded]
    assert {e.started_us for e in got.exchanges} == {None}


def test_streams_stay_text() -> None:
    (exchange,) = read(cassette([interaction(replace(chat(1)[0], response=SSE))])).exchanges
    assert exchange.response == SSE.encode()


def test_what_is_no_llm_request_is_counted_with_its_place() -> None:
    good = chat(1)[0]
    upload = interaction(good)
    upload["request"]["body"] = b"--boundary\r\nContent-Disposition: form-data\r\n\r\nfile"
    calls = [
        interaction(replace(good, method="GET", request=None)),
        interaction(replace(good, method="DELETE")),
        upload,
        interaction(good),
        {"request": "text"},
        "text",
        {"request": {"method": "POST", "body": 5}},
    ]
    got = read(cassette(calls))
    assert [exchange.record for exchange in got.exchanges] == [4]
    assert got.skipped == {"no-request-body": 2, "not-json": 1, "bad-shape": 3}


def test_broken_bodies() -> None:
    request, response = interaction(chat(1)[0], "gzip"), interaction(chat(1)[0], "gzip")
    request["request"] |= {"body": b"\x1f\x8bno gzip", "headers": {"content-encoding": "gzip"}}
    response["response"]["body"]["string"] = b"\x1f\x8bno gzip"
    got = read(cassette([request, response]))
    assert [(e.record, e.response) for e in got.exchanges] == [(2, b"")]
    assert got.skipped == {"bad-encoding": 1, "response-unreadable": 1}


def test_secrets_reach_neither_exchanges_nor_reports() -> None:
    secret = "s3cr3t-k3y"
    headers = {"Authorization": secret, "X-Api-Key": secret, "Cookie": secret, "X-Session-Id": "session-1"}
    url = f"https://user:{secret}@host.example/v1beta/m:generateContent?key={secret}&alt=sse"
    good = replace(chat(1)[0], headers=headers, url=url)
    got = read(cassette([interaction(good), interaction(replace(good, request=secret)), {secret: secret}]))
    assert secret not in repr(got)
    assert got.exchanges[0].headers == {"x-session-id": "session-1"}
    assert got.exchanges[0].url == "https://host.example/v1beta/m:generateContent?alt=sse"
    assert sum(got.skipped.values()) == 2


def test_aliases_and_objects_cost_their_interaction_only() -> None:
    shared = {"a": ["b"]}
    calls = [interaction(call, "parsed") for call in chat(3)]
    calls[1]["request"]["parsed_body"] |= {"x": shared, "y": shared}
    dumped = cassette(calls)
    assert b"&id001" in dumped
    evil = dumped.replace(b"- request:", b"- !!python/object/apply:os.system [x]\n- request:", 1)
    got = read(evil)
    assert [exchange.record for exchange in got.exchanges] == [2, 4]
    assert got.skipped == {"bad-yaml": 2}


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_compressed_cassettes_and_truncated_ones(pack: Any) -> None:
    data = cassette([interaction(call) for call in chat(4)])
    assert len(read(pack(data)).records) == 4
    packed = pack(data)
    for cut in (len(packed) - 3, len(packed) // 2):
        got = read(packed[:cut], "vcr")
        assert got.skipped == {"truncated-archive": 1}
        assert got.reports[0].places == (len(got.records) + 1,)
        assert [json.loads(e.request) for e in got.exchanges] == [
            call.request for call in chat(4)[: len(got.records)]
        ]


def test_damage() -> None:
    data = cassette([interaction(call) for call in chat(4)])
    assert len(read(b"\xef\xbb\xbf" + data).records) == 4
    assert len(read(data.replace(b"\n", b"\r\n")).records) == 4
    long = cassette([interaction(call) for call in chat(60)])
    for broken in (long[:-9000] + b"\0" + long[-9000:], data + b"\n  - x: ]["):
        got = read(broken, "vcr")
        assert got.skipped == {"bad-yaml": 1}
        assert got.reports[0].places == (len(got.records) + 1,)
        assert len(got.records) >= 4


def test_lone_surrogates_and_numbers_that_json_lacks() -> None:
    call = interaction(chat(1)[0], "parsed")
    call["request"]["parsed_body"] |= {"x": float("nan"), "y": b"\xff", "z": {1: 2}}
    (exchange,) = read(cassette([call])).exchanges
    assert json.loads(exchange.request)["x"] is None
    odd = cassette([interaction(chat(1)[0])]).replace(b'"messages"', b'"mess\\\\ud83dages"', 1)
    assert len(read(odd, "vcr").records) + sum(read(odd, "vcr").skipped.values()) == 1
