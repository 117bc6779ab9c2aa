"""Recordings of SDK clients hold what crossed the wire, and nothing else is changed by the recording."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cachelens.errors import UsageError
from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline import load
from cachelens.testing import AsyncRecordingTransport, Recording, RecordingTransport
from tests.builders.captures import Call, pairs
from tests.testing.server import SCRIPTS, Server, chat, running

KEY = "sk-proj-0123456789abcdefghij"
_TIMES = ["started_at", "first_token_at", "ended_at", "source_file"]
LIBRARIES = ["httpx", "httpx2"]
APIS = list(SCRIPTS)
#: Which SDK takes whose clients.
TAKES = [(APIS[0], "httpx"), *((api, "httpx2") for api in APIS)]


def library(name: str) -> ModuleType:
    return pytest.importorskip(name, reason=f"{name} is not installed (extra `test`)")


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def sdk(api: str) -> ModuleType:
    return library("anthropic" if api == "/v1/messages" else "openai")


def client(api: str, server: Server, http: Any, asynchronous: bool = False) -> Any:
    module = sdk(api)
    anthropic = module.__name__ == "anthropic"
    name = ("Async" if asynchronous else "") + ("Anthropic" if anthropic else "OpenAI")
    base = server.url if anthropic else f"{server.url}/v1"
    return getattr(module, name)(api_key=KEY, base_url=base, http_client=http, max_retries=0)


def call(api: str, client: Any, turns: list[str], stream: bool) -> Any:
    """Send a conversation whose user said `turns`, in the spelling of the API; the SDK's answer."""
    messages = [{"role": "assistant" if at % 2 else "user", "content": said} for at, said in enumerate(turns)]
    if api == "/v1/messages":
        kwargs = {"model": "claude-example-1", "max_tokens": 99, "system": "Be brief.", "messages": messages}
        return client.messages.create(**kwargs, stream=stream)
    if api == "/v1/responses":
        kwargs = {"model": "example-1", "instructions": "Be brief.", "input": messages}
        return client.responses.create(**kwargs, stream=stream)
    messages.insert(0, {"role": "system", "content": "Be brief."})
    return client.chat.completions.create(model="example-1", messages=messages, stream=stream)


def conversation(turn: int) -> list[str]:
    said = []
    for number in range(turn + 1):
        said += [f'question {number}: naïve ☕ 😀 "quoted"', f"answer {number} ☕"]
    return said[:-1]


def wire(server: Server, path: Path) -> Trace:
    """What crossed the wire, as a capture written by hand."""
    calls = [
        Call(json.loads(request), text if text.startswith(("data:", "event:")) else json.loads(text),
             start=1_800_000_000.0 + at, url=server.url + api, headers={})
        for at, (api, request, text) in enumerate(server.log)
    ]  # fmt: skip
    path.write_bytes(pairs(calls))
    return load([str(path)], IngestOptions(strict=True))


def assert_same(one: Trace, other: Trace) -> None:
    """Equal tables, but for times and the name of the file."""
    assert one.requests.drop(_TIMES).equals(other.requests.drop(_TIMES))
    for table in ("segments", "contents"):
        for name, column in vars(getattr(one, table)).items():
            assert np.array_equal(column, getattr(getattr(other, table), name)), name
    for name in ("last_segment", "last_output", "predecessor"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("stream", "compressed"), [(False, False), (True, False), (True, True)], ids=["whole", "streamed", "gzip"]
)
@pytest.mark.parametrize(("api", "name"), TAKES)
def test_a_recorded_sdk_gives_the_tables_of_the_wire(
    api: str, name: str, stream: bool, compressed: bool, server: Server, tmp_path: Path
):
    server.compressed = compressed
    path = tmp_path / "recorded.jsonl"
    with client(api, server, library(name).Client(transport=RecordingTransport(path))) as one:
        for turn in range(3):
            answer = call(api, one, conversation(turn), stream)
            if stream:
                assert len(list(answer)) >= 3
    recorded = load([str(path)], IngestOptions(strict=True))
    assert_same(recorded, wire(server, tmp_path / "wire.jsonl"))
    assert recorded.predecessor.tolist() == [-1, 0, 1]
    assert recorded.requests["stream"].to_list() == [stream] * 3
    assert all(recorded.last_output > recorded.last_segment)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("api", "name"), TAKES)
