"""Explicit session keys. In: a request body and its kept headers. Out: (session key, key of its parent).

Keys only ever join lineages into a session; which request continues which is decided by the prompts.
"""

from __future__ import annotations

import re

import msgspec

from cachelens.ingest.dialects.base import Body

_SESSION_HEADERS = (
    "x-session-id",
    "session-id",
    "session_id",
    "x-claude-code-session-id",
    "thread-id",
    "conversation-id",
    "conversation_id",
    "x-conversation-id",
    "openai-conversation-id",
    "x-grok-conv-id",
    "helicone-session-id",
)
#: Sixteen or more hexadecimal digits, hyphens aside: made for one conversation.
_UNIQUE = re.compile(r"(?:[0-9a-fA-F]-?){16}")
_PARENT_HEADERS = ("x-parent-session-id",)


def session_keys(body: Body, headers: dict[str, str], given: str | None) -> tuple[str | None, str | None]:
    """The session's key and its parent session's. `given` is a key that the container itself holds."""
    parent = next((headers[name] for name in _PARENT_HEADERS if headers.get(name)), None)
    for key in (
        given,
        next((headers[name] for name in _SESSION_HEADERS if headers.get(name)), None),
        _of_metadata(_value(body.metadata)),
        _string(_value(body.session_id)),
        _of_conversation(_value(body.conversation)),
        _conversation_key(_string(_value(body.prompt_cache_key))),
    ):
        if key:
            return key[:256], parent
    return None, parent


def _conversation_key(key: str | None) -> str | None:
    """A `prompt_cache_key` that names one conversation; many are a routing hint, one for a whole application."""
    return key if key and _UNIQUE.search(key) else None


def _value(raw: msgspec.Raw) -> object:
    data = bytes(raw)
    if not data or len(data) > 4096:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _of_conversation(value: object) -> str | None:
    return _string(value.get("id")) if isinstance(value, dict) else _string(value)


def _of_metadata(value: object) -> str | None:
    """`session_id` in metadata, or inside `user_id`: JSON, or `user_…_session_<id>` as Claude Code writes it."""
    if not isinstance(value, dict):
        return None
    if key := _string(value.get("session_id")):
        return key
    user = _string(value.get("user_id"))
    if not user:
        return None
    if user.startswith("{"):
        inner = _value(msgspec.Raw(user.encode("utf-8", "replace")))
        return _string(inner.get("session_id")) if isinstance(inner, dict) else None
    _, marker, session = user.rpartition("_session_")
    return session if marker else None
