"""What a format hands to a dialect: one exchange, bodies undecoded. The seam between the two.

In: bytes of a container. Out: `Exchange` (an API call) or `TokenRequest` (a call already tokenised or
hashed). Secrets stop here: only headers named in `KEPT_HEADERS` may enter an Exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Request headers that say who called and in which session; every other header is dropped at reading.
KEPT_HEADERS = frozenset(
    {
        "user-agent",
        "x-app",
        "originator",
        "anthropic-version",
        "session-id",
        "session_id",
        "thread-id",
        "x-session-id",
        "x-parent-session-id",
        "x-claude-code-session-id",
        "conversation_id",
        "conversation-id",
        "x-conversation-id",
        "x-grok-conv-id",
        "openai-conversation-id",
        "helicone-session-id",
    }
)


def kept_headers(headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> dict[str, str]:
    """The headers that may be kept, names in lower case, values cut at 256 characters."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {
        name.lower(): value[:256]
        for name, value in pairs
        if isinstance(name, str) and isinstance(value, str) and name.lower() in KEPT_HEADERS
    }


@dataclass(slots=True)
class Exchange:
    """One API call as captured.

    `record` is the 1-based line or entry in its source. `request` is the JSON body, `response` the
    JSON body or SSE text, both undecoded (empty: not captured). Times are microseconds since the
    epoch, UTC: starts in whole milliseconds, ends in tenths of one; None when the container has none.
    `elided` is set by formats that shortened the record through `ReadContext.shorten`: the part of the
    body that was left out.
    `usage` is a usage object found beside the bodies.
    `provider` is who serves the model, where the container says so itself; None: the URL and model tell.
    `partial` says what of the prompt the container does not hold (`system-and-tools-missing`); None: nothing.
    """

    record: int
    request: bytes
    response: bytes = b""
    method: str = "POST"
    url: str = ""
    status: int | None = None
    started_us: int | None = None
    first_token_us: int | None = None
    ended_us: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    session_key: str | None = None
    request_id: str | None = None
    usage: bytes = b""
    elided: Any = None
    provider: str | None = None
    partial: str | None = None


class Block(NamedTuple):
    """A piece of an already tokenised prompt: token ids (little-endian uint32 bytes), or an atomic hash.

    `key` identifies the piece within its namespace; `tokens` is its length.
    """

    key: bytes
    tokens: int
    ids: bytes = b""


@dataclass(slots=True)
class TokenRequest:
    """One request of a token or hash trace: no text, no roles. Times as in Exchange."""

    record: int
    prompt: list[Block]
    output: list[Block] = field(default_factory=list)
    output_tokens: int | None = None
    request_id: str | None = None
    session_key: str | None = None
    namespace: str = ""
    priority: int = 0
    started_us: int | None = None
    ended_us: int | None = None
    model: str | None = None
