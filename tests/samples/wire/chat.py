"""OpenAI Chat Completions, as a local server speaks it. In: a Turn and its Usage. Out: bodies and replies."""

from __future__ import annotations

from tests.samples.agent import Message, Turn, ident
from tests.samples.provider import Rendered, Usage
from tests.samples.wire import Json, chunks, compact, events

URL = "http://127.0.0.1:30000/v1/chat/completions"
MODEL = "qwen3-coder-30b"


def _calls(message: Message) -> list[Json]:
    return [
        {"id": c.call_id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in message.calls
    ]


def _message(message: Message) -> Json:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    out: Json = {"role": message.role, "content": message.text}
    if message.calls:
        out["tool_calls"] = _calls(message)
    return out


def body(turn: Turn, stream: bool) -> Json:
    """The request body; system blocks are joined into the first message."""
    out: Json = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "\n".join(turn.system)},
            *(_message(m) for m in turn.messages),
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
            }
            for t in turn.tools
        ],
        "temperature": 0.2,
        "max_tokens": 4096,
        "stream": stream,
    }
    if stream:
        out["stream_options"] = {"include_usage": True}
    return out


def rendered(turn: Turn) -> Rendered:
    """System, tools, messages, as most open chat templates have it."""
    sent = body(turn, stream=False)
    prompt = [
        sent["messages"][0]["content"],
        *(compact(t) for t in sent["tools"]),
        *(_spoken(m) for m in turn.messages),
    ]
    return Rendered(
        turn.started_ms, turn.ended_ms, tuple((text, False) for text in prompt), _spoken(turn.reply)
    )


def _spoken(message: Message) -> str:
    calls = "".join(f"<call>{c.name}{c.arguments}</call>" for c in message.calls)
    return f"<{message.role}>{message.text}{calls}"


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def reply_json(turn: Turn, usage: Usage) -> Json:
    """The response body of a call that was not streamed."""
    message: Json = {"role": "assistant", "content": turn.reply.text}
    if turn.reply.calls:
        message["tool_calls"] = _calls(turn.reply)
    return {
        "id": ident("chatcmpl-", turn.key),
        "object": "chat.completion",
        "created": turn.started_ms // 1000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if turn.reply.calls else "stop",
            }
        ],
        "usage": _usage(usage),
    }


def reply_sse(turn: Turn, usage: Usage) -> str:
    """The response of a streamed call, usage in a chunk of its own at the end."""
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text} for text in chunks(turn.reply.text) if text]
    for index, call in enumerate(_calls(turn.reply)):
        arguments = call["function"]["arguments"]
        head = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": text}}]} for text in chunks(arguments)
        ]
    finish = "tool_calls" if turn.reply.calls else "stop"
    base: Json = {
        "id": ident("chatcmpl-", turn.key),
        "object": "chat.completion.chunk",
        "created": turn.started_ms // 1000,
        "model": MODEL,
    }
    items: list[Json] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    items.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    items.append({**base, "choices": [], "usage": _usage(usage)})
    return events(items) + "data: [DONE]\n\n"
