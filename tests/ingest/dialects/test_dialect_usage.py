"""Reported usage of every provider, normalised."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_bodies import dump, sse
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import Usage
from cachelens.ingest.dialects.usage import anthropic_usage, gemini_usage, merge, openai_usage, verdict

_COUNT = st.one_of(st.none(), st.integers(-5, 2000), st.just("7"), st.booleans(), st.floats(0, 9))
_KEYS = [
    "input_tokens",
    "output_tokens",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
]
_DETAILS = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(
            ["cached_tokens", "cache_write_tokens", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]
        ),
        _COUNT,
        max_size=4,
    ),
)
_REPORT = st.builds(
    lambda counts, details: {**counts, **details},
    st.dictionaries(st.sampled_from(_KEYS), _COUNT, max_size=8),
    st.dictionaries(
        st.sampled_from(["prompt_tokens_details", "input_tokens_details", "cache_creation"]),
        _DETAILS,
        max_size=3,
    ),
)


@given(_REPORT)
def test_the_parts_add_up_to_the_prompt_or_are_unknown(report: dict[str, Any]) -> None:
    for usage in (anthropic_usage(report), openai_usage(report), gemini_usage(report)):
        if usage is None:
            continue
        counts = (usage.uncached, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h)
        assert all(
            count is None or (type(count) is int and count >= 0)
            for count in (*counts, usage.prompt, usage.output)
        )
        if usage.uncached is None:
            assert set(counts) == {None}
        else:
            assert usage.prompt == sum(count or 0 for count in counts)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 7,
                "output_tokens": 2,
            },
            Usage(3, 5, 7, None, 2, None, 15),
        ),
        (
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 5},
            },
            Usage(3, 0, 2, 5, None, None, 10),
        ),
        ({"input_tokens": 9, "output_tokens": 1}, Usage(output=1, prompt=9)),
        (
            {"input_tokens": 9, "cache_read_input_tokens": None, "cache_creation_input_tokens": None},
            Usage(prompt=9),
        ),
        ({}, None),
    ],
)
def test_anthropic(report: dict[str, Any], expected: Usage | None) -> None:
    assert anthropic_usage(report) == expected


@pytest.mark.parametrize(
    ("report", "timings", "expected"),
    [
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
            None,
            Usage(6, 4, None, None, 2, None, 10),
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 2,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
            },
            None,
            Usage(3, 4, 3, None, 2, None, 10),
        ),
        # DeepSeek, Moonshot
        (
            {"prompt_tokens": 10, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
            None,
            Usage(2, 8, None, None, None, None, 10),
        ),
        (
            {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
            None,
            Usage(2, 8, None, None, None, None, 10),
        ),
        ({"prompt_tokens": 10, "cached_tokens": 8}, None, Usage(2, 8, None, None, None, None, 10)),
        # vLLM and SGLang without cache reports: unknown is not zero
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": None},
            None,
            Usage(output=1, prompt=10),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": None}}, None, Usage(prompt=10)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 0}},
            None,
            Usage(10, 0, None, None, None, None, 10),
        ),
        # more cached than there is
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}, None, Usage(prompt=10)),
        # llama.cpp
        ({}, {"cache_n": 6, "prompt_n": 4, "predicted_n": 3}, Usage(4, 6, None, None, 3, None, 10)),
        (
            {"prompt_tokens": 10, "completion_tokens": 3},
            {"prompt_n": 4},
            Usage(4, 6, None, None, 3, None, 10),
        ),
        ({}, None, None),
    ],
)
def test_openai_and_compatible(
    report: dict[str, Any], timings: dict[str, Any] | None, expected: Usage | None
) -> None:
    assert openai_usage(report, timings) == expected


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            {
                "promptTokenCount": 10,
                "cachedContentTokenCount": 4,
                "candidatesTokenCount": 3,
                "thoughtsTokenCount": 2,
            },
            Usage(6, 4, None, None, 5, None, 10),
        ),
        ({"prompt_token_count": 10, "candidates_token_count": 3}, Usage(10, 0, None, None, 3, None, 10)),
        ({"totalTokenCount": 10}, None),
    ],
)
def test_gemini(report: dict[str, Any], expected: Usage | None) -> None:
    assert gemini_usage(report) == expected


def test_the_later_event_wins_and_nothing_is_summed() -> None:
    start = {
        "input_tokens": 50,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 9,
        "output_tokens": 1,
    }
    first = {"type": "message_start", "message": {"id": "m", "usage": start}}
    last = {
        "type": "message_delta",
        "usage": {"input_tokens": 5, "output_tokens": 30, "cache_read_input_tokens": None},
    }
    usage = DIALECTS.load("anthropic")().reply(sse(first, last, {"type": "message_stop"})).usage
    assert usage == Usage(5, 40, 9, None, 30, None, 54)
    assert merge([{"a": 5, "d": {"x": 1, "y": 2}}, {"a": None, "d": {"x": 0}}, {}]) == {
        "a": 5,
        "d": {"x": 0, "y": 2},
    }
    details = {"prompt_tokens_details": {"cached_tokens": 3}}
    chunks = [
        {"choices": [], "usage": {"prompt_tokens": 9, **details}},
        {"choices": [], "usage": {"prompt_tokens": 8}},
    ]
    assert DIALECTS.load("chat")().reply(sse(*chunks)).usage == Usage(5, 3, None, None, None, None, 8)


def test_usage_in_odd_places() -> None:
    chat = DIALECTS.load("chat")()
    moonshot = {
        "choices": [
            {
                "index": 0,
                "delta": {},
                "finish_reason": "stop",
                "usage": {"prompt_tokens": 9, "cached_tokens": 4},
            }
        ]
    }
    assert chat.reply(sse(moonshot)).usage == Usage(5, 4, None, None, None, None, 9)
    groq = {"choices": [], "x_groq": {"id": "q", "usage": {"prompt_tokens": 9, "completion_tokens": 1}}}
    assert chat.reply(sse(groq)).usage == Usage(output=1, prompt=9)
    assert chat.usage(dump({"prompt_tokens": 9})) == Usage(prompt=9)
    assert chat.usage(b"null") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "tools_changed", "cache_missed_input_tokens": 9}, "tools_changed"),
        ({"type": "cache_miss", "reason": "model_changed"}, "model_changed"),
        ({"type": "cache_miss", "reason": {"type": "input_changed"}}, "input_changed"),
        ({"type": "cache_hit"}, None),
        ({"type": "unavailable"}, "unavailable"),
        ("system_changed", "system_changed"),
        (None, None),
        ([], None),
        ({"type": 5}, None),
    ],
)
def test_verdicts(value: object, expected: str | None) -> None:
    assert verdict(value) == expected


def test_the_verdict_of_anthropic_is_kept() -> None:
    reason = {"cache_miss_reason": {"type": "system_changed", "cache_missed_input_tokens": 4}}
    message = {"type": "message", "content": [], "usage": {"input_tokens": 1}, "diagnostics": reason}
    api = DIALECTS.load("anthropic")()
    assert api.reply(dump(message)).usage == Usage(miss_reason="system_changed", prompt=1)
    assert api.reply(dump({**message, "diagnostics": {"cache_miss_reason": None}})).usage == Usage(prompt=1)


def test_a_block_that_cannot_be_read_does_not_lose_the_usage() -> None:
    bad = {"content": [{"type": "text", "text": 5}], "usage": {"input_tokens": 4}}
    reply = DIALECTS.load("anthropic")().reply(dump(bad))
    assert (reply.parts, reply.complete, reply.usage) == ([], False, Usage(prompt=4))
    items = [{"role": "assistant", "content": 5}, {"role": "assistant", "content": "kept"}]
    reply = DIALECTS.load("responses")().reply(dump({"output": items, "usage": {"input_tokens": 4}}))
    assert ([part.text for part in reply.parts], reply.complete, reply.usage) == (
        ["kept"],
        False,
        Usage(prompt=4),
    )
    message = {"role": "assistant", "content": 5}
    reply = DIALECTS.load("chat")().reply(
        dump({"choices": [{"message": message}], "usage": {"prompt_tokens": 4}})
    )
    assert (reply.parts, reply.complete, reply.usage) == ([], False, Usage(prompt=4))
    parts = {
        "candidates": [{"content": {"parts": [5]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 4},
    }
    assert DIALECTS.load("gemini")().reply(sse(parts)).complete is False