def test_asynchronous_clients_are_recorded_alike(
    api: str, name: str, stream: bool, server: Server, tmp_path: Path
):
    path = tmp_path / "recorded.jsonl"

    async def run() -> None:
        http = library(name).AsyncClient(transport=AsyncRecordingTransport(path))
        async with client(api, server, http, asynchronous=True) as one:
            for turn in range(3):
                answer = await call(api, one, conversation(turn), stream)
                if stream:
                    assert len([event async for event in answer]) >= 3

    asyncio.run(run())
    assert_same(load([str(path)], IngestOptions(strict=True)), wire(server, tmp_path / "wire.jsonl"))


@pytest.mark.parametrize("name", LIBRARIES)
def test_request_bodies_are_written_byte_for_byte(name: str, tmp_path: Path):
    # Spelling, order and doubled keys are what breaks prefixes: nothing may be tidied up.
    http = library(name)
    body = (
        b'{"model":"m", "messages" : [{"content":"caf\\u00e9 \xe2\x98\x95","role":"user"}],"n":1.50,"n":1e0}'
    )
    path = tmp_path / "recorded.jsonl"
    with http.Client(transport=RecordingTransport(path, in_memory(http))) as one:
        one.post("http://example.test/v1/chat/completions", content=body)
        one.post("http://example.test/v1/chat/completions", content=body.replace(b", ", b",\n  "))
    first, second = path.read_bytes().splitlines()
    assert body in first
    assert json.loads(second)["request"] == json.loads(first)["request"]
    assert len(load([str(path)], IngestOptions(strict=True))) == 2


def in_memory(http: ModuleType, answer: Callable[[Any], Any] | None = None) -> Any:
    """A transport that answers without a network."""
    return http.MockTransport(answer or (lambda request: http.Response(200, json=chat(0))))


@pytest.mark.parametrize("name", LIBRARIES)
def test_responses_made_in_memory_are_recorded(name: str, tmp_path: Path):
    http = library(name)
    recording = Recording(tmp_path / "recorded.jsonl")

    def post(path: Path) -> Any:
        with http.Client(transport=recording.transport(in_memory(http))) as one:
            return one.post("http://example.test/v1/chat/completions", json={"model": "m", "messages": []})

    assert post(recording.path).json() == chat(0)
    (line,) = lines(recording.path)
    assert line["response"] == chat(0)
    assert "closed_early" not in line
    assert recording.requests == [{"model": "m", "messages": []}]


