"""Chat Completions responses. In: JSON or an event stream. Out: the message as it would be sent back, and usage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from cachelens.ingest.dialects.base import BadBody, Usage
from cachelens.ingest.dialects.usage import merge, openai_usage, usage_object, verdict
from cachelens.ingest.dialects.values import compact_json, decode, kind_of, text
from cachelens.ingest.sse import events


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: Any = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    message: msgspec.Raw = msgspec.Raw()
    finish_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw()


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    timings: msgspec.Raw = msgspec.Raw()
    x_groq: msgspec.Raw = msgspec.Raw()
    prompt_cache_diagnostics: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


_CHUNK = msgspec.json.Decoder(_Chunk)


@dataclass
class _Pending:
    """A tool call while its pieces arrive."""

    id: str | None
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembly:
    """One response while it is read. `answered`: it has a first choice."""

    def __init__(self) -> None:
        self.answered = False
        self.complete = False
        self.response_id: str | None = None
        self.model: str | None = None
        self._failed = False
        self._message = b""
        self._texts: dict[str, list[str]] = {}
        self._calls: list[_Pending] = []
        self._open: dict[int, _Pending] = {}
        self._details: list[dict[str, Any]] = []
        self._usage: list[dict[str, Any]] = []
        self._timings: dict[str, Any] = {}
        self._miss_reason: str | None = None

    def read(self, raw: bytes) -> None:
        """Read a whole response body. Raises BadBody for a JSON body that is none."""
        body = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
        if body.startswith(b"{"):
            self._chunk(decode(_CHUNK, body))
            self.complete = self.answered and not self._failed
            return
        ended = False
        for event in events(raw):
            if event.data.strip() == b"[DONE]":
                ended = True
                continue
            try:
                self._chunk(decode(_CHUNK, event.data))
            except BadBody:
                self._failed = True
        self.complete = (ended or self.complete) and self.answered and not self._failed

    def message(self) -> bytes:
        """The assistant message that echoes this response."""
        if self._message:
            return self._message
        message: dict[str, Any] = {"role": "assistant"}
        message |= {key: "".join(pieces) for key, pieces in self._texts.items()}
        if self._details:
            message["reasoning_details"] = self._details
        message["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": "".join(call.arguments)}}
            for call in self._calls
        ]
        return msgspec.json.encode(message)

    def usage(self) -> Usage | None:
        """What the response reported; a later chunk replaces what an earlier one said."""
        return openai_usage(merge(self._usage), self._timings, self._miss_reason)

    def _chunk(self, chunk: _Chunk) -> None:
        if kind_of(chunk.error):
            self._failed = True
            return
        self.response_id = self.response_id or chunk.id
        self.model = self.model or chunk.model
        if chunk.x_groq:
            self._usage.append(usage_object(msgspec.json.encode(usage_object(chunk.x_groq).get("usage"))))
        for choice in chunk.choices or ():
            if choice.usage:
                self._usage.append(usage_object(choice.usage))
            if choice.index == 0:
                self._choice(choice)
        if chunk.usage:
            self._usage.append(usage_object(chunk.usage))
        if chunk.timings:
            self._timings |= usage_object(chunk.timings)
        if chunk.prompt_cache_diagnostics:
            self._miss_reason = verdict(usage_object(chunk.prompt_cache_diagnostics)) or self._miss_reason

    def _choice(self, choice: _Choice) -> None:
        self.answered = True
        self.complete = self.complete or choice.finish_reason is not None
        if kind_of(choice.message) == "object":
            self._message = bytes(choice.message)
        delta = choice.delta
        if delta is None:
            return
        self._add("content", delta.content)
        self._add("reasoning_content", delta.reasoning_content)
        self._add("reasoning", delta.reasoning)
        self._add("refusal", delta.refusal)
        for detail in delta.reasoning_details or ():
            self._detail(detail)
        for call in delta.tool_calls or ():
            self._call(call)
        if delta.function_call is not None:
            self._call(_Call(0, None, delta.function_call))

    def _add(self, key: str, piece: Any) -> None:
        """Add a piece of text; of a list, as Mistral streams, what is text in it and what is thinking."""
        if isinstance(piece, str):
            if piece:
                self._texts.setdefault(key, []).append(piece)
        elif isinstance(piece, list):
            for inner in piece:
                if isinstance(inner, dict):
                    self._add(key, inner.get("text"))
                    self._add("reasoning_content", inner.get("thinking"))

    def _detail(self, detail: dict[str, Any]) -> None:
        """Join a piece of OpenRouter's reasoning to the last one of its kind and number."""
        last = self._details[-1] if self._details else {}
        same = last.get("type") == detail.get("type") and last.get("index") == detail.get("index")
        for key in ("text", "summary", "data"):
            if same and isinstance(last.get(key), str) and isinstance(detail.get(key), str):
                last[key] += detail[key]
                return
        self._details.append(dict(detail))

    def _call(self, delta: _Call) -> None:
        """Add a piece to the call it belongs to: by index, unless another id shows that a new call begins."""
        index = delta.index if delta.index is not None else len(self._calls) - (not delta.id)
        call = self._open.get(index)
        if call is None or (delta.id and call.id and delta.id != call.id):
            call = self._open[index] = _Pending(delta.id)
            self._calls.append(call)
        function = delta.function or delta.custom or _Function()
        call.id = call.id or delta.id
        call.name = call.name or function.name or ""
        for piece in (function.arguments, function.input):
            if kind_of(piece):
                call.arguments.append(text(piece) if kind_of(piece) == "string" else compact_json(piece))
