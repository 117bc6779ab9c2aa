"""Gemini generateContent and streamGenerateContent, bare or in the envelope of Code Assist.

In: `systemInstruction`, `tools` and `contents` of a body; a response: JSON, a JSON list of chunks, or
SSE. Out: parts in the order of the body, and replies. Names may be in camel case or snake case.
"""

from __future__ import annotations

from typing import Any

import msgspec

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
from cachelens.ingest.dialects.parts import Media, message, readable
from cachelens.ingest.dialects.usage import gemini_usage, merge, usage_object
from cachelens.ingest.dialects.values import (
    NOTHING,
    Fields,
    compact_json,
    decode,
    fields,
    is_true,
    items,
    kind_of,
    list_of,
    object_of,
    string_of,
    text,
    text_or_none,
)
from cachelens.ingest.sse import events

_BODY = msgspec.json.Decoder(Body)
_ROLES = {
    "user": "user",
    "": "user",
    "model": "assistant",
    "function": "tool",
    "tool": "tool",
    "system": "system",
}
_DECLARATIONS = ("functionDeclarations", "function_declarations")
#: Fields of a part of unknown type that are not its text.
_PART_TRANSPORT = frozenset(
    {"thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata"}
)
_JSON_ESCAPE = 0x5C


class Gemini:
    """The generateContent API. See `Dialect` for the contract."""

    name = "gemini"
    provider = "gemini"
    render: RenderOrder = "system-first"
    list_field = "contents"
    renders_empty = False

    def __init__(self, image_tokens: ImageTokens = flat_image_tokens) -> None:
        self._media = Media(self.provider, image_tokens)

    def claim(self, url: str, body: Body) -> float:
        """Certain by path; else by the list of `contents`, which no other API has."""
        if kind_of(body.contents) not in ("list", "object"):
            return 0.0
        api = endpoint(url)
        if api is not None:
            return 1.0 if api == self.name else 0.0
        return 0.9

    def unwrap(self, body: Body) -> Body | None:
        """The request inside `{"model", "project", "request"}`."""
        if kind_of(body.request) != "object":
            return None
        inner = decode(_BODY, body.request)
        if not inner.contents:
            return None
        return inner if inner.model else msgspec.structs.replace(inner, model=body.model)

    def model_in_url(self, url: str) -> str | None:
        """The path names the model."""
        return model_of(url)

    def automatic_breakpoint_s(self, body: Body) -> int:
        """There are no markers in this API."""
        return 0

    def settings(self, body: Body, images: bool) -> Settings:
        """Nothing: which parameters the cache minds is not published."""
        return Settings()

    def system(self, body: Body) -> list[Part]:
        """The system instruction: a string, or a content whose parts are text."""
        for key in ("systemInstruction", "system_instruction"):
            raw = getattr(body, key)
            if kind_of(raw) == "string":
                return message([Part("system", "system", text(raw), key)], Part("system", "system", "", key))
            if kind_of(raw) == "object":
                return self._content(fields(raw), "system", "system", key)
        return []

    def tools(self, raw: bytes) -> list[Part]:
        """One part a function declaration and one a built-in tool, as compact JSON."""
        parts = []
        for index, value in enumerate(items(raw)):
            tool, at = fields(value), f"tools[{index}]"
            for key, given in tool.items():
                if key in _DECLARATIONS and kind_of(given) == "list":
                    for number, declaration in enumerate(items(given)):
                        name = text_or_none(fields(declaration).get("name"))
                        place = f"{at}.{key}[{number}]"
                        parts.append(Part("tools", "system", compact_json(declaration), place, name=name))
                elif kind_of(given):
                    shown = compact_json(object_of({key: given}))
                    parts.append(Part("tools", "system", shown, f"{at}.{key}", name=key))
        return parts

    def item(self, raw: bytes) -> list[Part]:
        """One content: its parts in order."""
        given = fields(raw)
        role = _ROLES.get(text(given.get("role")), "none")
        kind = role if role in ("system", "user", "assistant") else "other"
        at = "contents[]" if "contents" not in given else "contents"
        return self._content(given, role, kind, at)

    def _content(self, given: Fields, role: str, kind: str, at: str) -> list[Part]:
        values = given.get("parts", NOTHING)
        listed = (
            items(values) if kind_of(values) == "list" else [values] if kind_of(values) == "object" else []
        )
        parts: list[Part] = []
        for index, value in enumerate(listed):
            parts += self._part(value, role, kind, f"{at}.parts[{index}]")
        return message(parts, Part(kind, role, "", f"{at}.parts"))

    def _part(self, raw: bytes, role: str, kind: str, at: str) -> list[Part]:
        part = fields(raw)
        if kind_of(part.get("text")) == "string":
            kind = "thinking" if is_true(part.get("thought")) else kind
            return [Part(kind, role, text(part["text"]), f"{at}.text")]
        key, inner = _inner(part, "functionCall", "function_call")
        if key:
            name = text_or_none(inner.get("name"))
            shown = compact_json(inner["args"]) if kind_of(inner.get("args")) else "{}"
            call_id = text_or_none(inner.get("id"))
            return [
                Part(
                    "tool_call",
                    role,
                    f"{name or ''}\n{shown}",
                    f"{at}.{key}.args",
                    name=name,
                    call_id=call_id,
                )
            ]
        key, inner = _inner(part, "functionResponse", "function_response")
        if key:
            return self._result(inner, role, f"{at}.{key}")
        for spellings in (("inlineData", "inline_data"), ("fileData", "file_data")):
            key, inner = _inner(part, *spellings)
            if key:
                return [self._blob(inner, role, f"{at}.{key}")]
        key, inner = _inner(part, "executableCode", "executable_code")
        if key:
            shown = compact_json(part[key])
            return [Part("tool_call", role, f"code_execution\n{shown}", f"{at}.{key}", name="code_execution")]
        key, inner = _inner(part, "codeExecutionResult", "code_execution_result")
        if key:
            output = text(inner.get("output"))
            return [Part("tool_result", role, output, f"{at}.{key}.output", name="code_execution")]
        if not set(part) - _PART_TRANSPORT:
            return []
        return [Part("other", role, compact_json(raw, _PART_TRANSPORT), at)]

    def _result(self, inner: Fields, role: str, at: str) -> list[Part]:
        """What a function gave back: its response as compact JSON, then the data beside it."""
        name, call_id = text_or_none(inner.get("name")), text_or_none(inner.get("id"))
        shown = compact_json(inner["response"]) if kind_of(inner.get("response")) else ""
        parts = [Part("tool_result", role, shown, f"{at}.response", name=name, call_id=call_id)]
        for index, value in enumerate(items(inner["parts"]) if kind_of(inner.get("parts")) == "list" else ()):
            found = self._part(value, role, "tool_result", f"{at}.parts[{index}]")
            parts += [part._replace(name=name, call_id=call_id) for part in found]
        return parts

    def _blob(self, inner: Fields, role: str, at: str) -> Part:
        media_type = text(inner.get("mimeType") or inner.get("mime_type"))
        if kind_of(inner.get("data")) == "string":
            key, opaque = "data", self._media.inline(media_type, text(inner["data"]))
        else:
            key = "fileUri" if "fileUri" in inner else "file_uri"
            opaque = self._media.reference(media_type, text(inner.get(key)))
        return Part(self._media.kind(media_type), role, "", f"{at}.{key}", opaque=opaque)

    def reply(self, raw: bytes) -> Reply:
        """A response: one JSON object, a JSON list of chunks, or a stream of events. The first candidate is taken."""
        body = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
        found = _Assembly()
        if body.startswith(b"{"):
            found.chunk(body)
        elif body.startswith(b"["):
            found.list(body)
        else:
            for event in events(raw):
                found.event(event.data)
        parts = readable(self.item, found.message()) if found.parts else []
        usage = gemini_usage(merge(found.usage))
        complete = found.ended and not found.broken and parts is not None
        return Reply(parts or [], usage, found.response_id, found.model, complete)

    def usage(self, raw: bytes) -> Usage | None:
        """A usage object found outside a response."""
        return gemini_usage(usage_object(raw))


