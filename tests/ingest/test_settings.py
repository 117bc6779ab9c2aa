"""Request parameters that caches mind: digests in columns, scopes in the namespace, and no secret in either."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import Body, Settings
from cachelens.ingest.exchange import Exchange
from cachelens.ingest.finish import Ingested, finish
from cachelens.ingest.reader import Reader
from cachelens.ingest.shorten import Shortener
from cachelens.ingest.store import read, write
from cachelens.model.options import IngestOptions
from cachelens.model.tables import REQUESTS
from cachelens.model.trace import Trace
from cachelens.pipeline import load
from tests.ingest.bytes_tokenizer import BytesTokenizer
from tests.ingest.conversations import URLS
from tests.ingest.dialects.dialect_bodies import body

_SALT = "Zm9yYmlkZGVuLXNhbHQtdGhhdC1tdXN0LW5vdC1sZWFr"
_SCHEMA = {
    "type": "json_schema",
    "name": "n",
    "schema": {"properties": {"a": {"type": "string"}}, "type": "object"},
}


def of(dialect: str, images: bool = False, **fields: Any) -> Settings:
    api = DIALECTS.load(dialect)()
    given = body(**fields)
    found: Settings = api.settings(api.unwrap(given) or given, images)
    return found


def trace_of(dialect: str, *bodies: Any, headers: dict[str, str] | None = None) -> Trace:
    reader, shortener = Reader(BytesTokenizer(), lambda *image: 85), Shortener()
    calls = [
        reader.exchange(
            Exchange(at, json.dumps(one).encode(), url=URLS[dialect], headers=headers or {}), 0, shortener
        )
        for at, one in enumerate(bodies, 1)
    ]
    return finish(calls, reader.contents, reader.trie, Ingested(("t",), (), "exact", "default", ()))


def anthropic(*content: Any, **more: Any) -> Any:
    return {"model": "claude", "messages": [{"role": "user", "content": list(content)}], **more}


TEXT = {"type": "text", "text": "U " * 400}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_without_parameters_there_is_nothing_to_mind(dialect: str) -> None:
    assert of(dialect) == Settings()


@pytest.mark.parametrize(
    "parameters",
    [
        {"tool_choice": {"type": "auto"}},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        {"speed": "standard", "thinking": None},
        {"metadata": {"user_id": "u"}, "temperature": 1, "max_tokens": 5, "service_tier": "auto"},
    ],
)
def test_anthropic_defaults_and_what_caches_do_not_mind(parameters: Any) -> None:
    assert of("anthropic", **parameters) == Settings()


def test_anthropic_levels() -> None:
    """Speed invalidates system and messages; tool choice, thinking and pictures messages alone."""
    fast = of("anthropic", speed="fast")
    assert fast.invalidates_system
    assert fast.invalidates_messages is None
    found = [
        of("anthropic", tool_choice={"type": "any"}),
        of("anthropic", tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        of("anthropic", thinking={"type": "enabled", "budget_tokens": 1024}),
        of("anthropic", thinking={"type": "enabled", "budget_tokens": 2048}),
        of("anthropic", thinking={"type": "disabled"}),
        of("anthropic", images=True),
    ]
    assert all(one.invalidates_system is None for one in found)
    assert None not in {one.invalidates_messages for one in found}
    assert len({one.invalidates_messages for one in found}) == len(found)
    shown = of("anthropic", thinking={"type": "enabled", "budget_tokens": 1024, "display": "omitted"})
    assert shown.invalidates_messages == found[2].invalidates_messages


def test_pictures_anywhere_in_the_prompt_count() -> None:
    """Also in messages that were left out of the record because an earlier one said them."""
    picture, text = anthropic(TEXT, PICTURE), anthropic(TEXT)
    inside = anthropic(TEXT, {"type": "tool_result", "tool_use_id": "c", "content": [PICTURE]})
    longer = picture | {"messages": [*picture["messages"], {"role": "assistant", "content": "A"}]}
    later = text | {"messages": [*text["messages"], {"role": "user", "content": [PICTURE]}]}
    trace = trace_of("anthropic", text, picture, longer, later, text, inside)
    found = trace.requests["invalidates_messages"].to_list()
    assert [one is not None for one in found] == [False, True, True, True, False, True]
    assert len(set(found)) == 2


def test_bedrock_converse_spells_them_otherwise() -> None:
    tools = [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]
    plain: Any = {"messages": [{"role": "user", "content": [{"text": "U"}]}]}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    chosen = of("anthropic", **plain, toolConfig={"tools": tools, "toolChoice": {"tool": {"name": "t"}}})
    assert chosen == of("anthropic", tool_choice={"type": "tool", "name": "t"})
    assert of("anthropic", **plain, toolConfig={"tools": tools, "toolChoice": {"auto": {}}}) == Settings()
    extra = of("anthropic", **plain, additionalModelRequestFields={"thinking": thinking})
    assert extra == of("anthropic", thinking=thinking) != Settings()


@pytest.mark.parametrize(
    ("chat", "responses"),
    [
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high", "summary": "auto"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"response_format": _SCHEMA}, {"text": {"format": _SCHEMA}}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        (
            {"reasoning_effort": "low", "verbosity": "high"},
            {"reasoning": {"effort": "low"}, "text": {"verbosity": "high"}},
        ),
    ],
)
def test_openai_invalidators_have_two_spellings(chat: Any, responses: Any) -> None:
    found = of("chat", **chat)
    assert found == of("responses", **responses)
    assert found.invalidates_system is not None
    assert found == Settings(invalidates_system=found.invalidates_system)


def test_openai_defaults_and_what_caches_do_not_mind() -> None:
    for parameters in (
        {"parallel_tool_calls": True, "text": {"format": {"type": "text"}, "verbosity": "medium"}},
        {"reasoning": {"summary": "auto"}, "temperature": 0, "store": False, "service_tier": "flex"},
        {"tool_choice": "required", "prompt_cache_retention": "in_memory", "text": None, "reasoning": None},
    ):
        assert of("responses", **parameters) == Settings()
    assert (
        of("chat", response_format={"type": "text"}, verbosity="medium", parallel_tool_calls=True)
        == Settings()
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same value with the keys of its objects in another order."""
    if isinstance(value, list):
        return [shuffled(inner, rng) for inner in value]
    if isinstance(value, dict):
        keys = sorted(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return value


@settings(max_examples=100, deadline=None)
@given(schema=_json, other=_json, rng=st.randoms(use_true_random=False))
def test_digests_tell_values_apart_whatever_the_order_of_keys(
    schema: Any, other: Any, rng: random.Random
) -> None:
    """Compared as JSON: true and 1 are two values there."""
    one, two, three = (
        of("chat", response_format={"type": "json_schema", "schema": value, "n": 1})
        for value in (schema, shuffled(schema, rng), other)
    )
    assert one == two
    same = json.dumps(schema, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (one == three) == same


@pytest.mark.parametrize("odd", [5, "x", [1], {"type": 3}, [], {}, 10**40])
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_odd_values_are_read(dialect: str, odd: Any) -> None:
    names = sorted(set(Body.__struct_fields__) - {"messages", "input", "contents"})
    raw = json.dumps(dict.fromkeys(names, odd)).encode()
    found = DIALECTS.load(dialect)().settings(msgspec.json.decode(raw, type=Body), False)
    assert found.priority in (0, 5)
    assert found.cache_retention_s is None
    assert found.cache_mode is None


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_lifetimes_and_modes(dialect: str) -> None:
    assert of(dialect, prompt_cache_retention="24h").cache_retention_s == 86_400
    options = of(
        dialect, prompt_cache_options={"mode": "explicit", "ttl": "30m"}, prompt_cache_retention="24h"
    )
    assert (options.cache_retention_s, options.cache_mode) == (1800, "explicit")
    assert of(dialect, prompt_cache_options={"mode": "implicit"}) == Settings()


def test_openai_breakpoints_mark_the_part_they_stand_on() -> None:
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    chat = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "U", **mark}]}]}
    responses = {
        "model": "m",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "U", **mark}]}],
    }
    for dialect, one in (("chat", chat), ("responses", responses)):
        assert trace_of(dialect, one).segments.breakpoint_s.tolist() == [1800]


