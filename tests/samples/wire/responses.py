"""OpenAI Responses. In: a Turn and its Usage. Out: bodies and replies.

The whole input is sent with each call (`store` is false); system blocks are developer messages.
"""

from __future__ import annotations

from tests.samples.agent import Message, Turn, ident
from tests.samples.provider import Rendered, Usage
from tests.samples.wire import Json, chunks, compact, events, said

URL = "https://api.openai.com/v1/responses"
MODEL = "gpt-5.1-codex"


def _items(message: Message) -> list[Json]:
    """Input items of one message; ids and states of generated ones are not sent back."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.call_id, "output": message.text}]
    if message.role == "user":
        text = {"type": "input_text", "text": message.text}
        return [{"type": "message", "role": "user", "content": [text]}]
    return [{k: v for k, v in item.items() if k not in {"id", "status"}} for item in _output(message, "")]


def _output(message: Message, key: str) -> list[Json]:
    out: list[Json] = []
    if message.text:
        text = {"type": "output_text", "text": message.text, "annotations": []}
        out.append(
            {
                "type": "message",
                "id": ident("msg_", key, "say"),
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        )
    out += [
        {
            "type": "function_call",
            "id": ident("fc_", c.call_id),
            "call_id": c.call_id,
            "name": c.name,
            "arguments": c.arguments,
            "status": "completed",
        }
        for c in message.calls
    ]
    return out


def body(turn: Turn, stream: bool) -> Json:
    """The request body; all threads of a session share its `prompt_cache_key`."""
    system = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}
        for text in turn.system
    ]
    return {
        "model": MODEL,
        "stream": stream,
        "input": [*system, *(item for m in turn.messages for item in _items(m))],
        "tools": [
            {
                "type": "function",
                "name": t.name,
                "description": t.description,
                "strict": False,
                "parameters": t.parameters,
            }
            for t in turn.tools
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "store": False,
        "prompt_cache_key": ident("", turn.session),
    }


def rendered(turn: Turn) -> Rendered:
    """Tools, then the input items."""
    sent = body(turn, stream=False)
    prompt = [*map(compact, sent["tools"]), *map(said, sent["input"])]
    output = said(_items(turn.reply))
    return Rendered(turn.started_ms, turn.ended_ms, tuple((text, False) for text in prompt), output)


def _response(turn: Turn, usage: Usage | None) -> Json:
    reported = usage and {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.output,
    }
    return {
        "id": ident("resp_", turn.key),
        "object": "response",
        "created_at": turn.started_ms // 1000,
        "status": "completed" if usage else "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": MODEL,
        "output": _output(turn.reply, turn.key) if usage else [],
        "usage": reported,
    }


def reply_json(turn: Turn, usage: Usage) -> Json:
    """The response body of a call that was not streamed."""
    return _response(turn, usage)


def _item_events(index: int, item: Json) -> list[Json]:
    if item["type"] == "message":
        empty: Json = {**item, "status": "in_progress", "content": []}
        part = item["content"][0]
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        inner = [
            {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
            *({"type": "response.output_text.delta", **place, "delta": t} for t in chunks(part["text"])),
            {"type": "response.output_text.done", **place, "text": part["text"]},
            {"type": "response.content_part.done", **place, "part": part},
        ]
    else:
        empty = {**item, "status": "in_progress", "arguments": ""}
        place = {"item_id": item["id"], "output_index": index}
        name = "response.function_call_arguments"
        inner = [
            *({"type": f"{name}.delta", **place, "delta": t} for t in chunks(item["arguments"])),
            {"type": f"{name}.done", **place, "arguments": item["arguments"]},
        ]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": empty},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def reply_sse(turn: Turn, usage: Usage) -> str:
    """The response of a streamed call; the last event holds the whole response with its usage."""
    items: list[Json] = [{"type": "response.created", "response": _response(turn, None)}]
    for index, item in enumerate(_output(turn.reply, turn.key)):
        items += _item_events(index, item)
    items.append({"type": "response.completed", "response": _response(turn, usage)})
    return events(({**item, "sequence_number": i} for i, item in enumerate(items)), named=True)
