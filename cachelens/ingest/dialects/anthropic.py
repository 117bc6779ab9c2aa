"""Anthropic Messages, also as sent to Bedrock (InvokeModel, Converse) and Vertex.

In: `system`, `tools` and `messages` of a body; a response, JSON or SSE. Out: parts in the order of the
blocks, and replies. docs/dialects.md says which block becomes what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cachelens.ingest.dialects.anthropic_reply import Assembly
from cachelens.ingest.dialects.base import (
    BadBody,
    Body,
    ImageTokens,
    Part,
    RenderOrder,
    Reply,
    Settings,
    Usage,
    flat_image_tokens,
)
from cachelens.ingest.dialects.converse import anthropic_block, anthropic_tool, anthropic_tool_choice
from cachelens.ingest.dialects.endpoint import endpoint, model_of
from cachelens.ingest.dialects.parts import (
    Media,
    mark_last,
    marked,
    marker_s,
    message,
    readable,
    sealed,
    ttl_s,
)
from cachelens.ingest.dialects.settings import digest, value_of
from cachelens.ingest.dialects.usage import anthropic_usage, usage_object
from cachelens.ingest.dialects.values import (
    NOTHING,
    Buffer,
    Fields,
    compact_json,
    fields,
    head,
    is_true,
    items,
    kind_of,
    object_of,
    text,
    text_or_none,
)

#: Fields of a tool that steer the transport and are not shown to the model.
TOOL_TRANSPORT = frozenset(
    {"cache_control", "eager_input_streaming", "strict", "defer_loading", "allowed_callers"}
)
#: Fields of a block of unknown type that are not its text.
_BLOCK_TRANSPORT = frozenset({"cache_control", "id", "tool_use_id", "encrypted_content", "encrypted_index"})
_ROLES = {"user": "user", "assistant": "assistant", "system": "system"}
_MARKS = ('"tool_use"', '"tool_result"', '"input_schema"', '"cache_control"', '"thinking"')
_OPENAI_MARKS = ('"tool_calls"', '"tool_call_id"', '"role":"system"', '"role": "system"', '"image_url"')


class Anthropic:
    """The Messages API. See `Dialect` for the contract."""

    name = "anthropic"
    provider = "anthropic"
    render: RenderOrder = "tools-first"
    list_field = "messages"
    renders_empty = False

    def __init__(self, image_tokens: ImageTokens = flat_image_tokens) -> None:
        self._media = Media(self.provider, image_tokens)

    def claim(self, url: str, body: Body) -> float:
        """Certain by path; else by fields and block types that only this API has."""
        if kind_of(body.messages) != "list":
            return 0.0
        api = endpoint(url)
        if api is not None:
            return 1.0 if api == self.name else 0.0
        if body.anthropic_version or kind_of(body.system):
            return 0.9
        seen = head(body.messages, 65536) + head(body.tools, 4096)
        if any(mark.encode() in seen for mark in _OPENAI_MARKS):
            return 0.1
        if any(mark.encode() in seen for mark in _MARKS):
            return 0.8
        return 0.5 if b"claude" in bytes(body.model) else 0.3

    def unwrap(self, body: Body) -> Body | None:
        """Bedrock's Converse keeps its tools one level deeper."""
        if kind_of(body.messages) != "list" or kind_of(body.toolConfig) != "object":
            return None
        given = fields(body.toolConfig)
        if "tools" not in given:
            return None
        choice = anthropic_tool_choice(given.get("toolChoice", NOTHING))
        return msgspec.structs.replace(
            body,
            tools=msgspec.Raw(given["tools"]),
            tool_choice=msgspec.Raw(choice),
            toolConfig=msgspec.Raw(),
        )

    def model_in_url(self, url: str) -> str | None:
        """Bedrock and Vertex name the model in the path."""
        return model_of(url)

    def automatic_breakpoint_s(self, body: Body) -> int:
        """TTL of a top-level `cache_control`: a marker on the last cacheable block."""
        return ttl_s(body.cache_control) if kind_of(body.cache_control) == "object" else 0

    def settings(self, body: Body, images: bool) -> Settings:
        """Speed goes with the system prompt; tool choice, thinking and pictures with the messages.

        A value that is documented as the default counts as not given. What thinking defaults to depends on the
        model, so there it does not.
        """
        thinking = body.thinking
        if not kind_of(thinking) and kind_of(body.additionalModelRequestFields) == "object":
            thinking = msgspec.Raw(fields(body.additionalModelRequestFields).get("thinking", NOTHING))
        speed = value_of(body.speed)
        messages = {"images": images or None, "thinking": _budget(thinking), "tool_choice": _choice(body)}
        return Settings(
            invalidates_system=digest({"speed": None if speed == "standard" else speed}),
            invalidates_messages=digest(messages),
        )

    def system(self, body: Body) -> list[Part]:
        """The system prompt: a string, or text blocks that may carry markers."""
        if kind_of(body.system) == "":
            return []
        return self._message(body.system, "system", "system", "system")

    def tools(self, raw: bytes) -> list[Part]:
        """One part a tool: its definition as compact JSON, without transport fields.

        A tool whose loading is deferred is not part of the prompt: its part has no text.
        """
        parts: list[Part] = []
        for value in items(raw):
            tool = anthropic_tool(value)
            marker = marker_s(fields(value))
            if tool is None:
                parts = mark_last(parts, marker)
                continue
            named = fields(tool)
            deferred = is_true(named.get("defer_loading"))
            drop = TOOL_TRANSPORT
            if text_or_none(named.get("type")) == "custom":
                drop = drop | {"type"}
            shown = "" if deferred else compact_json(tool, drop)
            name = text_or_none(named.get("name"))
            parts.append(Part("tools", "system", shown, "tools[]", name=name, breakpoint_s=marker))
        return parts

    def item(self, raw: bytes) -> list[Part]:
        """One message: its blocks in order."""
        given = fields(raw)
        role = _ROLES.get(text(given.get("role")), "none")
        kind = role if role in ("system", "assistant", "user") else "other"
        return self._message(given.get("content", NOTHING), role, kind, "messages[].content")

    def _message(self, content: Buffer, role: str, kind: str, at: str) -> list[Part]:
        empty = Part(kind, role, "", at)
        if kind_of(content) != "list":
            return message([empty._replace(text=text(content))], empty)
        return message(self._blocks(items(content), role, kind, at), empty)

    def _blocks(
        self, blocks: Sequence[bytes], role: str, kind: str, at: str, call_id: str | None = None
    ) -> list[Part]:
        """The parts of a list of blocks; a block that is only a marker marks the part before it."""
        parts: list[Part] = []
        for index, value in enumerate(blocks):
            place = f"{at}[{index}]"
            if kind_of(value) == "string":
                parts.append(Part(kind, role, text(value), place, call_id=call_id))
                continue
            block, below = anthropic_block(fields(value))
            found = self._block(block, role, kind, place + below, call_id)
            if found:
                parts += mark_last(found, marker_s(block))
            elif parts:
                parts[-1] = marked(parts[-1], marker_s(block))
        return parts

    def _block(self, block: Fields, role: str, kind: str, at: str, call_id: str | None) -> list[Part]:
        """The parts of one block, without its marker; none for a block that is only a marker."""
        type_ = text(block.get("type"))
        if type_ == "text":
            return [Part(kind, role, text(block.get("text")), f"{at}.text", call_id=call_id)]
        if type_ == "thinking":
            return [self._thinking(block, role, at)]
        if type_ == "redacted_thinking":
            return [Part("thinking", role, "", f"{at}.data", opaque=sealed(text(block.get("data"))))]
        if type_ == "tool_use" or type_.endswith("_tool_use"):
            return [_tool_call(block, role, f"{at}.input")]
        if type_ == "tool_result" or type_.endswith("_tool_result"):
            return self._tool_result(block, role, at)
        if type_ in ("image", "document") and kind_of(block.get("source")) == "object":
            return self._document(block, type_, role, kind, at, call_id)
        if type_ == "search_result" and kind_of(block.get("content")) == "list":
            top = _captions(block, ("source", "title"), Part(kind, role, "", at, call_id=call_id))
            return top + self._blocks(items(block["content"]), role, kind, f"{at}.content", call_id)
        if type_ == "compaction" and kind_of(block.get("content")) == "string":
            return [Part(kind, role, text(block["content"]), f"{at}.content")]
        if not type_ and not set(block) - {"cachePoint"}:
            return []
        return self._unknown(block, role, kind if call_id else "other", at, call_id)

    def _thinking(self, block: Fields, role: str, at: str) -> Part:
        """Thinking as text; where the server withheld the text, its signature carries it encrypted."""
        shown = text(block.get("thinking"))
        signature = "" if shown else text(block.get("signature"))
        opaque = sealed(signature) if signature else None
        return Part("thinking", role, shown, f"{at}.thinking", opaque=opaque)

    def _tool_result(self, block: Fields, role: str, at: str) -> list[Part]:
        """What a tool gave back: one part for a string, one for each block of a list."""
        call_id = text_or_none(block.get("tool_use_id"))
        content = block.get("content", NOTHING)
        empty = Part("tool_result", role, "", f"{at}.content", call_id=call_id)
        if kind_of(content) == "list":
            found = self._blocks(items(content), role, "tool_result", f"{at}.content", call_id)
            return found or [empty]
        if kind_of(content) == "object":
            return self._unknown(fields(content), role, "tool_result", f"{at}.content", call_id)
        return [empty._replace(text=text(content))]

    def _document(
        self, block: Fields, type_: str, role: str, kind: str, at: str, call_id: str | None
    ) -> list[Part]:
        """A picture or document: title and context are text, and so is a plain-text source."""
        parts = _captions(block, ("title", "context"), Part(kind, role, "", at, call_id=call_id))
        source = fields(block["source"])
        origin = text(source.get("type"))
        if origin == "text":
            return [*parts, Part(kind, role, text(source.get("data")), f"{at}.source.data", call_id=call_id)]
        if origin == "content":
            content = source.get("content", NOTHING)
            if kind_of(content) == "list":
                return parts + self._blocks(items(content), role, kind, f"{at}.source.content", call_id)
            return [*parts, Part(kind, role, text(content), f"{at}.source.content", call_id=call_id)]
        media_type = text(source.get("media_type")) or ("image/*" if type_ == "image" else "application/pdf")
        if kind_of(source.get("data")) == "string":
            key, opaque = "data", self._media.inline(media_type, text(source["data"]))
        else:
            key = next((key for key in ("url", "file_id") if kind_of(source.get(key)) == "string"), "")
            if not key:
                raise BadBody("unexpected-shape", f"{type_} without data")
            opaque = self._media.reference(media_type, text(source[key]))
        field = f"{at}.source.{key}"
        kind = self._media.kind(media_type)
        return [*parts, Part(kind, role, "", field, call_id=call_id, opaque=opaque)]

    def _unknown(self, block: Fields, role: str, kind: str, at: str, call_id: str | None) -> list[Part]:
        """A block of another type: its JSON without ids and markers, and what it holds encrypted."""
        page = block.get("content")
        if kind_of(page) == "object" and text_or_none(fields(block["content"]).get("type")) == "document":
            url = _captions(block, ("url",), Part(kind, role, "", at, call_id=call_id))
            return url + self._block(fields(block["content"]), role, kind, f"{at}.content", call_id)
        raw = object_of(block)
        parts = [Part(kind, role, compact_json(raw, _BLOCK_TRANSPORT), at, call_id=call_id)]
        hidden = text_or_none(block.get("encrypted_content"))
        if hidden:
            field = f"{at}.encrypted_content"
            parts.append(Part(kind, role, "", field, call_id=call_id, opaque=sealed(hidden)))
        return parts

    def reply(self, raw: bytes) -> Reply:
        """A message, as JSON or as a stream of events."""
        found = Assembly()
        found.read(raw)
        parts = readable(self.item, found.message()) if found.blocks else []
        complete = found.complete and parts is not None
        return Reply(parts or [], found.usage(), found.response_id, found.model, complete)

    def usage(self, raw: bytes) -> Usage | None:
        """A usage object found outside a response."""
        return anthropic_usage(usage_object(raw))


