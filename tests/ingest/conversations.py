"""Conversations with thinking in every wire API, and what their bodies would be had the harness left things out.

In: turns that hypothesis makes up. Out: message lists of a body. The functions that leave thinking out and move
system messages work on JSON alone and know nothing of how the program does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Json = Any
DIALECTS = ("anthropic", "chat", "responses", "gemini")
URLS = {
    "anthropic": "http://h/v1/messages",
    "chat": "http://h/v1/chat/completions",
    "responses": "http://h/v1/responses",
    "gemini": "http://h/v1/models/m:generateContent",
}
LIST_FIELDS = {"anthropic": "messages", "chat": "messages", "responses": "input", "gemini": "contents"}


@dataclass(frozen=True)
class Turn:
    """One step: `who` is user, assistant, results or system. Texts are short names, written out long."""

    who: str
    text: str = ""
    thinking: str = ""
    second_thinking: str = ""
    call: str = ""
    picture: bool = False
    sealed: bool = False


def long(name: str) -> str:
    """A text long enough that histories are worth comparing byte by byte."""
    return f"{name} " * 80 if name else ""


_names = st.sampled_from(["a", "b", "c"])
_maybe = st.sampled_from(["", "a", "b"])
turns = st.one_of(
    st.builds(Turn, who=st.just("user"), text=_names, picture=st.booleans()),
    st.builds(
        Turn,
        who=st.just("assistant"),
        text=_maybe,
        thinking=_maybe,
        second_thinking=_maybe,
        call=_maybe,
        sealed=st.booleans(),
    ),
    st.builds(Turn, who=st.just("results"), text=_maybe, call=_names, picture=st.booleans()),
    st.builds(Turn, who=st.just("system"), text=_names),
)
conversations = st.lists(turns, min_size=1, max_size=9)


def body(dialect: str, messages: list[Json]) -> dict[str, Json]:
    """A request body with tools, a system prompt and these messages."""
    if dialect == "anthropic":
        tools: list[Json] = [{"name": "t", "input_schema": {}}]
        return {"model": "m", "system": "be brief", "tools": tools, "messages": messages}
    if dialect == "gemini":
        tools = [{"functionDeclarations": [{"name": "t"}]}]
        return {"systemInstruction": {"parts": [{"text": "be brief"}]}, "tools": tools, "contents": messages}
    if dialect == "responses":
        tools = [{"type": "function", "name": "t", "parameters": {}}]
        return {"model": "m", "instructions": "be brief", "tools": tools, "input": messages}
    first = {"role": "system", "content": "be brief"}
    return {
        "model": "m",
        "tools": [{"type": "function", "function": {"name": "t"}}],
        "messages": [first, *messages],
    }


def messages(dialect: str, conversation: list[Turn]) -> list[Json]:
    """The conversation as a harness sends it."""
    spell = {"anthropic": _anthropic, "chat": _chat, "responses": _responses, "gemini": _gemini}[dialect]
    return [message for turn in conversation for message in spell(turn)]


def _anthropic(turn: Turn) -> list[Json]:
    picture = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]
    if turn.who == "user":
        text = [{"type": "text", "text": long(turn.text)}]
        return [{"role": "user", "content": [*picture, *text] if turn.picture else text}]
    if turn.who == "system":
        return [{"role": "system", "content": long(turn.text)}]
    if turn.who == "results":
        content = picture if turn.picture else long(turn.call)
        result = {"type": "tool_result", "tool_use_id": "c", "content": content}
        text = [{"type": "text", "text": long(turn.text)}] if turn.text else []
        return [{"role": "user", "content": [result, *text]}]
    blocks: list[Json] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": long(turn.thinking), "signature": "s"})
    if turn.text:
        blocks.append({"type": "text", "text": long(turn.text)})
    if turn.second_thinking:
        shown = {"type": "thinking", "thinking": long(turn.second_thinking)}
        blocks.append(
            {"type": "redacted_thinking", "data": turn.second_thinking * 40} if turn.sealed else shown
        )
    if turn.call:
        blocks.append({"type": "tool_use", "id": "c", "name": "t", "input": {"x": turn.call}})
    return [{"role": "assistant", "content": blocks}] if blocks else []


def _chat(turn: Turn) -> list[Json]:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    if turn.who == "user":
        text = {"type": "text", "text": long(turn.text)}
        return [{"role": "user", "content": [*picture, text] if turn.picture else long(turn.text)}]
    if turn.who == "system":
        return [{"role": "developer", "content": long(turn.text)}]
    if turn.who == "results":
        content = picture if turn.picture else long(turn.call)
        result = {"role": "tool", "tool_call_id": "c", "content": content}
        return [result, *([{"role": "user", "content": long(turn.text)}] if turn.text else [])]
    message: Json = {"role": "assistant", "content": long(turn.text) or None}
    if turn.thinking:
        message["reasoning_content"] = long(turn.thinking)
    if turn.second_thinking:
        shown = {"type": "reasoning.text", "text": long(turn.second_thinking)}
        hidden = {"type": "reasoning.encrypted", "data": turn.second_thinking * 40}
        message["reasoning_details"] = [hidden if turn.sealed else shown]
    if turn.call:
        message["tool_calls"] = [
            {"id": "c", "type": "function", "function": {"name": "t", "arguments": turn.call}}
        ]
    return [message]


def _responses(turn: Turn) -> list[Json]:
    picture = [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]
    if turn.who == "user":
        text = {"type": "input_text", "text": long(turn.text)}
        content = [*picture, text] if turn.picture else [text]
        return [{"type": "message", "role": "user", "content": content}]
    if turn.who == "system":
        return [{"role": "developer", "content": long(turn.text)}]
    if turn.who == "results":
        result = {
            "type": "function_call_output",
            "call_id": "c",
            "output": picture if turn.picture else long(turn.call),
        }
        return [result, *([{"role": "user", "content": long(turn.text)}] if turn.text else [])]
    found: list[Json] = []
    for thinking in filter(None, (turn.thinking, turn.second_thinking)):
        shown: Json = {
            "type": "reasoning",
            "id": "r",
            "summary": [{"type": "summary_text", "text": long(thinking)}],
        }
        found.append(shown | ({"encrypted_content": thinking * 900} if turn.sealed else {}))
    if turn.text:
        content = [{"type": "output_text", "text": long(turn.text)}]
        found.append({"type": "message", "role": "assistant", "content": content})
    if turn.call:
        found.append({"type": "function_call", "call_id": "c", "name": "t", "arguments": turn.call})
    return found


def _gemini(turn: Turn) -> list[Json]:
    picture = [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
    if turn.who in ("user", "system"):  # this API has no system messages among the contents
        text = {"text": long(turn.text)}
        return [{"role": "user", "parts": [*picture, text] if turn.picture else [text]}]
    if turn.who == "results":
        inner: Json = {"name": "t", "response": {"output": long(turn.call)}}
        result = {"functionResponse": inner | ({"parts": picture} if turn.picture else {})}
        return [{"role": "user", "parts": [result, *([{"text": long(turn.text)}] if turn.text else [])]}]
    parts: list[Json] = []
    if turn.thinking:
        parts.append({"text": long(turn.thinking), "thought": True})
    if turn.text:
        parts.append({"text": long(turn.text)})
    if turn.second_thinking:
        parts.append({"text": long(turn.second_thinking), "thought": True})
    if turn.call:
        parts.append({"functionCall": {"name": "t", "args": {"x": turn.call}}})
    return [{"role": "model", "parts": parts}] if parts else []


def stripped(dialect: str, message: Json) -> list[Json]:
    """The message without its thinking: none, when it was nothing else and the API sends no empty messages."""
    if dialect == "responses":
        return [] if message.get("type") == "reasoning" else [message]
    if dialect == "chat":
        return [{key: value for key, value in message.items() if not key.startswith("reasoning")}]
    key = "content" if dialect == "anthropic" else "parts"
    if message["role"] not in ("assistant", "model"):
        return [message]
    kept = [
        block
        for block in message[key]
        if "thinking" not in block.get("type", "") and not block.get("thought")
    ]
    return [message | {key: kept}] if kept else []


def is_user_turn(dialect: str, message: Json) -> bool:
    """Whether the user said something in it, rather than that tools gave results alone."""
    if message.get("role") != "user":
        return False
    if dialect == "anthropic":
        return any(block["type"] != "tool_result" for block in message["content"])
    if dialect == "gemini":
        return any("functionResponse" not in part for part in message["parts"])
    return True


def rendered(dialect: str, given: list[Json], render: set[str]) -> list[Json]:
    """The message list whose default rendering is the rendering of `given` that the names in `render` ask for."""
    said = [at for at, message in enumerate(given) if is_user_turn(dialect, message)]
    until = {"thinking-stripped": len(given), "thinking-last-turn": said[-1] if said else 0}
    end = next((at for name, at in until.items() if name in render), 0)
    out = [
        kept
        for at, message in enumerate(given)
        for kept in (stripped(dialect, message) if at < end else [message])
    ]
    if "system-hoisted" in render:
        system = [message for message in out if message.get("role") in ("system", "developer")]
        out = [*system, *(message for message in out if message.get("role") not in ("system", "developer"))]
    return out
