"""What never reaches a recording. In: a call as a client sends it. Out: its headers, URL and bodies without secrets.

Of headers and URLs only what is known to be harmless is kept. In bodies the credentials of MCP servers have fixed
places; and a key of the call itself is taken out wherever it stands, such as in the text of an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cachelens.ingest.formats.urls import safe_url

REDACTED = "[redacted]"

#: Headers whose value is a key, or ends with one.
_KEY_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
)
#: Query parameters that are keys.
_KEY_PARAMETER = re.compile(r"(?i)[?&](?:key|api[_-]?key|access[_-]?token|token|sig)=([^&#]+)")
#: A key is long and mixed; a word such as `test-key` may stand in a prompt, where it must not be touched.
_KEY = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\x21-\x7e]{20,}")
_SPLIT = re.compile(r"[\s,;=]+")
#: Fields of an MCP server in a body: credentials, and an address that may hold some.
_MCP_SECRETS = frozenset({"authorization", "authorization_token"})
_MCP_ADDRESSES = frozenset({"url", "server_url"})
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def keys_of(url: str, headers: Iterable[tuple[str, str]]) -> tuple[bytes, ...]:
    """The keys that a call carries in its headers and its URL."""
    texts = [part for name, value in headers if name.lower() in _KEY_HEADERS for part in _SPLIT.split(value)]
    texts += _KEY_PARAMETER.findall(url)
    return tuple(dict.fromkeys(text.encode() for text in texts if _KEY.fullmatch(text)))


def without_keys(data: bytes, keys: Iterable[bytes]) -> bytes:
    """`data` with every key replaced."""
    for key in keys:
        data = data.replace(key, REDACTED.encode())
    return data


def without_credentials(body: bytes) -> bytes:
    """A request body, valid JSON, without credentials of MCP servers; the same bytes where it has none."""
    if b"mcp" not in body:
        return body
    try:
        decoded: Any = msgspec.json.decode(body)
    except _DECODE_ERRORS:
        return body
    servers = [server for server in _elements(decoded, "mcp_servers") if isinstance(server, dict)]
    servers += [
        tool for tool in _elements(decoded, "tools") if isinstance(tool, dict) and tool.get("type") == "mcp"
    ]
    changed = [_redact(server) for server in servers]
    return msgspec.json.encode(decoded) if any(changed) else body


def _elements(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _redact(server: dict[str, Any]) -> bool:
    """Take the secrets out of one server's entry; whether there were any."""
    before = dict(server)
    for name, value in before.items():
        if name in _MCP_SECRETS and value is not None:
            server[name] = REDACTED
        elif name == "headers" and isinstance(value, Mapping):
            server[name] = dict.fromkeys(value, REDACTED)
        elif name in _MCP_ADDRESSES and isinstance(value, str):
            server[name] = safe_url(value)
    return server != before