def _budget(raw: Buffer) -> Any:
    """What of the thinking parameters decides about caches: the type and the budget."""
    given = value_of(raw)
    if not isinstance(given, dict):
        return given
    return {key: given[key] for key in ("type", "budget_tokens") if given.get(key) is not None}


def _choice(body: Body) -> Any:
    """The tool choice, None for the default."""
    given = value_of(body.tool_choice)
    if isinstance(given, dict) and given.get("disable_parallel_tool_use") is False:
        given = {key: inner for key, inner in given.items() if key != "disable_parallel_tool_use"}
    return None if given == {"type": "auto"} else given


def _captions(block: Fields, keys: tuple[str, ...], blank: Part) -> list[Part]:
    """A part for each of these fields that holds a text."""
    found = [blank._replace(text=text(block.get(key)), field=f"{blank.field}.{key}") for key in keys]
    return [part for part in found if part.text]


def _tool_call(block: Fields, role: str, at: str) -> Part:
    """A call of a tool: its name, a line feed, its input as compact JSON in the order of its keys."""
    name = text(block.get("name"))
    given = block.get("input")
    if given is None:
        shown = "{}"
    elif kind_of(given) == "string":  # cut off before it was a whole JSON value
        shown = text(given)
    else:
        shown = compact_json(given)
    return Part(
        "tool_call", role, f"{name}\n{shown}", at, name=name or None, call_id=text_or_none(block.get("id"))
    )
