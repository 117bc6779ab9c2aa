"""Request parameters that are no prompt text, though caches mind them. In: undecoded values. Out: `Settings`.

Values that may be secret or long (salts, adapters, schemas, routing keys) leave as digests: short, without a
key, and independent of the order of keys, so that equal values are equal and nothing else can be read off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from xxhash import xxh3_64_hexdigest

from cachelens.ingest.dialects.base import Body, Settings
from cachelens.ingest.dialects.parts import lifetime_s
from cachelens.ingest.dialects.values import Buffer, decode, fields, kind_of, text_or_none

_ANY = msgspec.json.Decoder(Any)
_LARGEST_PRIORITY = 2**31
#: Fields by which a server keeps caches apart: vLLM and SGLang; SGLang.
_SCOPES = ("cache_salt", "extra_key", "lora_path", "lora_id")
#: What OpenAI takes for parameters that are not given.
_OPENAI_DEFAULTS = {"format": {"type": "text"}, "parallel_tool_calls": True, "verbosity": "medium"}


def value_of(raw: Buffer | None) -> Any:
    """A JSON value; None for null and for nothing."""
    return decode(_ANY, raw) if raw is not None and kind_of(raw) else None


def digest(given: Mapping[str, Any]) -> str | None:
    """A digest of the values that are not None, whatever the order of their keys; None where there are none."""
    known = {key: inner for key, inner in given.items() if inner is not None}
    return xxh3_64_hexdigest(msgspec.json.encode(known, order="sorted")) if known else None


def key_digest(key: str | None) -> str | None:
    """The digest of a routing key."""
    return digest({"key": key or None})


def openai_settings(body: Body) -> Settings:
    """Settings of Chat Completions and Responses, at OpenAI and at servers that speak these APIs.

    Each parameter has one place in Chat Completions and another in Responses. A value that OpenAI documents
    as its default counts as not given.
    """
    shown = fields(body.text) if kind_of(body.text) == "object" else {}
    reasoning = fields(body.reasoning) if kind_of(body.reasoning) == "object" else {}
    options = fields(body.prompt_cache_options) if kind_of(body.prompt_cache_options) == "object" else {}
    given = {
        "effort": _first(body.reasoning_effort, reasoning.get("effort")),
        "format": _first(body.response_format, shown.get("format")),
        "parallel_tool_calls": value_of(body.parallel_tool_calls),
        "verbosity": _first(body.verbosity, shown.get("verbosity")),
    }
    asked_for = text_or_none(options.get("ttl")) or text_or_none(body.prompt_cache_retention)
    return Settings(
        invalidates_system=digest(
            {key: inner for key, inner in given.items() if inner != _OPENAI_DEFAULTS.get(key)}
        ),
        routing_key=key_digest(text_or_none(body.prompt_cache_key)),
        cache_retention_s=lifetime_s(asked_for or ""),
        cache_mode="explicit" if text_or_none(options.get("mode")) == "explicit" else None,
        priority=_priority(body.priority),
        scope=digest({name: _scope(getattr(body, name)) for name in _SCOPES}),
    )


def _first(*raws: Buffer | None) -> Any:
    return next((found for raw in raws if (found := value_of(raw)) is not None), None)


def _scope(raw: Buffer) -> Any:
    """A salt or adapter; SGLang takes a list of one for the same as what is in it, and empty for none."""
    given = value_of(raw)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return given or None


def _priority(raw: Buffer) -> int:
    """A priority; 0 for one that is no 32-bit integer, which servers refuse."""
    given = value_of(raw)
    in_range = isinstance(given, int) and not isinstance(given, bool) and abs(given) < _LARGEST_PRIORITY
    return given if in_range else 0
