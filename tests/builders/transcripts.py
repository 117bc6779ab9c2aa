"""Transcripts of agents, built line by line. Out: the lines, as JSON objects."""

from __future__ import annotations

from typing import Any

Json = Any


def at(second: float) -> str:
    """A time as transcripts spell it."""
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"2027-01-15T{8 + hours:02d}:{minutes:02d}:{seconds:06.3f}Z"


def text(words: str) -> Json:
    return {"type": "text", "text": words}


class ClaudeCode:
    """A Claude Code transcript. Each method adds a line behind `self.leaf` and gives its uuid."""

    def __init__(self, session: str = "session-1") -> None:
        self.lines: list[Json] = []
        self.leaf: str | None = None
        self._session = session
        self._second = 0.0

    def add(self, type_: str, parent: str | None = "leaf", **more: Json) -> str:
        """A line of any type; `parent` defaults to the latest one."""
        self._second += 1
        uuid = f"u{len(self.lines)}"
        line = {
            "parentUuid": self.leaf if parent == "leaf" else parent,
            "isSidechain": False,
            "type": type_,
            "uuid": uuid,
            "timestamp": at(self._second),
            "sessionId": self._session,
            "version": "2.1.0",
        }
        self.lines.append(line | more)
        self.leaf = uuid
        return uuid

    def user(self, content: Json, parent: str | None = "leaf", **more: Json) -> str:
        """What the user or a tool said."""
        return self.add("user", parent, message={"role": "user", "content": content}, **more)

    def result(self, call_id: str, words: str, parent: str | None = "leaf") -> str:
        """The result of a tool call."""
        return self.user([{"type": "tool_result", "tool_use_id": call_id, "content": words}], parent)

    def answer(
        self, message_id: str, *blocks: Json, usage: Json = None, parent: str | None = "leaf", **more: Json
    ) -> str:
        """An answer, a line for each block."""
        for number, block in enumerate(blocks):
            message = {
                "id": message_id,
                "role": "assistant",
                "model": "claude-example-1",
                "content": [block],
                "usage": {"input_tokens": 3, "cache_read_input_tokens": number, "output_tokens": 1},
            }
            if usage is not None and number == len(blocks) - 1:
                message["usage"] = usage
            self.add("assistant", parent if number == 0 else "leaf", message=message, requestId="req", **more)
        assert self.leaf is not None
        return self.leaf


def tool_use(call_id: str) -> Json:
    return {"type": "tool_use", "id": call_id, "name": "read", "input": {"path": call_id}}


class Codex:
    """A Codex rollout."""

    def __init__(self, instructions: str | None = "be brief", **meta: Json) -> None:
        self.lines: list[Json] = []
        self._total = [0, 0, 0]
        base = {"base_instructions": {"text": instructions}} if instructions is not None else {}
        self.add(
            "session_meta",
            id="thread-1",
            originator="codex_cli_rs",
            model_provider="openai",
            source="cli",
            **base,
            **meta,
        )

    def add(self, type_: str, **payload: Json) -> None:
        """A line of any type."""
        self.lines.append({"timestamp": at(len(self.lines) + 1), "type": type_, "payload": payload})

    def item(self, type_: str, **more: Json) -> None:
        self.add("response_item", type=type_, **more)

    def user(self, words: str) -> None:
        """A turn of the user: its context, its item and the event that tells of it."""
        self.add("turn_context", model="gpt-example-1")
        self.message("user", words)
        self.add("event_msg", type="user_message", message=words)

    def message(self, role: str, words: str) -> None:
        kind = "output_text" if role == "assistant" else "input_text"
        self.item("message", role=role, content=[{"type": kind, "text": words}])

    def call(self, call_id: str) -> None:
        self.item("function_call", name="read", arguments="{}", call_id=call_id)

    def output(self, call_id: str) -> None:
        self.item("function_call_output", call_id=call_id, output=f"content of {call_id}")

    def tokens(self, input_: int, cached: int, output: int, last: bool = True) -> None:
        """A report on another call."""
        names = ("input_tokens", "cached_input_tokens", "output_tokens")
        self._total = [sum(pair) for pair in zip(self._total, (input_, cached, output), strict=True)]
        info = {"total_token_usage": dict(zip(names, self._total, strict=True))}
        if last:
            info["last_token_usage"] = dict(zip(names, (input_, cached, output), strict=True))
        self.add("event_msg", type="token_count", info=info)

    def again(self) -> None:
        """The latest report once more, as Codex repeats it with new rate limits."""
        reports = [line["payload"] for line in self.lines if line["payload"].get("type") == "token_count"]
        self.add("event_msg", **(reports[-1] if reports else {"type": "token_count", "info": None}))


class Pi:
    """A pi session; version 1 has no ids."""

    def __init__(self, version: int | None = 3) -> None:
        self.lines: list[Json] = [
            {"type": "session", "id": "session-1", "timestamp": at(0), "cwd": "/work"}
            | ({} if version is None else {"version": version})
        ]
        self.leaf: str | None = None
        self._linear = version is None

    def add(self, type_: str, parent: str | None = "leaf", second: float | None = None, **more: Json) -> str:
        """A line of any type behind the latest one; gives its id."""
        id_ = f"e{len(self.lines)}"
        line: dict[str, Json] = {"type": type_, "timestamp": at(second or len(self.lines))} | more
        if not self._linear:
            line |= {"id": id_, "parentId": self.leaf if parent == "leaf" else parent}
        self.lines.append(line)
        self.leaf = id_
        return id_

    def say(self, role: str, content: Json, parent: str | None = "leaf", **more: Json) -> str:
        """A message made half a second before its line."""
        made = 1_800_000_000_000 + int((len(self.lines) - 0.5) * 1000)
        return self.add(
            "message", parent, message={"role": role, "content": content, "timestamp": made} | more
        )

    def answer(
        self, *blocks: Json, parent: str | None = "leaf", usage: Json = None, api: Json = None, **more: Json
    ) -> str:
        about = api or {"api": "anthropic-messages", "provider": "anthropic", "model": "claude-example-1"}
        usage = usage or {"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}
        return self.say(
            "assistant", list(blocks), parent, usage=usage, **about, **{"stopReason": "stop"} | more
        )


def pi_call(call_id: str) -> Json:
    return {"type": "toolCall", "id": call_id, "name": "read", "arguments": {"path": call_id}}
