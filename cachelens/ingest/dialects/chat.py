"""OpenAI Chat Completions and the servers that speak it.

In: `tools` (or `functions`) and `messages` of a body; a response, JSON or SSE. Out: parts in rendered
order (thinking, text, tool calls), and replies. docs/dialects.md says what becomes what.
"""

from __future__ import annotations

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
from cachelens.ingest.dialects.chat_reply import Assembly
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
from cachelens.ingest.dialects.settings import openai_settings
from cachelens.ingest.dialects.usage import openai_usage, usage_object
from cachelens.ingest.dialects.values import (
    NOTHING,
    Fields,
    compact_json,
    fields,
    head,
    items,
    kind_of,
    text,
    text_or_none,
)

#: Fields of a tool, or of the function inside it, that steer the transport and are not shown to the model.
TOOL_TRANSPORT = frozenset({"cache_control", "prompt_cache_breakpoint", "strict"})
_PART_TRANSPORT = frozenset({"cache_control", "prompt_cache_breakpoint"})
_ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_KINDS = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "none": "other",
}
_OPENAI_MARKS = (b'"tool_calls"', b'"tool_call_id"', b'"function"', b'"image_url"', b'"refusal"')
_ANTHROPIC_MARKS = (b'"tool_use"', b'"tool_result"', b'"input_schema"')