def _inner(part: Fields, *spellings: str) -> tuple[str, Fields]:
    """The spelling that `part` uses for a field that holds an object, and that object; empty when it has none."""
    for key in spellings:
        if kind_of(part.get(key)) == "object":
            return key, fields(part[key])
    return "", {}


class _Assembly:
    """One response while it is read: the parts of its first candidate, text pieces joined."""

    def __init__(self) -> None:
        self.parts: list[Fields] = []
        self.usage: list[dict[str, Any]] = []
        self.response_id: str | None = None
        self.model: str | None = None
        self.ended = False
        self.broken = False

    def event(self, data: bytes) -> None:
        """Read one chunk of a stream; an unreadable one does not lose the others."""
        try:
            self.chunk(data)
        except BadBody:
            self.broken = True

    def list(self, raw: bytes) -> None:
        """Read a list of chunks, as streamed without `alt=sse`; of a list cut off, those that are whole."""
        try:
            chunks = items(raw)
        except BadBody:
            self.broken = True
            chunks = _whole_objects(raw)
        for chunk in chunks:
            self.event(chunk)

    def chunk(self, raw: bytes) -> None:
        """Read one chunk, or a whole response."""
        given = fields(raw)
        _, wrapped = _inner(given, "response")
        given = wrapped or given
        if kind_of(given.get("error")):
            self.broken = True
            return
        self.response_id = (
            text_or_none(given.get("responseId") or given.get("response_id")) or self.response_id
        )
        self.model = text_or_none(given.get("modelVersion") or given.get("model_version")) or self.model
        self.usage.append(usage_object(given.get("usageMetadata") or given.get("usage_metadata")))
        for value in items(given["candidates"]) if kind_of(given.get("candidates")) == "list" else ():
            candidate = fields(value)
            if candidate.get("index", b"0") == b"0":
                self._candidate(candidate)

    def message(self) -> bytes:
        """The content that echoes this response."""
        return object_of({"role": b'"model"', "parts": list_of(map(object_of, self.parts))})

    def _candidate(self, candidate: Fields) -> None:
        self.ended = self.ended or bool(
            kind_of(candidate.get("finishReason") or candidate.get("finish_reason"))
        )
        _, content = _inner(candidate, "content")
        for value in items(content["parts"]) if kind_of(content.get("parts")) == "list" else ():
            part = fields(value)
            last = self.parts[-1] if self.parts else {}
            joins = kind_of(part.get("text")) == kind_of(last.get("text")) == "string"
            if joins and is_true(part.get("thought")) == is_true(last.get("thought")):
                joined = text(last["text"]) + text(part["text"])
                last["text"] = string_of(joined)
            else:
                self.parts.append(part)


def _whole_objects(raw: bytes) -> list[bytes]:
    """The JSON objects of a list that is cut off, as far as they are whole."""
    found, depth, start, at, quoted = [], 0, 0, 1, False
    while at < len(raw):
        byte = raw[at]
        if quoted:
            at += byte == _JSON_ESCAPE
            quoted = byte != 0x22
        elif byte == 0x22:
            quoted = True
        elif byte in b"{[":
            start = at if depth == 0 else start
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                found.append(raw[start : at + 1])
        at += 1
    return found