def test_routing_keys() -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "U"}]}
    keyed = trace_of("chat", plain | {"prompt_cache_key": "conversation-7"}, plain)
    by_header = trace_of("chat", plain, headers={"x-grok-conv-id": "conversation-7"})
    first, second = keyed.requests["routing_key"].to_list()
    assert first is not None
    assert second is None
    assert "conversation" not in first
    assert by_header.requests["routing_key"].to_list() == [first]


@pytest.mark.parametrize("name", ["cache_salt", "extra_key", "lora_path", "lora_id"])
def test_salts_and_adapters_keep_caches_apart(name: str, tmp_path: Path) -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "U"}]}
    trace = trace_of(
        "chat",
        plain,
        plain | {name: _SALT},
        plain | {name: [_SALT]},
        plain | {name: "other"},
        plain | {name: ""},
    )
    none, salted, listed, other, empty = trace.requests["namespace"].to_list()
    assert none == empty == "local/m"
    assert salted == listed
    assert salted.startswith("local/m#")
    assert other.startswith("local/m#")
    assert other != salted
    assert trace.requests["model"].to_list() == ["m"] * 5
    assert set(trace.requests["provider"]) == {"local"}
    write(trace, tmp_path / "tables")
    for path in (tmp_path / "tables").iterdir():
        assert _SALT.encode() not in path.read_bytes()
    assert _SALT not in str(trace.requests.to_dicts())