class Chat:
    """The Chat Completions API. See `Dialect` for the contract."""

    name = "chat"
    provider = "openai"
    render: RenderOrder = "system-first"
    list_field = "messages"
    renders_empty = True

    def __init__(self, image_tokens: ImageTokens = flat_image_tokens) -> None:
        self._media = Media(self.provider, image_tokens)

    def claim(self, url: str, body: Body) -> float:
        """Certain by path; else by what only this API has in its messages and tools."""
        if kind_of(body.messages) != "list":
            return 0.0
        api = endpoint(url)
        if api is not None:
            return 1.0 if api == self.name else 0.0
        if body.anthropic_version or kind_of(body.system):
            return 0.1
        seen = head(body.messages, 65536) + head(body.tools, 4096)
        if any(mark in seen for mark in _OPENAI_MARKS) or body.functions:
            return 0.8
        return 0.2 if any(mark in seen for mark in _ANTHROPIC_MARKS) else 0.4

    def unwrap(self, body: Body) -> Body | None:
        """This API has no envelope."""
        return None

    def model_in_url(self, url: str) -> str | None:
        """Azure names the deployment in the path."""
        return model_of(url)

    def automatic_breakpoint_s(self, body: Body) -> int:
        """TTL of a top-level `cache_control`, as some servers take it in front of Anthropic's models."""
        return ttl_s(body.cache_control) if kind_of(body.cache_control) == "object" else 0

    def settings(self, body: Body, images: bool) -> Settings:
        """Parameters that OpenAI's caches mind, and those by which servers keep caches apart."""
        return openai_settings(body)

    def system(self, body: Body) -> list[Part]:
        """Nothing: system prompts are messages here."""
        return []

    def tools(self, raw: bytes) -> list[Part]:
        """One part a tool: its whole definition as compact JSON, without transport fields."""
        parts = []
        for value in items(raw):
            tool = fields(value)
            nested = kind_of(tool.get("function")) == "object"
            function = fields(tool["function"]) if nested else tool
            shown = compact_json(value, TOOL_TRANSPORT, 2 if nested else 1)
            legacy = not nested and "type" not in tool
            at = "functions[]" if legacy else "tools[]"
            name = text_or_none(function.get("name"))
            parts.append(Part("tools", "system", shown, at, name=name, breakpoint_s=marker_s(tool)))
        return parts

    def item(self, raw: bytes) -> list[Part]:
        """One message: thinking, content and tool calls, in this order."""
        given = fields(raw)
        role = _ROLES.get(text(given.get("role")), "none")
        kind, at = _KINDS[role], "messages[]"
        name = text_or_none(given.get("name"))
        call_id = text_or_none(given.get("tool_call_id"))
        empty = Part(kind, role, "", f"{at}.content", name=name, call_id=call_id)
        parts = self._thinking(given, role, at) if role == "assistant" else []
        parts += self._content(given.get("content", NOTHING), empty)
        if kind_of(given.get("refusal")):
            parts.append(Part(kind, role, text(given["refusal"]), f"{at}.refusal", name=name))
        parts += self._calls(given, role, at)
        return mark_last(message(parts, empty), marker_s(given))

    def _thinking(self, given: Fields, role: str, at: str) -> list[Part]:
        """Reasoning sent back: text under one of several names, or OpenRouter's and LiteLLM's lists."""
        for key in ("reasoning_content", "reasoning"):
            if kind_of(given.get(key)) == "string" and (shown := text(given[key])):
                return [Part("thinking", role, shown, f"{at}.{key}")]
        parts: list[Part] = []
        for key in ("reasoning_details", "thinking_blocks"):
            if kind_of(given.get(key)) == "list" and not parts:
                for index, value in enumerate(items(given[key])):
                    parts += _thinking_block(fields(value), role, f"{at}.{key}[{index}]")
        return parts

    def _content(self, content: bytes, empty: Part) -> list[Part]:
        if kind_of(content) != "list":
            return [empty._replace(text=text(content))]
        parts: list[Part] = []
        for index, value in enumerate(items(content)):
            place = f"{empty.field}[{index}]"
            if kind_of(value) == "string":
                parts.append(empty._replace(text=text(value), field=place))
                continue
            block = fields(value)
            if not set(block) - {"cachePoint"}:
                parts = parts[:-1] + [marked(part, marker_s(block)) for part in parts[-1:]]
                continue
            parts.append(marked(self._block(value, block, empty._replace(field=place)), marker_s(block)))
        return parts

    def _block(self, raw: bytes, block: Fields, blank: Part) -> Part:
        """The part of one element of a content list; `blank` is its frame."""
        type_, at = text(block.get("type")), blank.field
        for key in ("text", "refusal"):
            if type_.endswith(key) and kind_of(block.get(key)):
                return blank._replace(text=text(block[key]), field=f"{at}.{key}")
        if type_ == "thinking":
            shown = "".join(part.text for part in self._content(block.get("thinking", NOTHING), blank))
            return blank._replace(kind="thinking", text=shown, field=f"{at}.thinking")
        if type_ in ("image_url", "video_url", "audio_url"):
            given = block.get(type_, NOTHING)
            inside = kind_of(given) == "object"
            url = text(fields(given).get("url") if inside else given)
            opaque = self._media.reference(type_.removesuffix("_url") + "/*", url)
            kind = "image" if type_ == "image_url" else "other"
            return blank._replace(kind=kind, field=f"{at}.{type_}" + ".url" * inside, opaque=opaque)
        if type_ == "input_audio" and kind_of(block.get("input_audio")) == "object":
            audio = fields(block["input_audio"])
            opaque = self._media.inline(f"audio/{text(audio.get('format'))}", text(audio.get("data")))
            return blank._replace(kind="other", field=f"{at}.input_audio.data", opaque=opaque)
        if type_ == "file" and kind_of(block.get("file")) == "object":
            file = fields(block["file"])
            key = "file_data" if kind_of(file.get("file_data")) else "file_id"
            opaque = self._media.reference("application/octet-stream", text(file.get(key)))
            return blank._replace(kind="other", field=f"{at}.file.{key}", opaque=opaque)
        kind = blank.kind if blank.kind == "tool_result" else "other"
        return blank._replace(kind=kind, text=compact_json(raw, _PART_TRANSPORT))

    def _calls(self, given: Fields, role: str, at: str) -> list[Part]:
        parts: list[Part] = []
        if kind_of(given.get("tool_calls")) == "list":
            for index, value in enumerate(items(given["tool_calls"])):
                call = fields(value)
                key = "custom" if kind_of(call.get("custom")) == "object" else "function"
                place = f"{at}.tool_calls[{index}].{key}"
                parts.append(_call(call.get(key, NOTHING), text_or_none(call.get("id")), role, place))
        if kind_of(given.get("function_call")) == "object":
            parts.append(_call(given["function_call"], None, role, f"{at}.function_call"))
        return parts

    def reply(self, raw: bytes) -> Reply:
        """A completion, as JSON or as a stream of chunks. Of several choices the first is taken."""
        found = Assembly()
        found.read(raw)
        parts = readable(self.item, found.message()) if found.answered else []
        complete = found.complete and parts is not None
        return Reply(parts or [], found.usage(), found.response_id, found.model, complete)

    def usage(self, raw: bytes) -> Usage | None:
        """A usage object found outside a response."""
        return openai_usage(usage_object(raw))


def _call(raw: bytes, call_id: str | None, role: str, at: str) -> Part:
    """A call of a tool: its name, a line feed, its arguments exactly as sent."""
    if kind_of(raw) != "object":
        raise BadBody("unexpected-shape", "a tool call without a function")
    function = fields(raw)
    name = text(function.get("name"))
    key = "input" if "input" in function else "arguments"
    given = function.get(key, NOTHING)
    shown = text(given) if kind_of(given) in ("string", "") else compact_json(given)
    return Part("tool_call", role, f"{name}\n{shown}", f"{at}.{key}", name=name or None, call_id=call_id)


def _thinking_block(block: Fields, role: str, at: str) -> list[Part]:
    for key in ("text", "thinking", "summary"):
        if kind_of(block.get(key)) == "string":
            return [Part("thinking", role, text(block[key]), f"{at}.{key}")]
    hidden = text_or_none(block.get("data"))
    return [Part("thinking", role, "", f"{at}.data", opaque=sealed(hidden))] if hidden else []
