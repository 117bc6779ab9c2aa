"""Small agent sessions, request by request, and what the analysis says about them.

In: a script of user messages, replies and tool results, and any edit of what was sent. Out: captures, cases,
results. Every text is made of numbered words, so that its tokens are many and its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result
from cachelens.model.trace import Trace
from cachelens.pipeline import analyze, load
from cachelens.pipeline.cases import build_case
from tests.builders.captures import Call, pairs

Json = Any

_SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu")


def words(seed: str, count: int) -> str:
    """`count` words that no other seed gives, on lines of ten; about two tokens a word."""
    made = []
    for number in range(count):
        state = sum(ord(c) * (at + 1) for at, c in enumerate(f"{seed}/{number}")) * 7919 + number * 104729
        word = ""
        for _ in range(3):
            word += _SYLLABLES[state % 10]
            state //= 10
        made.append(word + ("\n" if number % 10 == 9 else " "))
    return f"[{seed}] " + "".join(made).rstrip()


def tool(name: str, description: str = "", **properties: str) -> Json:
    """A tool definition of Chat Completions; `properties` by name and JSON type."""
    parameters = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    function = {"name": name, "description": description or f"does {name}", "parameters": parameters}
    return {"type": "function", "function": function}


@dataclass
class Session:
    """One growing conversation over Chat Completions.

    `messages` and `tools` are what the next request sends, and may be edited at will. `ask` sends them, and puts
    the reply behind them as it came; `echo=False` leaves that to the caller. Requests are a `step` apart.
    """

    name: str = "s"
    system: str | None = None
    tools: list[Json] = field(default_factory=list)
    model: str = "example-1"
    url: str = "http://localhost:30000/v1/chat/completions"
    start: float = 1_800_000_000.0
    step: float = 10.0
    extra: dict[str, Json] = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    clock: float = field(init=False)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.clock = self.start
        if self.system is not None:
            self.messages.append({"role": "system", "content": self.system})

    def user(self, text: str) -> Session:
        """A message of the user."""
        self.messages.append({"role": "user", "content": text})
        return self

    def ask(
        self,
        text: str | None = "done",
        calls: Sequence[tuple[str, Json]] = (),
        echo: bool = True,
        reported: tuple[int, int] | None = None,
        reasoning: str | None = None,
    ) -> list[str]:
        """Send a request that is answered by `text` and tool `calls` (name, arguments); ids of the calls.

        `reported`: prompt and cached tokens as the server counts them.
        """
        ids, made = [], []
        for name, arguments in calls:
            self._ids += 1
            ids.append(f"call_{self.name}_{self._ids}")
            spelled = arguments if isinstance(arguments, str) else json.dumps(arguments)
            made.append({"id": ids[-1], "type": "function", "function": {"name": name, "arguments": spelled}})
        reply: dict[str, Json] = {"role": "assistant", "content": text}
        if made:
            reply["tool_calls"] = made
        if reasoning is not None:
            reply["reasoning_content"] = reasoning
        body = {"model": self.model, "messages": deepcopy(self.messages), **self.extra}
        if self.tools:
            body["tools"] = deepcopy(self.tools)
        response: dict[str, Json] = {
            "id": f"chatcmpl-{self.name}-{len(self.calls)}",
            "object": "chat.completion",
            "model": self.model,
            "choices": [{"index": 0, "message": reply, "finish_reason": "stop"}],
        }
        if reported is not None:
            response["usage"] = {
                "prompt_tokens": reported[0],
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": reported[1]},
            }
        self.calls.append(Call(body, response, start=self.clock, duration=1.0, url=self.url))
        self.clock += self.step
        if echo:
            self.messages.append(deepcopy(reply))
        return ids

    def result(self, call_id: str, text: str) -> Session:
        """What a tool answered."""
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        return self

    def use(self, name: str, arguments: Json, output: str, text: str | None = None) -> Session:
        """One step: a request answered by a tool call, and the tool's output."""
        (call_id,) = self.ask(text, [(name, arguments)])
        return self.result(call_id, output)

    def steps(self, count: int, seed: str = "step", tokens: int = 60) -> Session:
        """`count` plain steps, each with an output of its own that the next reply mentions."""
        for number in range(count):
            path = f"{seed}_{number}.txt"
            output = words(f"{self.name} {seed} {number}", tokens)
            self.use("look_up", {"what": path}, output, text=f"next, {output.split()[-1]}")
        return self


def trace_of(*sessions: Session, options: IngestOptions | None = None) -> Trace:
    """The sessions as one trace, requests in order of time."""
    calls = sorted((call for session in sessions for call in session.calls), key=lambda call: call.start)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.jsonl"
        path.write_bytes(pairs(calls))
        trace = load([str(path)], options or IngestOptions())
    return replace(trace, sources=("capture.jsonl",))


def case_of(*sessions: Session, **options: Any) -> Case:
    """Everything known about the sessions under one cache (by default an infinite one of single tokens)."""
    options.setdefault("engine", "ideal")
    case, _ = build_case(trace_of(*sessions), AnalyzeOptions(**options))
    return case


def candidates(code: str, *sessions: Session, **options: Any) -> list[Candidate]:
    """What one rule finds in the sessions."""
    return list(RULES.load(code)().find(case_of(*sessions, **options)))


def result_of(*sessions: Session, **options: Any) -> Result:
    """The analysis of the sessions."""
    options.setdefault("engine", "ideal")
    return analyze(trace_of(*sessions), AnalyzeOptions(**options))
