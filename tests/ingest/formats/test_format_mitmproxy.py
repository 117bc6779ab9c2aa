"""Tagged netstrings, flow versions and content encodings."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import replace
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.content_encoding import EncodingError, decoded
from cachelens.ingest.formats.tnetstring import dictionaries, dictionary
from tests.builders.captures import Call, chat, flow, mitmproxy, tnetstring
from tests.builders.reading import read

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.text()
)
trees = st.recursive(
    leaves,
    lambda t: st.lists(t, max_size=4) | st.dictionaries(st.text(max_size=5), t, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), trees, max_size=4))
def test_values_come_back(value: dict[str, Any]) -> None:
    (payload,) = dictionaries(io.BytesIO(tnetstring(value)), 1 << 20)
    assert payload is not None
    assert dictionary(payload, value.keys()) == value
    some = set(list(value)[::2])
    assert dictionary(payload, some) == {key: value[key] for key in value if key in some}


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    try:
        for payload in dictionaries(io.BytesIO(noise), 100):
            assert payload is None or payload in noise
            assert dictionary(payload or b"", {"a"}).keys() <= {"a"}
        assert dictionary(noise, {"a"}).keys() <= {"a"}
    except RecordError:
        return


@pytest.mark.parametrize(
    "payload", [b"1:a", b"1:a;", b"1:a;2:xx", b"1:a;9:x;", b":a;0:~", b"1:a;0:?", b"3:1:a;}0:~"]
)
def test_payloads_that_are_no_dictionaries_are_refused(payload: bytes) -> None:
    with pytest.raises(RecordError, match="bad-flow"):
        dictionary(payload, {"a"})


def test_depth_and_length_are_bounded() -> None:
    deep: Any = None
    for _ in range(100):
        deep = [deep]
    with pytest.raises(RecordError, match="too-deep"):
        dictionary(tnetstring({"a": deep})[4:-1], {"a"})
    with pytest.raises(RecordError, match="bad-flow"):
        list(dictionaries(io.BytesIO(b"9" * 20 + b":"), 100))
    large = tnetstring({"a": b"x" * 300})
    small = tnetstring({"a": 1})
    assert list(dictionaries(io.BytesIO(large + small), 100)) == [None, small[2:-1]]


@pytest.mark.parametrize("version", range(7, 22))
def test_every_version_is_read(version: int) -> None:
    calls = chat(2)
    got = read(mitmproxy(calls, version))
    assert [json.loads(exchange.request) for exchange in got.exchanges] == [call.request for call in calls]
    state = flow(calls[0], version)
    old: dict[Any, Any] = {key.encode(): value for key, value in state.items()}
    old[b"type"] = b"http"
    old[b"request"] = {key.encode(): value for key, value in state["request"].items()}
    assert json.loads(read(tnetstring(old)).exchanges[0].request) == calls[0].request


@pytest.mark.parametrize("version", [6, 22, [0, 18]])
def test_other_versions_are_counted(version: Any) -> None:
    state = flow(chat(1)[0]) | {"version": version}
    assert read(tnetstring(state)).skipped == {"unsupported-version": 1}


def test_flow_that_is_cut_off_is_counted_and_those_before_are_kept() -> None:
    calls = chat(3)
    data = mitmproxy(calls)
    last = len(mitmproxy(calls[2:]))
    for missing in (1, 2, last // 2, last - 1):
        got = read(data[:-missing])
        assert len(got.exchanges) == 2
        assert got.skipped == {"truncated-flow": 1}
        assert got.reports[0].places == (3,)
    got = read(data + b"garbage")
    assert (len(got.exchanges), got.skipped) == (3, {"bad-flow": 1})


def test_streamed_body_dns_flow_and_null_response() -> None:
    good = chat(1)[0]
    states = [
        flow(good, content=None),
        flow(good) | {"type": "dns", "request": None},
        flow(good) | {"response": None},
        flow(good),
    ]
    got = read(b"".join(map(tnetstring, states)))
    assert got.skipped == {"no-request-body": 1, "not-http": 1}
    assert [(exchange.record, exchange.status) for exchange in got.exchanges] == [(3, None), (4, 200)]


def test_url_follows_host_header_authority_and_port() -> None:
    def url(address: str, **request: Any) -> str:
        got = read(tnetstring(flow(replace(chat(1)[0], url=address, headers={}), **request)))
        return str(got.exchanges[0].url)

    assert url("https://h.example:443/p") == "https://h.example/p"
    assert url("http://h.example:443/p") == "http://h.example:443/p"
    assert url("http://h/p", headers=[], host="10.0.0.1", port=8000) == "http://10.0.0.1:8000/p"
    assert (
        url("https://10.0.0.1/p", http_version=b"HTTP/2.0", authority=b"api.example")
        == "https://api.example/p"
    )
    assert url("http://10.0.0.1/p", headers=[(b"HOST", b"name:9")]) == "http://name:9/p"


def _raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]),
    "deflate": zlib.compress,
    "DEFLATE": _raw_deflate,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.compress(data[:7]) + zstandard.compress(data[7:]),
    "identity": bytes,
}


@given(st.binary(max_size=5000), st.lists(st.sampled_from(sorted(ENCODERS)), max_size=3))
def test_encodings_are_undone_in_reverse(data: bytes, names: list[str]) -> None:
    body = data
    for name in names:
        body = ENCODERS[name](body)
    assert decoded(body, ", ".join(names)) == data


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"identity"}))
def test_bombs_are_cut_off_and_broken_data_is_told(name: str) -> None:
    body = ENCODERS[name](bytes(3 << 20))
    assert len(decoded(body, name, limit=3 << 20)) == 3 << 20
    with pytest.raises(EncodingError, match="more than"):
        decoded(body, name, limit=2 << 20)
    text = ENCODERS[name](bytes(range(256)) * 40)
    with pytest.raises(EncodingError, match="broken"):
        decoded(text[: len(text) // 2], name)
    with pytest.raises(EncodingError, match="broken"):
        decoded(b"\x07" + text[1:], name)


def test_unknown_encoding_of_a_request_skips_it_and_of_a_response_keeps_it() -> None:
    call = chat(1)[0]
    headers = [(b"content-encoding", b"zip")]
    bad_request = flow(call, headers=headers)
    bad_response = flow(call)
    bad_response["response"]["headers"] = headers
    got = read(tnetstring(bad_request) + tnetstring(bad_response))
    assert got.skipped == {"bad-encoding": 1, "response-unreadable": 1}
    assert [(exchange.record, exchange.response) for exchange in got.exchanges] == [(2, b"")]


def test_compressed_bodies_are_read() -> None:
    call: Call = chat(1)[0]
    state = flow(
        call,
        headers=[(b"Content-Encoding", b"zstd")],
        content=zstandard.compress(call.request_text.encode()),
    )
    state["response"]["headers"] = [(b"content-encoding", b"gzip"), (b"content-encoding", b"br")]
    state["response"]["content"] = brotli.compress(gzip.compress(call.response_text.encode()))
    (exchange,) = read(tnetstring(state)).exchanges
    assert json.loads(exchange.request) == call.request
    assert json.loads(exchange.response) == call.response
