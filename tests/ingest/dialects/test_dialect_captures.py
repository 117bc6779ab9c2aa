"""Real captures: every body is read, and what a server said is found in the prompt that follows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
import zstandard

from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import Body, Part
from cachelens.ingest.harness import harness_of

TRACES = Path(__file__).parents[3].parent / "shared" / "traces"
pytestmark = pytest.mark.skipif(
    not TRACES.is_dir(), reason="needs ../shared/traces, which a clone alone has not"
)

APIS = {name: DIALECTS.load(name)() for name in DIALECTS}
#: Capture -> dialect, harness of its main thread, requests, continued, echoed, echoed but for the spelling of
#: arguments. Gemini CLI drops thoughts, smolagents and CrewAI rewrite what the model said.
EXPECTED = {
    "agno": ("chat", None, 35, 32, 32, 0),
    "agno-nodatetime": ("chat", None, 35, 34, 34, 0),
    "cline": ("chat", "cline", 39, 34, 0, 34),
    "codex": ("responses", "codex", 30, 29, 29, 0),
    "crewai": ("chat", None, 35, 32, 0, 0),
    "deepagents-anthropic": ("anthropic", None, 40, 38, 38, 0),
    "gemini-newsession": ("gemini", "gemini-cli", 6, 5, 0, 0),
    "langgraph-concurrent": ("chat", None, 105, 102, 102, 0),
    "mini-swe-agent": ("chat", "mini-swe-agent", 34, 32, 32, 0),
    "openai-agents": ("responses", None, 35, 34, 34, 0),
    "opencode": ("chat", "opencode", 42, 38, 2, 36),
    "opencode-anthropic": ("anthropic", "opencode", 42, 38, 38, 0),
    "opencode-newsession": ("chat", "opencode", 7, 5, 0, 5),
    "pi-anthropic": ("anthropic", "pi", 30, 29, 29, 0),
    "pydantic-ai": ("chat", None, 35, 34, 2, 32),
    "qwen": ("chat", "qwen-code", 41, 37, 1, 36),
    "smolagents-toolcalling": ("chat", "smolagents", 35, 34, 0, 0),
}


def _meaning(part: Part) -> tuple[object, ...]:
    return (part.kind, part.role, part.text, part.starts, part.opaque)


def _parsed(meaning: tuple[object, ...]) -> object:
    if meaning[0] != "tool_call":
        return meaning
    name, _, arguments = str(meaning[2]).partition("\n")
    return name, json.dumps(json.loads(arguments), sort_keys=True)


@pytest.mark.parametrize("capture", sorted(EXPECTED))
def test_capture(capture: str) -> None:
    dialect, harness, *expected = EXPECTED[capture]
    requests = continued = echoed = respelled = 0
    earlier: list[tuple[list[tuple[object, ...]], list[tuple[object, ...]]]] = []
    harnesses = set()
    with open(TRACES / capture / "session.jsonl.zst", "rb") as packed:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), "utf-8")
        for line in lines:
            record = json.loads(line)
            body = msgspec.json.decode(json.dumps(record["request"]).encode(), type=Body)
            scores = {name: api.claim(record["url"], api.unwrap(body) or body) for name, api in APIS.items()}
            assert {name for name, score in scores.items() if score} == {dialect}
            blind = {name: api.claim("", api.unwrap(body) or body) for name, api in APIS.items()}
            assert max(blind, key=lambda name: blind[name]) == dialect
            api = APIS[dialect]
            system = api.system(body)
            messages = msgspec.json.decode(getattr(body, api.list_field), type=list[msgspec.Raw])
            items = [api.item(bytes(raw)) for raw in messages]
            assert all(
                item and item[0].starts and not any(part.starts for part in item[1:]) for item in items
            )
            assert all(part.text for part in api.tools(bytes(body.tools) or b"[]"))
            text = next((item[0].text for item in [system, *items] if item and item[0].kind == "system"), "")
            headers = {name.lower(): value for name, value in record.get("request_headers", {}).items()}
            harnesses.add(harness_of(text, headers))
            assert harness_of(text, {}) == harness_of(text, headers)
            prompt = [_meaning(part) for item in items for part in item]
            response = record["response"]
            reply = api.reply((response if isinstance(response, str) else json.dumps(response)).encode())
            assert reply.complete
            assert reply.usage is not None
            assert reply.usage.prompt is not None
            said = [_meaning(part) for part in reply.parts]
            requests += 1
            fits = [
                pair for pair in earlier if len(pair[0]) < len(prompt) and prompt[: len(pair[0])] == pair[0]
            ]
            if fits:
                before, answer = max(fits, key=lambda pair: len(pair[0]))
                back = prompt[len(before) : len(before) + len(answer)]
                continued += 1
                echoed += back == answer
                respelled += back != answer and list(map(_parsed, back)) == list(map(_parsed, answer))
            earlier.append((prompt, said))
    assert [requests, continued, echoed, respelled] == expected
    assert harnesses - {None} == ({harness} if harness else set())
