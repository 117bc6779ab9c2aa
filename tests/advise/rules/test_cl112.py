"""CL112: replies against their copies in the next request."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.rules import RULES
from cachelens.pipeline.savings import Bench
from tests.advise.sessions import Json, Session, candidates, case_of, result_of, tool, words

STEPS = 4
ARGUMENTS = '{"what": "notes/part_%d.txt", "lines": [1, 2, 3]}'


def started(name: str = "s") -> Session:
    tools = [tool("look_up", what="string"), tool("note", text="string")]
    return Session(name, system=words("system", 80), tools=tools).user("work on it")


def echoing(change: str, steps: int = STEPS) -> Session:
    """Steps of text and two calls, of which `change` says how they come back."""
    session = started(change)
    for step in range(steps):
        spelled = ARGUMENTS % step
        text = None if change == "calls only, as text" else f"step {step}: {words(f'say {step}', 30)}"
        ids = session.ask(text, [("look_up", spelled), ("note", '{"text": "remember"}')], echo=False)
        message: Json = {"role": "assistant", "content": text, "tool_calls": calls_of(session)}
        session.messages.append(message)
        answered = ids
        if change == "respelled":
            for call in message["tool_calls"]:
                call["function"]["arguments"] = json.dumps(
                    json.loads(call["function"]["arguments"]), separators=(",", ":")
                )
        elif change == "key order":
            call = message["tool_calls"][0]["function"]
            call["arguments"] = json.dumps(json.loads(call["arguments"]), sort_keys=True)
        elif change == "dropped text":
            message["content"] = None
        elif change == "appended":
            message["content"] += "\n(checked by the harness)"
        elif change == "cut":
            message["content"] = text[: len(text or "") // 2] if text else None
        elif change == "parallel":
            del message["tool_calls"][1]
            answered = ids[:1]
        elif change in ("as text", "calls only, as text"):
            said = [call["function"] for call in message.pop("tool_calls")]
            message["content"] = f"{text + chr(10) if text else ''}Calling tools:\n{said}"
            answered = []
        for call_id in answered:
            session.result(call_id, words(f"{step} {call_id[-1]}", 40))
        if not answered:
            session.user(words(f"{step} observed", 40))
    session.ask()
    return session


def calls_of(session: Session) -> list[Json]:
    """Calls of the latest reply."""
    return deepcopy(session.calls[-1].response["choices"][0]["message"]["tool_calls"])


def fires() -> list[Session]:
    changes = ("respelled", "key order", "dropped text", "appended", "cut", "parallel", "as text")
    return [echoing(change) for change in (*changes, "calls only, as text")]


def near_miss() -> list[Session]:
    """As it came; tried again, so that nothing came back; an earlier reply that is changed later on; another
    answer in place of the one that was captured; a message of the assistant slipped in among earlier ones."""
    again = started("again")
    for _ in range(3):
        again.ask(words("first try", 80), echo=False)
    later = started("later").steps(3)
    later.messages[2]["content"] = "something else, and none of what was said there before"
    later.ask()
    other = started("other")
    for number in range(3):
        other.ask(None, [("look_up", f'{{"what": "never_{number}.txt"}}')], echo=False)
        other.messages.append({"role": "assistant", "content": words(f"another answer {number}", 40)})
        other.user(words(f"go on {number}", 20))
    otherwise = started("otherwise")
    for number in range(3):
        otherwise.ask(words(f"first answer {number}", 40), echo=False)
        otherwise.messages.append({"role": "assistant", "content": words(f"second {number}", 40)})
        otherwise.user(words(f"go on {number}", 20))
    slipped = started("slipped").steps(4)
    slipped.messages.insert(4, {"role": "assistant", "content": words("never said", 40)})
    slipped.steps(2, seed="more").ask()
    return [echoing("faithful"), again, later, other, otherwise, slipped]


def only(session: Session, **options: object) -> Candidate:
    (found,) = candidates("CL112", session, **options)
    return found


KEYS = {
    "respelled": ("arguments-respelled", "white space"),
    "key order": ("arguments-respelled", "key order"),
    "dropped text": ("text-dropped",),
    "appended": ("text-appended",),
    "cut": ("text-cut",),
    "parallel": ("parallel-call-dropped",),
    "as text": ("call-as-text",),
    "calls only, as text": ("call-as-text",),
}


@pytest.mark.parametrize("change", KEYS)
def test_each_way_is_one_cause(change: str) -> None:
    found = only(echoing(change))
    assert found.group == KEYS[change]
    assert list(found.requests) == [1, 2, 3, 4]
    assert found.verdict is Verdict.AVOIDABLE
    assert found.details["parts of replies"] == STEPS * (2 if change in ("respelled", "as text") else 1) + (
        # the second call is removed beside the first one that became text, or the text that grew
        STEPS if change in ("as text", "calls only, as text") else 0
    )


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
def test_faithful_copies_and_later_changes_are_none(session: Session) -> None:
    assert candidates("CL112", session) == []


@pytest.mark.parametrize("change", ["respelled", "key order", "dropped text", "appended", "as text"])
def test_the_remedy_serves_every_reply_whole(change: str) -> None:
    case = case_of(echoing(change))
    (found,) = RULES.load("CL112")().find(case)
    assert found.plan is not None
    assert set(found.plan.undo) == set(found.plan.silent)
    bench = Bench(case, None)
    bill = bench.bill(found.plan)
    assert bench.base.computed - bill.computed >= found.tokens - STEPS
    faithful = case_of(echoing("faithful"))
    # Observations take the place of two results each where calls became text.
    if change != "as text":
        assert bill.computed == faithful.computed
        assert bill.prompt == int(faithful.work.prompt_tokens.sum())


def test_tokens_are_what_came_back_and_was_not_served() -> None:
    case = case_of(echoing("respelled"))
    (found,) = RULES.load("CL112")().find(case)
    wanted = 0
    for request in range(1, STEPS + 1):
        path, before = case.path(request).tolist(), len(case.path(request - 1))
        ends = [sum(case.tokens(row) for row in path[: at + 1]) for at in range(len(path))]
        # The reply is three segments: text, two calls. What is served of it is the text and the name of the first call.
        wanted += ends[before + 2] - int(case.replay.hit[request])
        assert case.replay.hit[request] >= ends[before]
    assert found.tokens == wanted > 0


def test_white_space_inside_a_value_is_no_spelling() -> None:
    session = started()
    (call_id,) = session.ask("look", [("look_up", '{"what": "rm -rf / tmp"}')], echo=False)
    calls = calls_of(session)
    calls[0]["function"]["arguments"] = '{"what": "rm -rf /tmp"}'
    session.messages.append({"role": "assistant", "content": "look", "tool_calls": calls})
    session.result(call_id, words("out", 40)).ask()
    assert only(session).group == ("arguments-changed",)


def test_text_slipped_in_before_a_call_belongs_to_the_echo() -> None:
    session = started()
    for step in range(2):
        (call_id,) = session.ask(None, [("look_up", {"what": f"{step} {words('long', 40)}"})], echo=False)
        session.messages.append(
            {"role": "assistant", "content": "Calling a tool.", "tool_calls": calls_of(session)}
        )
        session.result(call_id, words(f"out {step}", 40))
    session.ask()
    found = only(session)
    assert found.group == ("text-appended",)
    assert found.tokens > 100
    assert found.changes_input


def test_a_cache_without_generated_text_loses_nothing() -> None:
    case = case_of(echoing("respelled"), engine="openai")
    assert {code for code, _ in case.claims.values()} == {"CL112"}
    assert list(RULES.load("CL112")().find(case)) == []


def test_what_an_earlier_break_costs_is_not_counted_again() -> None:
    session = started()
    for step in range(3):
        session.messages[0]["content"] = f"now it is 10:0{step}:00. " + words("system", 80)
        (call_id,) = session.ask("look", [("look_up", ARGUMENTS % step)], echo=False)
        calls = calls_of(session)
        calls[0]["function"]["arguments"] = (ARGUMENTS % step).replace(" ", "")
        session.messages.append({"role": "assistant", "content": "look", "tool_calls": calls})
        session.result(call_id, words(f"out {step}", 40))
    session.messages[0]["content"] = "now it is 10:03:00. " + words("system", 80)
    session.ask()
    assert only(session).tokens == 0


def test_the_whole_analysis_tells_it() -> None:
    result = result_of(echoing("respelled", steps=8))
    found = next(one for one in result.findings if one.code == "CL112")
    assert found.saving is not None
    assert found.saving.computed_tokens >= found.tokens - 8
    assert found.location is not None
    assert found.location.path is not None
    assert found.location.path.endswith("tool_calls[0].function.arguments")
    assert found.location.name == "look_up"
    assert not found.changes_input