@pytest.mark.parametrize("name", LIBRARIES)
def test_chunks_reach_the_caller_before_the_stream_goes_on(name: str, server: Server, tmp_path: Path):
    server.gate = threading.Event()
    path = tmp_path / "recorded.jsonl"
    with client(APIS[0], server, library(name).Client(transport=RecordingTransport(path))) as one:
        answer = iter(call(APIS[0], one, ["hello"], stream=True))
        next(answer)
        assert not path.exists()
        server.gate.set()
        rest = list(answer)
    assert not server.waited_out  # the first chunk was here before the server went on
    assert len(rest) == 3
    (line,) = lines(path)
    assert line["response"] == server.log[0][2]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_stream_closed_early_is_written_as_far_as_it_came(
    name: str, asynchronous: bool, server: Server, tmp_path: Path
):
    server.gate = threading.Event()
    path = tmp_path / "recorded.jsonl"
    http = library(name)

    async def run() -> None:
        transport = AsyncRecordingTransport(path)
        async with client(APIS[0], server, http.AsyncClient(transport=transport), True) as one:
            answer = await call(APIS[0], one, ["hello"], stream=True)
            await anext(aiter(answer))
            await answer.close()

    if asynchronous:
        asyncio.run(run())
    else:
        with client(APIS[0], server, http.Client(transport=RecordingTransport(path))) as one:
            answer = call(APIS[0], one, ["hello"], stream=True)
            next(iter(answer))
            answer.close()
    server.gate.set()
    (line,) = lines(path)
    assert line["closed_early"] is True
    assert line["response"]
    assert server.log[0][2].startswith(line["response"])
    assert len(line["response"]) < len(server.log[0][2])
    assert len(load([str(path)], IngestOptions(strict=True))) == 1


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_stream_nobody_closes_is_written_when_the_recording_is_closed(
    name: str, server: Server, tmp_path: Path
):
    http = library(name)
    recording = Recording(tmp_path / "recorded.jsonl")
    with http.Client(transport=recording.transport()) as one:
        with one.stream(
            "POST", server.url + APIS[0], json={"model": "m", "messages": [], "stream": True}
        ) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            assert not recording.path.exists()
            recording.close()
            assert lines(recording.path)[0]["closed_early"] is True
            recording.close()
        assert len(lines(recording.path)) == 1  # and once only


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_an_error_is_recorded_and_goes_on(name: str, asynchronous: bool, tmp_path: Path):
    http = library(name)
    path = tmp_path / "recorded.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    raised = http.ConnectTimeout("it took too long")

    def fail(request: Any) -> Any:
        raise raised

    async def run() -> None:
        async with http.AsyncClient(transport=AsyncRecordingTransport(path, in_memory(http, fail))) as one:
            await one.post("http://example.test/v1/chat/completions", json=body)

    def run_sync() -> None:
        with http.Client(transport=RecordingTransport(path, in_memory(http, fail))) as one:
            one.post("http://example.test/v1/chat/completions", json=body)

    with pytest.raises(http.ConnectTimeout) as caught:
        asyncio.run(run()) if asynchronous else run_sync()
    assert caught.value is raised
    (line,) = lines(path)
    assert (line["status"], line["error"], line["response"]) == (None, "ConnectTimeout", None)
    assert line["request"] == body
    trace = load([str(path)], IngestOptions(strict=True))
    assert trace.requests["status"].to_list() == [None]


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_stream_that_breaks_off_is_recorded_with_its_error(name: str, server: Server, tmp_path: Path):
    server.cut_after = 2
    http = library(name)
    path = tmp_path / "recorded.jsonl"
    with client(APIS[0], server, http.Client(transport=RecordingTransport(path))) as one:
        answer = call(APIS[0], one, ["hello"], stream=True)
        with pytest.raises(library("openai").APIConnectionError):
            list(answer)
    (line,) = lines(path)
    assert line["status"] == 200
    assert line["error"] == "RemoteProtocolError"
    assert line["response"] == "".join(SCRIPTS[APIS[0]][1](0)[:2])