def test_two_kinds_of_scope_do_not_collide() -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "U"}]}
    trace = trace_of("chat", *(plain | {name: "x"} for name in ("cache_salt", "extra_key", "lora_path")))
    assert trace.requests["namespace"].n_unique() == 3


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(7, 7), (-3, -3), (None, 0), (2**31, 0), (-(2**40), 0), ("7", 0), (True, 0), (1.5, 0)],
)
def test_priorities(given: Any, wanted: int) -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "U"}], "priority": given}
    frame = trace_of("chat", plain).requests
    assert frame["priority"].to_list() == [wanted]
    assert frame.schema["priority"] == REQUESTS["priority"]


def test_priorities_of_token_traces(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    lines = [{"tokens": [1, 2]}, {"tokens": [1], "priority": 9}, {"tokens": [1], "priority": 2**31}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    trace = load([str(path)], IngestOptions())
    assert trace.requests["priority"].to_list() == [0, 9]
    assert [(one.reason, one.places) for one in trace.skipped] == [("bad-priority", (3,))]


def test_table_folders_hold_the_columns_and_the_rendering(tmp_path: Path) -> None:
    lines = [
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "U"},
                {"role": "assistant", "reasoning_content": "T", "content": "A"},
            ],
            "priority": 4,
            "prompt_cache_key": "k",
            "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
            "reasoning_effort": "high",
            "tools": [{"type": "function", "function": {"name": "t"}}],
        }
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = IngestOptions(render="thinking-stripped,tools-first")
    trace = load([str(path)], options)
    assert trace.render == "tools-first,thinking-stripped"
    write(trace, tmp_path / "tables")
    again = read(tmp_path / "tables")
    assert again.requests.equals(trace.requests)
    assert again.render == trace.render
    assert load([str(tmp_path / "tables")], options).render == trace.render
    row = again.requests.row(0, named=True)
    assert (row["priority"], row["cache_retention_s"], row["cache_mode"]) == (4, 1800, "explicit")
    assert row["routing_key"]
    assert row["invalidates_system"]
    assert row["invalidates_messages"] is None
