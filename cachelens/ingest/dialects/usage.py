"""Reported usage. In: a provider's usage object, decoded. Out: `Usage`, or None when it says nothing.

`prompt = uncached + cache_read + cache_write` in every result that has all of them. A count that is
absent, null, negative or no integer is unknown, and what would have to be computed from it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cachelens.ingest.dialects.base import Usage
from cachelens.ingest.dialects.values import Buffer, decode, kind_of

_ANY = msgspec.json.Decoder(dict[str, Any])


def usage_object(raw: Buffer | None) -> dict[str, Any]:
    """A raw usage object, decoded; empty for null and for what is no object."""
    return decode(_ANY, raw) if raw is not None and kind_of(raw) == "object" else {}


def merge(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Usage objects of one response, oldest first: a later value replaces an earlier one, null does not."""
    merged: dict[str, Any] = {}
    for report in reports:
        for key, value in report.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = merge((merged[key], value))
            elif value is not None:
                merged[key] = value
    return merged


def anthropic_usage(report: Mapping[str, Any], miss_reason: str | None = None) -> Usage | None:
    """Anthropic's counts, in which `input_tokens` is what neither came from nor went to the cache.

    A server that names no cache counts at all is taken to know of no cache: then `input_tokens` is the
    whole prompt. Without the split by lifetime, cache writes count as the default, five minutes.
    """
    fresh = _count(report, "input_tokens", "inputTokens")
    read = _count(report, "cache_read_input_tokens", "cacheReadInputTokens")
    written = _count(report, "cache_creation_input_tokens", "cacheWriteInputTokens")
    output = _count(report, "output_tokens", "outputTokens")
    split = _inner(report, "cache_creation")
    short = _count(split, "ephemeral_5m_input_tokens")
    long = _count(split, "ephemeral_1h_input_tokens")
    if written is None and not (short is None and long is None):
        written = (short or 0) + (long or 0)
    if fresh is None or (read is None and written is None):
        return _given(Usage(output=output, miss_reason=miss_reason, prompt=fresh))
    if written is not None and long is not None:
        long = min(long, written)
        short = written - long
    else:
        short = written
    prompt = fresh + (read or 0) + (written or 0)
    return Usage(fresh, read, short, long, output, miss_reason, prompt)


def openai_usage(
    report: Mapping[str, Any], timings: Mapping[str, Any] | None = None, miss_reason: str | None = None
) -> Usage | None:
    """Counts of Chat Completions and Responses servers, in which the prompt includes what was cached.

    `timings` are llama.cpp's. Where the parts do not fit into the prompt the split is left unknown.
    """
    prompt = _count(report, "prompt_tokens", "input_tokens")
    output = _count(report, "completion_tokens", "output_tokens")
    details = _inner(report, "prompt_tokens_details", "input_tokens_details")
    read = _first(
        _count(details, "cached_tokens"),
        _count(report, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
    )
    written = _first(
        _count(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
        _count(report, "cache_write_tokens", "cache_creation_input_tokens"),
    )
    missed = _count(report, "prompt_cache_miss_tokens")
    if timings:
        computed, kept = _count(timings, "prompt_n"), _count(timings, "cache_n")
        output = _first(output, _count(timings, "predicted_n"))
        if kept is not None and computed is not None:
            prompt, read = _first(prompt, kept + computed), _first(read, kept)
        elif computed is not None and prompt is not None and computed <= prompt:
            read = _first(read, prompt - computed)
    if prompt is None and read is not None and missed is not None:
        prompt = read + missed
    if prompt is None or read is None or read + (written or 0) > prompt:
        return _given(Usage(output=output, miss_reason=miss_reason, prompt=prompt))
    return Usage(prompt - read - (written or 0), read, written, None, output, miss_reason, prompt)


def gemini_usage(report: Mapping[str, Any]) -> Usage | None:
    """Gemini's counts. Protocol buffers leave out zeros, so next to a prompt count absent means zero."""
    prompt = _count(report, "promptTokenCount", "prompt_token_count")
    answer = _count(report, "candidatesTokenCount", "candidates_token_count")
    thoughts = _count(report, "thoughtsTokenCount", "thoughts_token_count")
    output = None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0)
    cached = _count(report, "cachedContentTokenCount", "cached_content_token_count") or 0
    if prompt is None or cached > prompt:
        return _given(Usage(output=output, prompt=prompt))
    return Usage(prompt - cached, cached, None, None, output, None, prompt)


def verdict(value: Any) -> str | None:
    """What a provider says about a cache miss, as one word; None when it says nothing or saw no miss.

    Anthropic gives `{"type": "tools_changed", ..}`, OpenAI `{"type": "cache_miss", "reason": ..}`.
    """
    if isinstance(value, str):
        return value[:64] or None
    if not isinstance(value, dict) or value.get("type") == "cache_hit":
        return None
    reason, kind = value.get("reason"), value.get("type")
    found = reason if isinstance(reason, (str, dict)) else kind
    return verdict(found) if isinstance(found, (str, dict)) else None


def _given(usage: Usage) -> Usage | None:
    return None if usage == Usage() else usage


def _inner(report: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        if isinstance(found := report.get(key), dict):
            return found
    return {}


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _count(report: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = report.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53:
            return value
    return None
