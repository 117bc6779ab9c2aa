"""Putting parts together. In: pieces of one message. Out: the message's parts, framed once and never empty.

Also the rules for what cannot be tokenised: pictures and files (`Media`), encrypted payloads (`sealed`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import xxhash

from cachelens.ingest.dialects.base import BadBody, ImageTokens, Opaque, Part
from cachelens.ingest.dialects.values import Buffer, Fields, fields, kind_of, text_or_none

#: Default lifetime of a cache marker in seconds, where it does not name one.
DEFAULT_TTL_S = 300
#: Lifetime of OpenAI's `prompt_cache_breakpoint`, which has no other.
OPENAI_TTL_S = 1800
_KEPT_EMPTY = ("tool_call", "tool_result")
_TTL = re.compile(r"(\d{1,6})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,]*)?,", re.ASCII)


def message(parts: Sequence[Part], empty: Part) -> list[Part]:
    """`parts` of one message: the first starts it, those without text are left out, save tools' calls and results.

    A message that renders nothing is its first part, or `empty`. The cache marker of a part that is left
    out goes to the part before it, or to the first one.
    """
    kept: list[Part] = []
    marker = 0
    for part in parts:
        if part.text or part.opaque is not None or part.kind in _KEPT_EMPTY:
            kept.append(part._replace(breakpoint_s=max(part.breakpoint_s, marker)))
            marker = 0
        elif kept:
            kept[-1] = marked(kept[-1], part.breakpoint_s)
        else:
            marker = max(marker, part.breakpoint_s)
    if not kept:
        kept.append(marked(parts[0] if parts else empty, marker))
    kept[0] = kept[0]._replace(starts=True)
    return kept


def readable(item: Callable[[bytes], list[Part]], raw: bytes) -> list[Part] | None:
    """The parts of a generated message, or None when it has a block that `item` cannot read."""
    try:
        return item(raw)
    except BadBody:
        return None


def marked(part: Part, ttl_s: int) -> Part:
    """`part` with a cache marker of `ttl_s` seconds, unless it has a longer one."""
    return part._replace(breakpoint_s=max(part.breakpoint_s, ttl_s))


def mark_last(parts: list[Part], ttl_s: int) -> list[Part]:
    """`parts` with a cache marker after the last one."""
    return [*parts[:-1], marked(parts[-1], ttl_s)] if parts and ttl_s else parts


def marker_s(block: Fields) -> int:
    """TTL in seconds of the cache marker that a block carries, in any of its spellings; 0: none."""
    found = 0
    for key in ("cache_control", "cachePoint"):
        if kind_of(block.get(key)) == "object":
            found = max(found, ttl_s(block[key]))
    if kind_of(block.get("prompt_cache_breakpoint")) == "object":
        found = max(found, OPENAI_TTL_S)
    return found


def ttl_s(raw: Buffer) -> int:
    """TTL in seconds of a marker such as `{"type":"ephemeral","ttl":"1h"}`."""
    found = lifetime_s(text_or_none(fields(raw).get("ttl")) or "")
    return DEFAULT_TTL_S if found is None else found


def lifetime_s(text: str) -> int | None:
    """Seconds of a lifetime such as `30m`; None for what is none."""
    found = _TTL.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def sealed(payload: str, envelope: int = 0) -> Opaque:
    """An encrypted payload, given in base64: one token for every four bytes inside, at least one.

    `envelope` is the number of bytes that the encryption adds. The plain text cannot be known, so
    this is an estimate.
    """
    size = len(payload) * 3 // 4
    return Opaque(xxhash.xxh3_128_digest(payload.encode()), size, max(1, (size - envelope) // 4))


class Media:
    """Pictures, sound and files of one provider: identity by payload, tokens by the provider's rule."""

    def __init__(self, provider: str, image_tokens: ImageTokens) -> None:
        self._provider = provider
        self._image_tokens = image_tokens

    def inline(self, media_type: str, payload: str) -> Opaque:
        """Data that the body holds in base64."""
        size = max(0, len(payload) * 3 // 4 - payload[-2:].count("="))
        tokens = self._image_tokens(self._provider, media_type, payload, size)
        return Opaque(xxhash.xxh3_128_digest(payload.encode()), size, tokens)

    def reference(self, media_type: str, name: str) -> Opaque:
        """Data that the body only names, by a URL or a file id. A data URL is read as inline data."""
        if found := _DATA_URL.match(name):
            return self.inline(found[1] or media_type, name[found.end() :])
        tokens = self._image_tokens(self._provider, media_type, "", 0)
        return Opaque(xxhash.xxh3_128_digest(name.encode()), 0, tokens)

    def kind(self, media_type: str) -> str:
        """The segment kind of this type of data."""
        return "image" if media_type.startswith("image/") else "other"
