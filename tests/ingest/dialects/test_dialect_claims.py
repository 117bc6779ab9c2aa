"""Which dialect reads a body: by path, then by fields."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_bodies import body

from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import Body
from cachelens.ingest.dialects.endpoint import model_of
from cachelens.tokens.images import IMAGE_RULES

APIS = {name: DIALECTS.load(name)() for name in DIALECTS}
_USER = [{"role": "user", "content": "hi"}]
_CHAT = {
    "model": "m",
    "messages": [{"role": "system", "content": "s"}, *_USER],
    "tools": [{"type": "function", "function": {"name": "f"}}],
}
_ANTHROPIC = {"model": "claude-x", "system": "s", "messages": _USER, "max_tokens": 5}
_RESPONSES = {"model": "m", "instructions": "s", "input": _USER}
_GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def _scores(url: str, given: Body) -> dict[str, float]:
    return {name: api.claim(url, api.unwrap(given) or given) for name, api in APIS.items()}


def _winner(url: str, given: Body) -> str | None:
    scores = _scores(url, given)
    best = max(scores, key=lambda name: scores[name])
    assert sum(score == scores[best] for score in scores.values()) == 1 or not scores[best]
    return best if scores[best] else None


@pytest.mark.parametrize(
    ("url", "fields", "expected"),
    [
        ("https://api.openai.com/v1/chat/completions", _CHAT, "chat"),
        ("http://127.0.0.1:8000/v1/chat/completions?x=1", {"messages": _USER}, "chat"),
        ("https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", _CHAT, "chat"),
        ("https://api.openai.com/v1/responses", {"model": "m", "input": "hi"}, "responses"),
        ("https://chatgpt.com/backend-api/codex/responses", _RESPONSES, "responses"),
        ("https://api.anthropic.com/v1/messages?beta=true", {"messages": _USER}, "anthropic"),
        ("https://proxy.test/anthropic/v1/messages", _CHAT, "anthropic"),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.claude-v1%3A0/invoke-with-response-stream",
            {"anthropic_version": "b", "messages": _USER},
            "anthropic",
        ),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.claude-v1:0/converse",
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "anthropic",
        ),
        (
            "https://e.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:streamRawPredict",
            {"messages": _USER},
            "anthropic",
        ),
        ("https://g.googleapis.com/v1beta/models/gemini-x:streamGenerateContent?alt=sse", _GEMINI, "gemini"),
        (
            "https://cloudcode-pa.googleapis.com/v1internal:generateContent",
            {"model": "m", "request": _GEMINI},
            "gemini",
        ),
        ("", _CHAT, "chat"),
        ("", _ANTHROPIC, "anthropic"),
        ("", {"anthropic_version": "v", "messages": _USER}, "anthropic"),
        ("", {"model": "gpt-x", "messages": _USER}, "chat"),
        ("", {"model": "claude-x", "messages": _USER}, "anthropic"),
        (
            "",
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
            "anthropic",
        ),
        ("", _RESPONSES, "responses"),
        ("", {"model": "m", "input": _USER}, "responses"),
        ("", _GEMINI, "gemini"),
        ("http://proxy.test/whatever", _GEMINI, "gemini"),
    ],
)
def test_one_dialect_wins(url: str, fields: dict[str, Any], expected: str) -> None:
    assert _winner(url, body(**fields)) == expected


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("https://api.anthropic.com/v1/messages/count_tokens", _ANTHROPIC),
        ("https://api.anthropic.com/v1/messages/batches", _ANTHROPIC),
        (
            "https://e.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
            _ANTHROPIC,
        ),
        ("https://g.googleapis.com/v1beta/models/gemini-x:countTokens", _GEMINI),
        ("https://g.googleapis.com/v1beta/models/gemini-x:embedContent", _GEMINI),
        ("https://g.googleapis.com/v1beta/models/gemini-x:batchGenerateContent", _GEMINI),
        ("https://api.openai.com/v1/responses/input_tokens", _RESPONSES),
        ("https://api.openai.com/v1/embeddings", {"model": "m", "input": ["a", "b"]}),
        ("https://api.openai.com/v1/moderations", {"input": [{"type": "text", "text": "x", "role": "user"}]}),
        ("https://api.openai.com/v1/threads/t/messages", {"messages": _USER}),
        ("https://api.anthropic.com/api/event_logging/batch", {"messages": _USER}),
        ("http://127.0.0.1:8000/tokenize", {"messages": _USER}),
        ("", {"model": "m", "input": ["a", "b"]}),
        ("", {"model": "m", "input": "a"}),
        ("", {"prompt": "a"}),
        ("", {"messages": "a"}),
        ("https://api.openai.com/v1/chat/completions", {"model": "m"}),
        ("https://x.test/v1/telemetry", {}),
        ("http://[broken/v1/messages", {}),
    ],
)
def test_what_is_no_generation_request_gets_nothing(url: str, fields: dict[str, Any]) -> None:
    assert set(_scores(url, body(**fields)).values()) == {0.0}


def test_every_dialect_has_a_picture_rule() -> None:
    assert {api.provider for api in APIS.values()} <= set(IMAGE_RULES)


def test_the_model_of_a_path() -> None:
    assert (
        model_of("https://x/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse") == "gemini-2.5-pro"
    )
    assert model_of("https://x/model/us.anthropic.claude-v1%3A0/invoke") == "us.anthropic.claude-v1:0"
    assert model_of("https://x/publishers/anthropic/models/claude-x@2025:rawPredict") == "claude-x@2025"
    assert model_of("https://x/openai/deployments/gpt-x/chat/completions") == "gpt-x"
    assert model_of("https://x/v1/chat/completions") is None
    assert model_of("") is None
