"""The contract of a dialect: how one wire API spells a prompt and a reply.

In: undecoded JSON of a request body's fields. Out: `Part`s, the typed pieces of the prompt in order.
A dialect is pure: the caller remembers results by the raw bytes and asks only for what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from cachelens.model.render import Order

RenderOrder = Order

#: Tokens of a picture or other binary part: (provider, media type, base64 payload, size in bytes) -> tokens.
#: The payload is empty and the size 0 where the body only refers to the data (a URL, a file id).
ImageTokens = Callable[[str, str, str, int], int]

#: What `flat_image_tokens` answers: about one picture of 0.75 megapixels at Anthropic's or OpenAI's rate.
FLAT_IMAGE_TOKENS = 1_000


def flat_image_tokens(provider: str, media_type: str, payload: str, size: int) -> int:
    """The default `ImageTokens`: the same count for every binary part, whatever it is."""
    return FLAT_IMAGE_TOKENS


class Opaque(NamedTuple):
    """Binary or encrypted payload: identity by digest, never tokenised. `tokens` by the provider's rule."""

    digest: bytes
    size: int
    tokens: int


class Part(NamedTuple):
    """One piece of a prompt or reply.

    `kind` and `role` are names from model.kinds. `text` is exactly the text a server would render,
    without ids, cache markers or sampling parameters. `field` is the path of the piece in the body;
    `[]` stands for the index inside the body's list (`messages[].content[1].text`). `starts` marks the
    first part of a message, which carries the message's framing tokens. `breakpoint_s` is the TTL of a
    cache marker on this part (0: none).
    """

    kind: str
    role: str
    text: str
    field: str
    starts: bool = False
    name: str | None = None
    call_id: str | None = None
    breakpoint_s: int = 0
    opaque: Opaque | None = None


class Usage(msgspec.Struct, frozen=True):
    """Reported usage, normalised: prompt = uncached + cache_read + cache_write. None: not reported.

    A server may report `prompt`, all input tokens, without saying how many of them were cached; then
    `uncached` is unknown as well. Where an API has one kind of cache write, it is in `cache_write_5m`.
    """

    uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    miss_reason: str | None = None
    prompt: int | None = None


class Reply(NamedTuple):
    """A decoded response: what was generated, as the parts it would become when sent back.

    `complete` is False for an error, a stream without its end, and one with an unreadable event or block.
    """

    parts: list[Part]
    usage: Usage | None = None
    response_id: str | None = None
    model: str | None = None
    complete: bool = True


class Settings(NamedTuple):
    """Parameters of a request that are no prompt text and yet decide what a cache serves; see docs/dialects.md.

    `invalidates_system`: digest of the parameters a change of which invalidates what is cached of the system
    prompt and of all messages; `invalidates_messages`: of messages alone. None: none of them is given.
    `routing_key`: digest of the key that routes equal prompts to the same server. `cache_retention_s`: the
    lifetime that is asked for, in seconds. `cache_mode`: `explicit` when only marked breakpoints count.
    `scope`: digest of the salt and adapter that must match. `priority` as the server was given it.
    """

    invalidates_system: str | None = None
    invalidates_messages: str | None = None
    routing_key: str | None = None
    cache_retention_s: int | None = None
    cache_mode: Literal["explicit"] | None = None
    priority: int = 0
    scope: str | None = None


class Body(msgspec.Struct):
    """The fields of a request body that matter, each undecoded. Unknown fields are ignored."""

    model: msgspec.Raw = msgspec.Raw()
    stream: msgspec.Raw = msgspec.Raw()
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    contents: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    systemInstruction: msgspec.Raw = msgspec.Raw()
    system_instruction: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    functions: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()
    prompt_cache_key: msgspec.Raw = msgspec.Raw()
    previous_response_id: msgspec.Raw = msgspec.Raw()
    conversation: msgspec.Raw = msgspec.Raw()
    session_id: msgspec.Raw = msgspec.Raw()
    cache_control: msgspec.Raw = msgspec.Raw()
    anthropic_version: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()
    toolConfig: msgspec.Raw = msgspec.Raw()
    cachedContent: msgspec.Raw = msgspec.Raw()
    additionalModelRequestFields: msgspec.Raw = msgspec.Raw()
    tool_choice: msgspec.Raw = msgspec.Raw()
    thinking: msgspec.Raw = msgspec.Raw()
    speed: msgspec.Raw = msgspec.Raw()
    parallel_tool_calls: msgspec.Raw = msgspec.Raw()
    response_format: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    reasoning: msgspec.Raw = msgspec.Raw()
    reasoning_effort: msgspec.Raw = msgspec.Raw()
    verbosity: msgspec.Raw = msgspec.Raw()
    prompt_cache_retention: msgspec.Raw = msgspec.Raw()
    prompt_cache_options: msgspec.Raw = msgspec.Raw()
    priority: msgspec.Raw = msgspec.Raw()
    cache_salt: msgspec.Raw = msgspec.Raw()
    extra_key: msgspec.Raw = msgspec.Raw()
    lora_path: msgspec.Raw = msgspec.Raw()
    lora_id: msgspec.Raw = msgspec.Raw()


class BadBody(Exception):
    """A body this dialect cannot read. `reason` is a slug for the skip tally."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Dialect(Protocol):
    """One wire API. Constructed as `Class(image_tokens=callable)`.

    `provider` is whose API it is, and so whose rule counts pictures: `anthropic`, `openai` or `gemini`.
    `list_field` names the body field that holds the growing list of messages. `renders_empty`: an assistant
    message that is left with nothing when its thinking is stripped still costs its frame. All methods take raw
    JSON bytes and raise `BadBody` (or msgspec.DecodeError, RecursionError) on what they cannot read.
    All methods that take a `Body` get the inner one, after `unwrap`.
    """

    name: str
    provider: str
    render: RenderOrder
    list_field: str
    renders_empty: bool

    def __init__(self, image_tokens: ImageTokens = flat_image_tokens) -> None: ...

    def claim(self, url: str, body: Body) -> float:
        """How sure this dialect is that `body`, sent to `url`, is its own; 0 to 1."""
        ...

    def unwrap(self, body: Body) -> Body | None:
        """The request inside an envelope or in another spelling, or None when `body` is the request itself."""
        ...

    def model_in_url(self, url: str) -> str | None:
        """The model, for an API that names it in the URL."""
        ...

    def automatic_breakpoint_s(self, body: Body) -> int:
        """TTL of a marker that stands for "after the last cacheable part of the request"; 0: none."""
        ...

    def settings(self, body: Body, images: bool) -> Settings:
        """Parameters that caches mind; `images`: the prompt holds pictures. `Settings()` where none are known."""
        ...

    def system(self, body: Body) -> list[Part]:
        """System prompt given outside the message list, in order."""
        ...

    def tools(self, raw: bytes) -> list[Part]:
        """Tool definitions in body order, one part each; `raw` is the body's list of tools."""
        ...

    def item(self, raw: bytes) -> list[Part]:
        """One element of the message list, or the whole value where the API also allows a plain string."""
        ...

    def reply(self, raw: bytes) -> Reply:
        """A response body, JSON or SSE."""
        ...

    def usage(self, raw: bytes) -> Usage | None:
        """A usage object of this API found outside a response; None when it says nothing about tokens."""
        ...
