"""OpenAI Responses, also as Codex speaks it.

In: `instructions`, `tools` and `input` of a body; a response, JSON or SSE. Out: parts in the order of
the items, and replies. Items of an earlier response (`previous_response_id`) are the caller's to put first.
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
from cachelens.ingest.dialects.endpoint import endpoint, model_of
from cachelens.ingest.dialects.parts import Media, marked, marker_s, message, readable, sealed
from cachelens.ingest.dialects.responses_reply import Assembly
from cachelens.ingest.dialects.settings import openai_settings
from cachelens.ingest.dialects.usage import openai_usage, usage_object
from cachelens.ingest.dialects.values import (
    NOTHING,
    Fields,
    compact_json,
    fields,
    head,
    is_true,
    items,
    kind_of,
    list_of,
    object_of,
    text,
    text_or_none,
)

#: Fields of a tool that steer the transport and are not shown to the model.
TOOL_TRANSPORT = frozenset({"strict", "defer_loading", "cache_control"})
#: Fields of an item or content part that are not its text.
_TRANSPORT = frozenset({"id", "status", "call_id", "prompt_cache_breakpoint", "encrypted_content"})
#: Bytes that encryption and its envelope add to reasoning, as Codex estimates it.
ENVELOPE_BYTES = 650
_ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_KINDS = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "none": "other",
}
_SEALED = ("reasoning", "compaction", "compaction_summary", "context_compaction")


class Responses:
    """The Responses API. See `Dialect` for the contract."""

    name = "responses"
    provider = "openai"
    render: RenderOrder = "system-first"
    list_field = "input"
    renders_empty = False

    def __init__(self, image_tokens: ImageTokens = flat_image_tokens) -> None:
        self._media = Media(self.provider, image_tokens)

    def claim(self, url: str, body: Body) -> float:
        """Certain by path; else by an `input` of messages or items, which an embedding call does not have."""
        given = kind_of(body.input)
        if given not in ("list", "string"):
            return 0.0
        api = endpoint(url)
        if api is not None:
            return 1.0 if api == self.name else 0.0
        if body.instructions or body.tools or body.previous_response_id or body.conversation:
            return 0.9
        if given == "list":
            seen = head(body.input, 4096)
            return 0.8 if b'"role"' in seen or b'"call_id"' in seen else 0.0
        return 0.3 if body.stream else 0.0

    def unwrap(self, body: Body) -> Body | None:
        """This API has no envelope."""
        return None

    def model_in_url(self, url: str) -> str | None:
        """Azure may name the deployment in the path."""
        return model_of(url)

    def automatic_breakpoint_s(self, body: Body) -> int:
        """There is no top-level marker in this API; where the server sets its own is the engine's matter."""
        return 0

    def settings(self, body: Body, images: bool) -> Settings:
        """Parameters that OpenAI's caches mind, and those by which servers keep caches apart."""
        return openai_settings(body)

    def system(self, body: Body) -> list[Part]:
        """The instructions, which precede the input as a system message."""
        if kind_of(body.instructions) == "":
            return []
        if kind_of(body.instructions) == "list":
            return [
                part._replace(field=part.field.replace("input[]", f"instructions[{index}]"))
                for index, value in enumerate(items(body.instructions))
                for part in self.item(value)
            ]
        empty = Part("system", "system", "", "instructions")
        return message([empty._replace(text=text(body.instructions))], empty)

    def tools(self, raw: bytes) -> list[Part]:
        """One part a tool: its definition as compact JSON, without transport fields.

        A tool whose loading is deferred is not part of the prompt: its part has no text.
        """
        parts = []
        for value in items(raw):
            tool = fields(value)
            shown = "" if is_true(tool.get("defer_loading")) else compact_json(value, TOOL_TRANSPORT)
            name = text_or_none(tool.get("name")) or text_or_none(tool.get("type"))
            parts.append(Part("tools", "system", shown, "tools[]", name=name, breakpoint_s=marker_s(tool)))
        return parts

    def item(self, raw: bytes) -> list[Part]:
        """One item of the input, or an input that is a string."""
        if kind_of(raw) == "string":
            empty = Part("user", "user", "", "input")
            return message([empty._replace(text=text(raw))], empty)
        item = fields(raw)
        type_ = text(item.get("type")) or ("message" if "role" in item else "item_reference")
        if type_ == "message":
            role = _ROLES.get(text(item.get("role")), "none")
            empty = Part(_KINDS[role], role, "", "input[].content")
            return message(self._content(item.get("content", NOTHING), empty), empty)
        empty = Part("other", "assistant", "", "input[]", call_id=text_or_none(item.get("call_id")))
        return message(self._item(type_, item, empty), empty)

    def _item(self, type_: str, item: Fields, blank: Part) -> list[Part]:
        """The parts of an item that is no message; `blank` is its frame."""
        if type_ in _SEALED:
            return self._sealed(type_, item, blank)
        if type_ in ("function_call", "custom_tool_call"):
            key = "arguments" if type_ == "function_call" else "input"
            name = text(item.get("name"))
            given = item.get(key, NOTHING)
            shown = text(given) if kind_of(given) in ("string", "") else compact_json(given)
            call = f"{name}\n{shown}"
            return [blank._replace(kind="tool_call", text=call, field=f"input[].{key}", name=name or None)]
        if type_.endswith("_output") and "output" in item:
            given = item["output"]
            result = blank._replace(
                kind="tool_result", role="tool", field="input[].output", name=text_or_none(item.get("name"))
            )
            return self._content(list_of([given]) if kind_of(given) == "object" else given, result)
        if type_ == "item_reference":
            return [blank._replace(name=type_, call_id=text_or_none(item.get("id")))]
        return self._unknown(type_, item, blank)

    def _unknown(self, type_: str, item: Fields, blank: Part) -> list[Part]:
        """An item of another type: its JSON, without ids; of a call, after the name that its type gives it."""
        name, _, ending = type_.rpartition("_")
        is_call, is_picture = ending == "call", type_ == "image_generation_call"
        drop = _TRANSPORT | ({"type"} if is_call else set()) | ({"result"} if is_picture else set())
        rest = compact_json(object_of(item), drop)
        if is_call:
            parts = [blank._replace(kind="tool_call", name=name, text=f"{name}\n{rest}")]
        elif ending == "output":
            parts = [blank._replace(kind="tool_result", role="tool", text=rest)]
        else:
            parts = [blank._replace(text=rest)]
        if is_picture and kind_of(item.get("result")) == "string":
            picture = self._media.inline("image/png", text(item["result"]))
            parts.append(blank._replace(kind="image", field="input[].result", opaque=picture))
        return parts

    def _sealed(self, type_: str, item: Fields, blank: Part) -> list[Part]:
        """Reasoning or a compaction: what is encrypted if it is there, else its text, else its summary.

        The server reads the encrypted payload, of which the summary is only a digest.
        """
        blank = blank._replace(kind="thinking" if type_ == "reasoning" else "other")
        hidden = text_or_none(item.get("encrypted_content"))
        if hidden:
            return [blank._replace(field="input[].encrypted_content", opaque=sealed(hidden, ENVELOPE_BYTES))]
        for key in ("content", "summary"):
            found = self._content(item.get(key, NOTHING), blank._replace(field=f"input[].{key}"))
            if any(part.text for part in found):
                return found
        return [blank]

    def _content(self, content: bytes, blank: Part) -> list[Part]:
        """The parts of a content or output: a string, or a list of typed parts."""
        if kind_of(content) != "list":
            return [blank._replace(text=text(content))]
        parts = []
        for index, value in enumerate(items(content)):
            frame = blank._replace(field=f"{blank.field}[{index}]")
            if kind_of(value) != "object":
                parts.append(frame._replace(text=text(value)))
                continue
            part = fields(value)
            parts.append(marked(self._part(value, part, frame), marker_s(part)))
        return parts

    def _part(self, raw: bytes, part: Fields, blank: Part) -> Part:
        type_, at = text(part.get("type")), blank.field
        for key in ("text", "refusal"):
            if (type_.endswith(key) or not type_) and kind_of(part.get(key)) == "string":
                return blank._replace(text=text(part[key]), field=f"{at}.{key}")
        hidden = text_or_none(part.get("encrypted_content"))
        if hidden:
            return blank._replace(field=f"{at}.encrypted_content", opaque=sealed(hidden))
        if type_ in ("input_image", "computer_screenshot", "input_file"):
            image = type_ != "input_file"
            keys = ("image_url", "file_id") if image else ("file_data", "file_url", "file_id")
            key = next((key for key in keys if kind_of(part.get(key)) == "string"), "")
            if not key:
                raise BadBody("unexpected-shape", f"{type_} without data")
            media_type = "image/*" if image else "application/octet-stream"
            opaque = self._media.reference(media_type, text(part[key]))
            return blank._replace(kind="image" if image else "other", field=f"{at}.{key}", opaque=opaque)
        if type_ == "input_audio" and kind_of(part.get("input_audio")) == "object":
            audio = fields(part["input_audio"])
            opaque = self._media.inline(f"audio/{text(audio.get('format'))}", text(audio.get("data")))
            return blank._replace(kind="other", field=f"{at}.input_audio.data", opaque=opaque)
        kind = blank.kind if blank.kind == "tool_result" else "other"
        return blank._replace(kind=kind, text=compact_json(raw, _TRANSPORT))

    def reply(self, raw: bytes) -> Reply:
        """A response, as JSON or as a stream of events."""
        found = Assembly()
        found.read(raw)
        groups = [readable(self.item, item) for item in found.items()]
        parts = [part for group in groups for part in group or ()]
        complete = found.complete and None not in groups
        return Reply(parts, found.usage(), found.response_id, found.model, complete)

    def usage(self, raw: bytes) -> Usage | None:
        """A usage object found outside a response."""
        return openai_usage(usage_object(raw))