@pytest.mark.parametrize("name", LIBRARIES)
def test_no_secret_is_written(name: str, server: Server, tmp_path: Path):
    http = library(name)
    server.status = 401
    path = tmp_path / "recorded.jsonl"
    secret = "mcp-secret-9f8e7d6c5b4a"
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "the word test-key stays"}],
        "mcp_servers": [{"type": "url", "url": f"https://x.test/?k={secret}", "authorization_token": secret}],
        "tools": [
            {"type": "mcp", "server_label": "x", "headers": {"X-Key": secret}, "authorization": secret}
        ],
    }
    headers = {
        "Authorization": f"Bearer {KEY}", "x-api-key": "test-key", "x-goog-api-key": "goog-0123456789abcdefghij",
        "Cookie": "sid=cookie0123456789abcdefghij; theme=dark", "Session-Id": "session-1",
    }  # fmt: skip
    url = f"{server.url}/v1/chat/completions?key=query0123456789abcdefghij&alt=sse"
    with http.Client(transport=RecordingTransport(path)) as one:
        answer = one.post(url, json=body, headers=headers)
        one.post(url.replace("://", "://user:hunter2@"), json=body)
    assert KEY in answer.text  # the server said it, the caller heard it
    written = path.read_text(encoding="utf-8")
    for hidden in (KEY, secret, "goog-0123", "cookie0123", "query0123", "hunter2"):
        assert hidden not in written
    line, other = lines(path)
    assert other["url"] == line["url"]
    assert line["request"]["messages"] == body["messages"]
    assert line["request"]["tools"][0]["server_label"] == "x"
    assert line["request"]["mcp_servers"][0]["url"] == "https://x.test/"
    assert line["url"] == f"{server.url}/v1/chat/completions?alt=sse"
    assert line["request_headers"]["session-id"] == "session-1"
    assert set(line["request_headers"]) <= {"user-agent", "session-id"}
    assert line["response"] == {"error": {"message": "refused: Bearer [redacted]"}}


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_no_call_is_passed_on_and_counted(name: str, server: Server, tmp_path: Path):
    http = library(name)
    recording = Recording(tmp_path / "recorded.jsonl")
    with http.Client(transport=recording.transport(in_memory(http))) as one:
        url = "http://example.test/v1/files"
        one.get(url)
        one.post(url, files={"file": b"0123"})
        one.post(url, content=b"[1]")
        one.post(url, content=b"{broken")
    assert recording.left_out == 4
    assert not recording.path.exists()
    with pytest.raises(UsageError, match="nothing was recorded"):
        load([recording.__fspath__()], IngestOptions())


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_response_that_cannot_be_text_is_left_out_and_says_why(name: str, tmp_path: Path):
    http = library(name)
    path = tmp_path / "recorded.jsonl"
    answers = iter(
        [
            http.Response(200, content=b"\x00\xff", headers={"content-type": "audio/mpeg"}),
            http.Response(200, content=iter([b"no gzip"]), headers={"content-encoding": "gzip"}),
            http.Response(204),
        ]
    )
    with http.Client(transport=RecordingTransport(path, in_memory(http, lambda _: next(answers)))) as one:
        body = {"model": "m", "messages": []}
        one.post("http://example.test/v1/chat/completions", json=body)
        with pytest.raises(http.DecodingError):
            one.post("http://example.test/v1/chat/completions", json=body)
        one.post("http://example.test/v1/chat/completions", json=body)
    first, second, third = lines(path)
    assert first["response_left_out"] == "no text"
    assert "broken" in second["response_left_out"]
    assert "response_left_out" not in third
    assert [line["response"] for line in (first, second, third)] == [None] * 3


@pytest.mark.parametrize("name", LIBRARIES)
def test_threads_share_a_recording(name: str, tmp_path: Path):
    http = library(name)
    recording = Recording(tmp_path / "recorded.jsonl")
    count, each = 8, 25
    filler = "x" * 20_000  # longer than what a file writes at once

    def work(number: int) -> None:
        with http.Client(transport=recording.transport(in_memory(http))) as one:
            for turn in range(each):
                body = {
                    "model": "m",
                    "messages": [{"role": "user", "content": f"{number} {turn} {filler}"}],
                }
                one.post("http://example.test/v1/chat/completions", json=body)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = lines(recording.path)
    said = sorted(line["request"]["messages"][0]["content"] for line in written)
    assert said == sorted(f"{n} {t} {filler}" for n in range(count) for t in range(each))


def test_calls_in_sequence_never_overlap(tmp_path: Path):
    # Captures have milliseconds, and calls in memory take less: rounded naively, each would begin before the one
    # before it had ended, and a simulated cache would not have its prompt yet.
    http = library("httpx")
    path = tmp_path / "recorded.jsonl"
    with http.Client(transport=RecordingTransport(path, in_memory(http))) as one:
        for turn in range(50):
            messages = [{"role": "user", "content": f"question {n}"} for n in range(turn + 1)]
            one.post("http://example.test/v1/chat/completions", json={"model": "m", "messages": messages})
    frame = load([str(path)], IngestOptions(strict=True)).requests
    starts, ends = frame["started_at"].to_list(), frame["ended_at"].to_list()
    assert all(end <= start for end, start in zip(ends[:-1], starts[1:], strict=True))
    assert all(start <= end for start, end in zip(starts, ends, strict=True))


def test_a_path_given_twice_is_added_to(tmp_path: Path):
    http = library("httpx")
    path = tmp_path / "deeper" / "recorded.jsonl"
    for _ in range(2):
        with http.Client(transport=RecordingTransport(path, in_memory(http))) as one:
            one.post("http://example.test/v1/chat/completions", json={"model": "m", "messages": []})
    assert len(lines(path)) == 2


def test_another_library_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="no request of httpx"):
        RecordingTransport(tmp_path / "x").handle_request(object())


def test_recording_needs_no_http_library():
    module = importlib.import_module("cachelens.testing.recording")
    assert "httpx" not in vars(module)
