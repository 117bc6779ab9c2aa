"""Conversations over Anthropic's Messages API, with cache markers. In: a script. Out: sessions for captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.advise.sessions import Json, Session, words
from tests.builders.captures import Call

#: Puts markers into a body that is about to be sent.
Mark = Callable[[Json], None]


def marker(ttl: str = "5m") -> Json:
    """A cache marker."""
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}


def no_marks(body: Json) -> None:
    """None at all."""


def system_only(body: Json) -> None:
    """After the system prompt, and nowhere else."""
    body["system"][-1]["cache_control"] = marker()


def ladder(body: Json, ttl: str = "5m", of_system: str = "5m") -> None:
    """After the system prompt, the latest user message and the one before it: how it should be."""
    body["system"][-1]["cache_control"] = marker(of_system)
    for message in [one for one in body["messages"] if one["role"] == "user"][-2:]:
        message["content"][-1]["cache_control"] = marker(ttl)


def end_only(body: Json) -> None:
    """After the last block of the prompt, and nowhere else."""
    body["messages"][-1]["content"][-1]["cache_control"] = marker()


@dataclass
class Marked(Session):
    """As `Session`, with bodies of the Messages API; `mark` sets their markers. A tool's outputs form one message."""

    model: str = "claude-sonnet-4-5"
    url: str = "https://api.anthropic.com/v1/messages"
    mark: Mark = no_marks
    extra: dict[str, Json] = field(default_factory=dict)
    instructions: str | None = None

    def __post_init__(self) -> None:
        self.instructions, self.system = self.system, None
        super().__post_init__()

    def user(self, text: str) -> Marked:
        self._blocks().append({"type": "text", "text": text})
        return self

    def result(self, call_id: str, text: str) -> Marked:
        self._blocks().append({"type": "tool_result", "tool_use_id": call_id, "content": text})
        return self

    def _blocks(self) -> list[Json]:
        if not self.messages or self.messages[-1]["role"] != "user":
            self.messages.append({"role": "user", "content": []})
        blocks: list[Json] = self.messages[-1]["content"]
        return blocks

    def ask(
        self,
        text: str | None = "done",
        calls: Sequence[tuple[str, Any]] = (),
        echo: bool = True,
        reported: tuple[int, ...] | None = None,
        reasoning: str | None = None,
    ) -> list[str]:
        """As `Session.ask`; `reported`: prompt tokens, of which read from the cache, of which written to it."""
        content: list[Json] = [{"type": "text", "text": text}] if text else []
        ids = []
        for name, arguments in calls:
            self._ids += 1
            ids.append(f"toolu_{self.name}_{self._ids}")
            content.append({"type": "tool_use", "id": ids[-1], "name": name, "input": arguments})
        body: dict[str, Json] = {"model": self.model, "max_tokens": 100, **self.extra}
        if self.instructions is not None:
            body["system"] = [{"type": "text", "text": self.instructions}]
        if self.tools:
            body["tools"] = deepcopy(self.tools)
        body["messages"] = deepcopy(self.messages)
        self.mark(body)
        response: dict[str, Json] = {
            "id": f"msg_{self.name}_{len(self.calls)}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": "end_turn",
        }
        if reported is not None:
            prompt, read, written = (*reported, 0)[:3]
            response["usage"] = {
                "input_tokens": prompt - read - written,
                "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written,
                "output_tokens": 5,
            }
        self.calls.append(Call(body, response, start=self.clock, duration=1.0, url=self.url))
        self.clock += self.step
        if echo:
            self.messages.append({"role": "assistant", "content": deepcopy(content)})
        return ids


def talk(
    mark: Mark,
    turns: int = 4,
    step: float = 10.0,
    name: str = "s",
    system: int = 700,
    tokens: int = 60,
    **options: Any,
) -> Marked:
    """A conversation of `turns` requests `step` seconds apart; the system prompt has `system` words."""
    session = Marked(name=name, system=words(f"{name} system", system), mark=mark, step=step, **options)
    for turn in range(turns):
        session.user(words(f"{name} question {turn}", tokens))
        session.ask(words(f"{name} answer {turn}", 20))
    return session
