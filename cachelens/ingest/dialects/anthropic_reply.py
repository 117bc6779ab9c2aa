"""Anthropic responses. In: a JSON body or an event stream. Out: the message as it would be sent back, and usage."""

from __future__ import annotations

from typing import Any

import msgspec

from cachelens.ingest.dialects.base import BadBody, Usage
from cachelens.ingest.dialects.converse import anthropic_reply
from cachelens.ingest.dialects.usage import anthropic_usage, merge, usage_object, verdict
from cachelens.ingest.dialects.values import (
    Fields,
    compact_json,
    decode,
    fields,
    items,
    kind_of,
    list_of,
    object_of,
    string_of,
    text,
    text_or_none,
)
from cachelens.ingest.sse import events


class _Delta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    content: Any = None  # text, of a compaction


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: msgspec.Raw = msgspec.Raw()
    content_block: msgspec.Raw = msgspec.Raw()
    delta: _Delta | None = None
    usage: msgspec.Raw = msgspec.Raw()
    diagnostics: msgspec.Raw = msgspec.Raw()


_EVENT = msgspec.json.Decoder(_Event)
_PIECES = ("text", "partial_json", "thinking", "signature", "content")
_TYPE_OF_FIELD = {"text": "text", "thinking": "thinking", "signature": "thinking", "content": "compaction"}


class Assembly:
    """One response while it is read. `blocks` are its content blocks by index."""

    def __init__(self) -> None:
        self.blocks: dict[int, Fields] = {}
        self.response_id: str | None = None
        self.model: str | None = None
        self.complete = False
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._usage: list[dict[str, Any]] = []
        self._miss_reason: str | None = None

    def read(self, raw: bytes) -> None:
        """Read a whole response body. Raises BadBody for a JSON body that is none."""
        body = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
        if body.startswith(b"{"):
            given = anthropic_reply(fields(body))
            if text(given.get("type")) == "error" or kind_of(given.get("content")) != "list":
                return
            self._start(given)
            self.blocks = dict(enumerate(map(fields, items(given["content"]))))
            self.complete = True
            return
        broken = False
        for event in events(raw):
            try:
                self._event(decode(_EVENT, event.data))
            except BadBody:
                broken = True
        self.complete = self.complete and not broken

    def message(self) -> bytes:
        """The assistant message that echoes this response."""
        content = [self._whole(index, self.blocks[index]) for index in sorted(self.blocks)]
        return object_of({"role": string_of("assistant"), "content": list_of(map(object_of, content))})

    def usage(self) -> Usage | None:
        """What the response reported; a later event replaces what an earlier one said."""
        return anthropic_usage(merge(self._usage), self._miss_reason)

    def _start(self, message: Fields) -> None:
        self.response_id = text_or_none(message.get("id"))
        self.model = text_or_none(message.get("model"))
        self._usage.append(usage_object(message.get("usage")))
        self._diagnose(message.get("diagnostics"))

    def _event(self, event: _Event) -> None:
        if event.type == "content_block_delta":
            for name in _PIECES:
                piece = getattr(event.delta, name, None)
                if piece and isinstance(piece, str):
                    self._pieces.setdefault((event.index, name), []).append(piece)
            self.blocks.setdefault(event.index, {})
        elif event.type == "content_block_start":
            self.blocks[event.index] = fields(event.content_block)
        elif event.type == "message_start":
            self._start(fields(event.message))
        elif event.type == "message_delta":
            self._usage.append(usage_object(event.usage))
            self._diagnose(event.diagnostics)
        elif event.type == "message_stop":
            self.complete = True
        elif event.type == "error":
            raise BadBody("error-in-stream")

    def _diagnose(self, raw: bytes | None) -> None:
        reason = verdict(usage_object(raw).get("cache_miss_reason"))
        self._miss_reason = reason or self._miss_reason

    def _whole(self, index: int, block: Fields) -> Fields:
        """A block with what its deltas added."""
        block = dict(block)
        for name, type_ in _TYPE_OF_FIELD.items():
            if pieces := self._pieces.get((index, name)):
                block[name] = string_of(text(block.get(name)) + "".join(pieces))
                block.setdefault("type", string_of(type_))
        if pieces := self._pieces.get((index, "partial_json")):
            block["input"] = _input("".join(pieces))
            block.setdefault("type", string_of("tool_use"))
        return block


def _input(joined: str) -> bytes:
    """The input of a tool call: JSON, or a string when the stream was cut inside it."""
    try:
        return compact_json(joined.encode()).encode()
    except BadBody:
        return string_of(joined)
