"""Responses API responses. In: JSON or an event stream. Out: the items as they would be sent back, and usage."""

from __future__ import annotations

from typing import Any

import msgspec

from cachelens.ingest.dialects.base import BadBody, Usage
from cachelens.ingest.dialects.usage import openai_usage, usage_object, verdict
from cachelens.ingest.dialects.values import (
    Fields,
    decode,
    fields,
    kind_of,
    list_of,
    object_of,
    string_of,
    text,
)
from cachelens.ingest.dialects.values import items as elements
from cachelens.ingest.sse import events


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    prompt_cache_diagnostics: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw()
    output_index: int = 0
    item: msgspec.Raw = msgspec.Raw()
    delta: msgspec.Raw = msgspec.Raw()


_RESPONSE = msgspec.json.Decoder(_Response)
_EVENT = msgspec.json.Decoder(_Event)
#: Events that end a stream with all items that there will be.
_ENDS = ("response.completed", "response.incomplete", "response.done")
#: Pieces of an item: event type -> field of the item and type of the content part that the text belongs to.
_DELTAS = {
    "response.output_text.delta": ("content", "output_text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text"),
    "response.function_call_arguments.delta": ("arguments", ""),
    "response.custom_tool_call_input.delta": ("input", ""),
}


class Assembly:
    """One response while it is read."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.model: str | None = None
        self.complete = False
        self._done: dict[int, bytes] = {}
        self._begun: dict[int, Fields] = {}
        self._pieces: dict[int, dict[tuple[str, str], list[str]]] = {}
        self._output: list[bytes] = []
        self._usage: dict[str, Any] = {}
        self._miss_reason: str | None = None

    def read(self, raw: bytes) -> None:
        """Read a whole response body. Raises BadBody for a JSON body that is none."""
        body = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
        if body.startswith(b"{"):
            response = decode(_RESPONSE, body)
            self._take(response)
            whole = response.status not in ("failed", "cancelled", "in_progress", "queued")
            self.complete = whole and not kind_of(response.error) and kind_of(response.output) == "list"
            return
        ended = broken = False
        for event in events(raw):
            if event.data.strip() == b"[DONE]":
                continue
            try:
                given = decode(_EVENT, event.data)
                broken |= given.type in ("error", "response.failed")
                ended |= given.type in _ENDS
                self._event(given)
            except BadBody:
                broken = True
        self.complete = ended and not broken

    def items(self) -> list[bytes]:
        """The items that echo this response, in order; of one cut off, what had arrived."""
        if not self._done and not self._begun and self._output:
            return self._output
        found = dict(self._done)
        for index, item in self._begun.items():
            if index not in found:
                found[index] = _joined(item, self._pieces.get(index, {}))
        return [found[index] for index in sorted(found)]

    def usage(self) -> Usage | None:
        """What the response reported at last."""
        return openai_usage(self._usage, None, self._miss_reason)

    def _event(self, event: _Event) -> None:
        if event.type in _DELTAS:
            pieces = self._pieces.setdefault(event.output_index, {})
            pieces.setdefault(_DELTAS[event.type], []).append(text(event.delta))
        elif event.type == "response.output_item.added":
            self._begun[event.output_index] = fields(event.item)
        elif event.type == "response.output_item.done":
            self._done[event.output_index] = bytes(event.item)
        elif kind_of(event.response) == "object":
            self._take(decode(_RESPONSE, event.response))

    def _take(self, response: _Response) -> None:
        """Remember what a response object says; the last one that says it counts."""
        self.response_id = response.id or self.response_id
        self.model = response.model or self.model
        self._usage = usage_object(response.usage) or self._usage
        self._miss_reason = verdict(usage_object(response.prompt_cache_diagnostics)) or self._miss_reason
        if kind_of(response.output) == "list":
            self._output = list[bytes](elements(response.output)) or self._output


def _joined(item: Fields, pieces: dict[tuple[str, str], list[str]]) -> bytes:
    """An item whose end did not arrive, with the pieces that did."""
    whole = dict(item)
    for (key, type_), texts in pieces.items():
        joined = string_of("".join(texts))
        inner = "refusal" if type_ == "refusal" else "text"
        whole[key] = list_of([object_of({"type": string_of(type_), inner: joined})]) if type_ else joined
    return object_of(whole)
