"""Gemini generateContent. In: a Turn and its Usage. Out: bodies and replies."""

from __future__ import annotations

import json

from tests.samples.agent import Message, Turn, ident
from tests.samples.provider import Rendered, Usage
from tests.samples.wire import Json, compact, events, said

MODEL = "gemini-2.5-pro"
_BASE = f"https://generativelanguage.googleapis.com/v1beta/models/{MODEL}"
URL = f"{_BASE}:streamGenerateContent?alt=sse"


def _parts(message: Message) -> list[Json]:
    if message.role == "tool":
        answer = {"name": message.name, "response": {"output": message.text}}
        return [{"functionResponse": answer}]
    parts: list[Json] = [{"text": message.text}] if message.text else []
    parts += [{"functionCall": {"name": c.name, "args": json.loads(c.arguments)}} for c in message.calls]
    return parts


def _contents(turn: Turn) -> list[Json]:
    out: list[Json] = []
    for message in turn.messages:
        role = "model" if message.role == "assistant" else "user"
        if out and out[-1]["role"] == role:
            out[-1]["parts"] += _parts(message)
        else:
            out.append({"role": role, "parts": _parts(message)})
    return out


def body(turn: Turn, stream: bool) -> Json:
    """The request body; whether it streams is said by the URL alone."""
    return {
        "contents": _contents(turn),
        "systemInstruction": {"role": "user", "parts": [{"text": text} for text in turn.system]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": t.name, "description": t.description, "parametersJsonSchema": t.parameters}
                    for t in turn.tools
                ]
            }
        ],
        "generationConfig": {"temperature": 1, "topP": 0.95, "maxOutputTokens": 4096},
    }


def rendered(turn: Turn) -> Rendered:
    """System, tools, contents."""
    sent = body(turn, stream=False)
    prompt = [part["text"] for part in sent["systemInstruction"]["parts"]]
    prompt += [compact(t) for t in sent["tools"][0]["functionDeclarations"]]
    prompt += [f"<{c['role']}>{said(part)}" for c in sent["contents"] for part in c["parts"]]
    output = f"<model>{said(_parts(turn.reply))}"
    return Rendered(turn.started_ms, turn.ended_ms, tuple((text, False) for text in prompt), output)


def _response(turn: Turn, usage: Usage, parts: list[Json], last: bool) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    metadata = {"promptTokenCount": usage.prompt}
    if usage.cached:
        metadata["cachedContentTokenCount"] = usage.cached
    metadata |= {"candidatesTokenCount": usage.output, "totalTokenCount": usage.prompt + usage.output}
    return {
        "candidates": [candidate],
        "usageMetadata": metadata,
        "modelVersion": MODEL,
        "responseId": ident("", turn.key),
    }


def reply_json(turn: Turn, usage: Usage) -> Json:
    """The response body of a call that was not streamed."""
    return _response(turn, usage, _parts(turn.reply), last=True)


def reply_sse(turn: Turn, usage: Usage) -> str:
    """The response of a streamed call, a part at a time; each event repeats the usage."""
    parts = _parts(turn.reply)
    last = len(parts) - 1
    return events((_response(turn, usage, [p], i == last) for i, p in enumerate(parts)), end="\r\n\r\n")
