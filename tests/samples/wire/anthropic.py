"""Anthropic Messages. In: a Turn and its Usage. Out: bodies and replies.

Two cache markers, as most clients set them: one on the last system block, one that moves with the
last message.
"""

from __future__ import annotations

import json

from tests.samples.agent import Message, Turn, ident
from tests.samples.provider import Rendered, Usage
from tests.samples.wire import Json, chunks, compact, events, said

URL = "https://api.anthropic.com/v1/messages"
MODEL = "claude-sonnet-4-5"
_MARK = {"type": "ephemeral"}


def _blocks(message: Message) -> list[Json]:
    if message.role == "tool":
        return [
            {
                "type": "tool_result",
                "tool_use_id": _use(message.call_id),
                "content": [{"type": "text", "text": message.text}],
            }
        ]
    blocks: list[Json] = []
    if message.think:
        signature = ident("c2lnbmF0dXJl", message.think)
        blocks.append({"type": "thinking", "thinking": message.think, "signature": signature})
    if message.text:
        blocks.append({"type": "text", "text": message.text})
    blocks += [
        {"type": "tool_use", "id": _use(c.call_id), "name": c.name, "input": json.loads(c.arguments)}
        for c in message.calls
    ]
    return blocks


def _use(call_id: str) -> str:
    return call_id.replace("call_", "toolu_", 1)


def _messages(turn: Turn) -> list[Json]:
    """Messages with neighbors of one role joined, as the API demands of parallel results."""
    out: list[Json] = []
    for message in turn.messages:
        role = "assistant" if message.role == "assistant" else "user"
        if out and out[-1]["role"] == role:
            out[-1]["content"] += _blocks(message)
        else:
            out.append({"role": role, "content": _blocks(message)})
    return out


def body(turn: Turn, stream: bool) -> Json:
    """The request body with both markers set."""
    messages = _messages(turn)
    messages[-1]["content"][-1]["cache_control"] = _MARK
    system: list[Json] = [{"type": "text", "text": text} for text in turn.system]
    system[-1]["cache_control"] = _MARK
    return {
        "model": MODEL,
        "max_tokens": 4096,
        "stream": stream,
        "system": system,
        "tools": [
            {"name": t.name, "description": t.description, "input_schema": t.parameters} for t in turn.tools
        ],
        "messages": messages,
        "metadata": {"user_id": compact({"session_id": ident("", turn.session)})},
    }


def rendered(turn: Turn) -> Rendered:
    """Tools, system, messages: the order in which the provider caches."""
    sent = body(turn, stream=False)
    prompt = [(compact(t), False) for t in sent["tools"]]
    prompt += [(block["text"], "cache_control" in block) for block in sent["system"]]
    prompt += [
        (f"<{m['role']}>{said(block)}", "cache_control" in block)
        for m in sent["messages"]
        for block in m["content"]
    ]
    output = said(_blocks(turn.reply))
    return Rendered(turn.started_ms, turn.ended_ms, tuple(prompt), output)


def _usage(usage: Usage, output: int) -> Json:
    return {
        "input_tokens": usage.prompt - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output,
    }


def _head(turn: Turn) -> Json:
    return {"id": ident("msg_", turn.key), "type": "message", "role": "assistant", "model": MODEL}


def _stop(turn: Turn) -> str:
    return "tool_use" if turn.reply.calls else "end_turn"


def reply_json(turn: Turn, usage: Usage) -> Json:
    """The response body of a call that was not streamed."""
    return {
        **_head(turn),
        "content": _blocks(turn.reply),
        "stop_reason": _stop(turn),
        "stop_sequence": None,
        "usage": _usage(usage, usage.output),
    }


def _deltas(block: Json) -> list[Json]:
    if block["type"] == "thinking":
        return [
            *({"type": "thinking_delta", "thinking": t} for t in chunks(block["thinking"])),
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "text":
        return [{"type": "text_delta", "text": t} for t in chunks(block["text"])]
    text = json.dumps(block["input"], ensure_ascii=False)
    return [{"type": "input_json_delta", "partial_json": t} for t in ["", *chunks(text)]]


_EMPTY: dict[str, Json] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}


def reply_sse(turn: Turn, usage: Usage) -> str:
    """The response of a streamed call: usage of the input first, of the output at the end."""
    start = {**_head(turn), "content": [], "stop_reason": None, "stop_sequence": None}
    items: list[Json] = [
        {"type": "message_start", "message": {**start, "usage": _usage(usage, 1)}},
        {"type": "ping"},
    ]
    for index, block in enumerate(_blocks(turn.reply)):
        opened = {**block, **_EMPTY[block["type"]]}
        items.append({"type": "content_block_start", "index": index, "content_block": opened})
        items += [{"type": "content_block_delta", "index": index, "delta": d} for d in _deltas(block)]
        items.append({"type": "content_block_stop", "index": index})
    items.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": _stop(turn), "stop_sequence": None},
            "usage": {"output_tokens": usage.output},
        }
    )
    items.append({"type": "message_stop"})
    return events(items, named=True)
