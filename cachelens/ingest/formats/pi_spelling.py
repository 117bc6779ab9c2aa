"""pi's messages spelt as a wire API has them. In: messages of a session. Out: turns of a prompt, and bodies.

Calls of Anthropic's APIs become Messages, those of OpenAI's Responses APIs Responses, all others Chat
Completions. Aborted answers, tool calls without a result and the thinking of other models are treated as
pi treats them when it sends a history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from cachelens.ingest.formats.message_tree import Turn
from cachelens.ingest.formats.pi_messages import Block, Message, Target, Usage

#: Thinking with such a signature is sent back as the field of this name.
_THINKING_FIELDS = frozenset({"reasoning_content", "reasoning", "reasoning_text"})
_NO_RESULT = Block("text", "No result provided")
_RAW = msgspec.json.Decoder(msgspec.Raw)
_encode = msgspec.json.encode


class Spelling(Protocol):
    """One wire API. `url` is its path, `list_field` the field of a request body that holds the messages."""

    url: str
    list_field: str

    def user(self, blocks: list[Block]) -> Iterator[Turn]:
        """A message of the user."""
        ...

    def assistant(self, blocks: list[Block]) -> Iterator[Turn]:
        """An answer that is sent back."""
        ...

    def result(self, call_id: str, blocks: list[Block]) -> Iterator[Turn]:
        """The result of a tool call."""
        ...

    def response(self, blocks: list[Block], usage: dict[str, Any] | None) -> bytes:
        """A response body with this answer."""
        ...

    def usage(self, usage: Usage) -> dict[str, Any]:
        """The usage object of a response."""
        ...


@dataclass
class Answered:
    """What of the history pi sends. `replays_aborted`: aborted answers too, as before version 3 of its files.

    `results` are the ids of all tool calls that have a result.
    """

    replays_aborted: bool = True
    results: set[str] = field(default_factory=set)


def spelling(target: Target) -> Spelling:
    """The wire API that calls of this target are spelt in."""
    if target.api.startswith(("anthropic", "bedrock")):
        return _Messages()
    return _Responses() if target.api.endswith("-responses") else _Completions()


def turns(message: Message, target: Target, answered: Answered) -> Iterator[Turn]:
    """What a message adds to a prompt for `target`. Raises RecordError for one that cannot be read."""
    api = spelling(target)
    if message.role == "toolResult":
        yield from api.result(message.call_id, message.blocks())
    elif message.role == "bashExecution":
        if not message.excluded:
            yield from api.user([Block("text", message.command_text())])
    elif message.role in ("user", "custom", "hookMessage"):
        yield from api.user(message.blocks())
    elif message.role == "assistant" and (answered.replays_aborted or not message.failed):
        blocks = message.blocks() if message.target == target else _foreign(message.blocks())
        open_calls = [b for b in blocks if b.type == "toolCall" and b.id not in answered.results]
        if answered.replays_aborted:
            yield from api.assistant([block for block in blocks if block not in open_calls])
            return
        yield from api.assistant(blocks)
        for call in open_calls:
            yield from api.result(call.id, [_NO_RESULT])


def request_head(target: Target) -> bytes:
    """A request body up to its list of messages."""
    return b'{"model":' + _encode(target.model) + b',"' + spelling(target).list_field.encode() + b'":'


def response(message: Message) -> bytes:
    """The response body that an assistant message stands for."""
    api = spelling(message.target)
    reported = message.usage is not None and message.usage != Usage()
    return api.response(message.blocks(), api.usage(message.usage) if message.usage and reported else None)


def _foreign(blocks: list[Block]) -> list[Block]:
    """The answer of one model as another gets it: its thinking as text."""
    kept: list[Block] = []
    for block in blocks:
        if block.type != "thinking":
            kept.append(block)
        elif block.thinking.strip() and not block.redacted:
            kept.append(Block("text", block.thinking))
    return kept


def _data_url(block: Block) -> str:
    return f"data:{block.mime};base64,{block.data}"


def _arguments(block: Block) -> bytes:
    raw = bytes(block.arguments)
    return raw if raw not in (b"", b"null") else b"{}"


def _body(fields: dict[str, Any], usage: dict[str, Any] | None) -> bytes:
    return _encode(fields | ({"usage": usage} if usage is not None else {}))


def _inclusive(usage: Usage) -> dict[str, int]:
    return {"cached_tokens": usage.read, "cache_write_tokens": usage.written}


class _Messages:
    """Anthropic Messages: tool results stand in user messages, neighbors of one role are one message."""

    url = "/v1/messages"
    list_field = "messages"

    def user(self, blocks: list[Block]) -> Iterator[Turn]:
        yield Turn("user", self._joined(blocks))

    def assistant(self, blocks: list[Block]) -> Iterator[Turn]:
        yield Turn("assistant", self._joined(blocks))

    def result(self, call_id: str, blocks: list[Block]) -> Iterator[Turn]:
        content = b"[" + self._joined(blocks) + b"]"
        block = {"type": "tool_result", "tool_use_id": call_id, "content": msgspec.Raw(content)}
        yield Turn("user", _encode(block))

    def response(self, blocks: list[Block], usage: dict[str, Any] | None) -> bytes:
        content = msgspec.Raw(b"[" + self._joined(blocks) + b"]")
        return _body({"type": "message", "role": "assistant", "content": content}, usage)

    def usage(self, usage: Usage) -> dict[str, Any]:
        return {
            "input_tokens": usage.input,
            "cache_read_input_tokens": usage.read,
            "cache_creation_input_tokens": usage.written,
            "output_tokens": usage.output,
        }

    def _joined(self, blocks: list[Block]) -> bytes:
        return b",".join(_encode(spelt) for block in blocks if (spelt := self._block(block)))

    def _block(self, block: Block) -> dict[str, Any] | None:
        if block.type == "toolCall":
            arguments = msgspec.Raw(_arguments(block))
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
        if block.type == "image":
            return {
                "type": "image",
                "source": {"type": "base64", "media_type": block.mime, "data": block.data},
            }
        if block.type == "thinking" and block.redacted:
            return {"type": "redacted_thinking", "data": block.signature or ""}
        if block.type == "thinking" and block.signature:
            return {"type": "thinking", "thinking": block.thinking, "signature": block.signature}
        shown = block.thinking if block.type == "thinking" else block.text
        return {"type": "text", "text": shown} if shown.strip() else None


class _Completions:
    """Chat Completions."""

    url = "/v1/chat/completions"
    list_field = "messages"

    def user(self, blocks: list[Block]) -> Iterator[Turn]:
        yield Turn("", _encode({"role": "user", "content": self._content(blocks)}))

    def assistant(self, blocks: list[Block]) -> Iterator[Turn]:
        message = self._answer(blocks)
        if len(message) > 1:
            yield Turn("", _encode(message))

    def result(self, call_id: str, blocks: list[Block]) -> Iterator[Turn]:
        message = {"role": "tool", "tool_call_id": call_id, "content": self._content(blocks)}
        yield Turn("", _encode(message))

    def response(self, blocks: list[Block], usage: dict[str, Any] | None) -> bytes:
        choice = {"index": 0, "message": self._answer(blocks)}
        return _body({"object": "chat.completion", "choices": [choice]}, usage)

    def usage(self, usage: Usage) -> dict[str, Any]:
        return {
            "prompt_tokens": usage.input + usage.read + usage.written,
            "prompt_tokens_details": _inclusive(usage),
            "completion_tokens": usage.output,
        }

    def _content(self, blocks: list[Block]) -> list[dict[str, Any]]:
        return [
            {"type": "image_url", "image_url": {"url": _data_url(block)}}
            if block.type == "image"
            else {"type": "text", "text": block.text}
            for block in blocks
        ]

    def _answer(self, blocks: list[Block]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant"}
        thinking = [b for b in blocks if b.type == "thinking" and b.signature in _THINKING_FIELDS]
        if thinking:
            message[str(thinking[0].signature)] = "\n".join(block.thinking for block in thinking)
        if content := "".join(block.text for block in blocks if block.type == "text"):
            message["content"] = content
        calls = [block for block in blocks if block.type == "toolCall"]
        if calls:
            message["tool_calls"] = [
                {
                    "id": block.id,
                    "type": "function",
                    "function": {"name": block.name, "arguments": _arguments(block).decode()},
                }
                for block in calls
            ]
        return message


class _Responses:
    """OpenAI Responses: every block of an answer is an item."""

    url = "/v1/responses"
    list_field = "input"

    def user(self, blocks: list[Block]) -> Iterator[Turn]:
        yield Turn("", _encode({"type": "message", "role": "user", "content": self._content(blocks)}))

    def assistant(self, blocks: list[Block]) -> Iterator[Turn]:
        for block in blocks:
            if item := self._item(block):
                yield Turn("", item)

    def result(self, call_id: str, blocks: list[Block]) -> Iterator[Turn]:
        item = {"type": "function_call_output", "call_id": self._call_id(call_id)}
        output = self._content(blocks)
        yield Turn("", _encode(item | {"output": output}))

    def response(self, blocks: list[Block], usage: dict[str, Any] | None) -> bytes:
        items = b",".join(item for block in blocks if (item := self._item(block)))
        output = msgspec.Raw(b"[" + items + b"]")
        return _body({"object": "response", "status": "completed", "output": output}, usage)

    def usage(self, usage: Usage) -> dict[str, Any]:
        return {
            "input_tokens": usage.input + usage.read + usage.written,
            "input_tokens_details": _inclusive(usage),
            "output_tokens": usage.output,
        }

    def _content(self, blocks: list[Block]) -> list[dict[str, Any]]:
        return [
            {"type": "input_image", "image_url": _data_url(block)}
            if block.type == "image"
            else {"type": "input_text", "text": block.text}
            for block in blocks
        ]

    def _item(self, block: Block) -> bytes:
        if block.type == "toolCall":
            call = {"type": "function_call", "call_id": self._call_id(block.id), "name": block.name}
            return _encode(call | {"arguments": _arguments(block).decode()})
        if block.type == "thinking":
            return self._reasoning(block.signature or "")
        if not block.text:
            return b""
        content = [{"type": "output_text", "text": block.text}]
        return _encode({"type": "message", "role": "assistant", "content": content})

    def _reasoning(self, signature: str) -> bytes:
        """The item of reasoning that a signature holds as JSON; empty for another signature."""
        if not signature.startswith("{"):
            return b""
        try:
            return bytes(_RAW.decode(signature))
        except (msgspec.DecodeError, RecursionError):
            return b""

    def _call_id(self, call_id: str) -> str:
        """pi joins the ids of a call and of its item by a bar."""
        return call_id.partition("|")[0]
