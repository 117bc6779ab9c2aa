"""Conversations as bodies of requests, and changes that break them. Out: bodies, and what a failing assertion says."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.advise.sessions import Session, tool, words

Body = dict[str, Any]
TOOLS = [tool("look_up", "Looks something up.", what="string"), tool("note", "Takes a note.", text="string")]


def conversation(count: int = 4, system: str | None = "be exact", tools: bool = True) -> list[Body]:
    """`count` requests, each the one before and more."""
    start = None if system is None else f"{system}\n{words('system', 60)}"
    session = Session(system=start, tools=TOOLS if tools else [])
    session.user(words("question", 20)).steps(count - 1)
    session.ask()
    return [deepcopy(call.request) for call in session.calls]


def message(check: Callable[[], None]) -> str:
    """What a failing assertion says."""
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def clock(body: Body) -> None:
    body["messages"][0]["content"] = "It is 10:31:19 now.\n" + body["messages"][0]["content"]


def swap_tools(body: Body) -> None:
    body["tools"].reverse()


def other_description(body: Body) -> None:
    body["tools"][1]["function"]["description"] = "Takes a short note."


def drop_tool(body: Body) -> None:
    del body["tools"][1]


def rewrite_output(body: Body) -> None:
    body["messages"][3]["content"] = "(left out)"


def respell_arguments(body: Body) -> None:
    call = body["messages"][2]["tool_calls"][0]["function"]
    call["arguments"] = call["arguments"].replace(": ", ":")


def slide(body: Body) -> None:
    del body["messages"][1:4]


def other_model(body: Body) -> None:
    body["model"] = "example-2"
