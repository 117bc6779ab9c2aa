"""CL113: the same content in another spelling."""

from __future__ import annotations

import json
import unicodedata

import pytest

from cachelens.advise.edit_rule import View
from cachelens.advise.rules.cl113_unstable_serialisation import UnstableSerialisation
from tests.advise.rules.figures import behind, saving
from tests.advise.sessions import Session, candidates, case_of, words

ACCENTS = words("task", 60) + " naïve café"


def respelled(before: str, now: str, name: str = "spelling") -> Session:
    """The first user message is sent again in another spelling."""
    session = Session(name, words("rules", 60)).user(before)
    session.use("look", {}, words("out", 60)).use("look", {"again": 1}, words("out again", 60))
    session.messages[1]["content"] = now
    session.ask()
    return session


def arguments() -> Session:
    """Arguments of an old call with other order of keys, after they had come back as they were."""
    session = Session("keys", words("rules", 60)).user(words("task", 20))
    session.use("look", {"where": words("place", 8), "what": "b"}, words("out", 60)).use("look", {}, "short")
    call = session.messages[2]["tool_calls"][0]["function"]
    call["arguments"] = json.dumps(json.loads(call["arguments"]), sort_keys=True)
    session.ask()
    return session


def fires() -> list[Session]:
    return [
        respelled(words("task", 60) + "\n\n", words("task", 60) + "\n", "space"),
        respelled(ACCENTS, unicodedata.normalize("NFD", ACCENTS), "unicode"),
        arguments(),
    ]


def near_miss() -> list[Session]:
    echo = Session("echo", words("rules", 60)).user(words("task", 40))
    (call_id,) = echo.ask("so", [("look", '{"a": 1, "b": 2}')])
    echo.messages[-1]["tool_calls"][0]["function"]["arguments"] = '{"a":1,"b":2}'
    echo.result(call_id, words("out", 60)).ask()
    blocks = Session("blocks", words("rules", 60)).user(words("task", 40)).use("look", {}, words("out", 60))
    blocks.messages[1]["content"] = [{"type": "text", "text": words("task", 40)}]
    blocks.ask()
    return [respelled(words("task", 60), words("task", 59) + " other", "word"), echo, blocks]


@pytest.mark.parametrize(
    ("number", "at", "how"),
    [(0, 1, "white space"), (1, 1, "Unicode form"), (2, 2, "key order")],
)
def test_respelled(number: int, at: int, how: str) -> None:
    session = fires()[number]
    case = case_of(session)
    (found,) = candidates("CL113", session)
    last = len(case) - 1
    assert found.group == ("tool_call" if at == 2 else "user", how)
    assert found.title.endswith(f"is sent again in another spelling ({how}) in 1 request")
    assert list(found.requests) == [last]
    assert found.tokens == pytest.approx(behind(case, last, at), abs=8)
    assert found.tokens > 100
    assert found.plan is not None
    assert found.plan.silent == found.plan.undo
    # Nothing but the old spelling is sent, so that its request only grows.
    kept = saving(case, found)
    assert kept.computed_tokens >= found.tokens
    assert abs(kept.prompt_tokens) < 8
    assert not found.changes_input


def test_replies_are_not_its_own() -> None:
    case = case_of(near_miss()[1])
    (edit,) = case.past.edits
    assert (edit.kind, edit.in_reply) == ("respelled", True)
    assert UnstableSerialisation().claim(View(case, edit)) is None


@pytest.mark.parametrize("number", range(3))
def test_near_miss(number: int) -> None:
    assert candidates("CL113", near_miss()[number]) == []
