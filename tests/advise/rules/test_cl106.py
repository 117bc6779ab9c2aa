"""CL106: system messages that a server moves to the front."""

from __future__ import annotations

import pytest

from cachelens.advise.candidate import Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.savings import Bench
from tests.advise.sessions import Session, candidates, case_of, tool, trace_of, words


def nudged(every: int, steps: int = 6, role: str = "system", name: str = "s") -> Session:
    """A reminder as a message of its own behind every so many steps."""
    session = Session(name, system=words("system", 80), tools=[tool("look_up", what="string")]).user("go on")
    for step in range(steps):
        session.steps(1, seed=f"step{step}")
        if every and step % every == every - 1:
            session.messages.append(
                {"role": role, "content": f"reminder {step}: " + words(f"note {step}", 8)}
            )
    session.ask()
    return session


def fires() -> list[Session]:
    return [nudged(2), nudged(3, role="developer")]


def near_miss() -> list[Session]:
    """No such message; reminders of the user; several system messages, all of them leading."""
    leading = nudged(0, name="leading")
    for call in leading.calls:
        call.request["messages"].insert(1, {"role": "system", "content": "and be brief"})
    return [nudged(0, name="none"), nudged(2, role="user", name="user"), leading]


def hoisted(*sessions: Session) -> Case:
    trace = trace_of(*sessions, options=IngestOptions(render="system-hoisted"))
    return build_case(trace, AnalyzeOptions(engine="ideal"))[0]


def test_read_hoisted_it_is_waste_and_the_remedy_is_to_leave_it_in_place() -> None:
    session = nudged(2)
    case, plain = hoisted(session), case_of(session)
    (found,) = RULES.load("CL106")().find(case)
    assert found.verdict is Verdict.AVOIDABLE
    assert found.group == ("hoisted",)
    assert list(found.requests) == [2, 4, 6]
    assert found.details["system messages"] == 3
    assert found.tokens == sum(case.lost(request, "divergence") for request in (2, 4, 6)) > 500
    assert found.plan is not None
    bill = Bench(case, None).bill(found.plan)
    assert (bill.computed, bill.prompt) == (plain.computed, int(plain.work.prompt_tokens.sum()))
    assert {code for code, _ in case.claims.values()} == {"CL106"}
    assert not found.changes_input


@pytest.mark.parametrize(("session", "requests"), list(zip(fires(), ([2, 4, 6], [3, 6]), strict=True)))
def test_read_in_place_it_says_what_another_server_would_compute(
    session: Session, requests: list[int]
) -> None:
    plain, moved = case_of(session), hoisted(session)
    (found,) = RULES.load("CL106")().find(plain)
    assert found.verdict is Verdict.DIAGNOSTIC
    assert found.plan is None
    assert found.tokens == moved.computed - plain.computed > 200
    assert list(found.requests) == requests
    assert f"{found.tokens:,}" in found.title
    assert "Ollama" in str(found.details["servers that do"])
    assert found.place is not None
    assert int(plain.trace.segments.message[found.place.row]) > 1


def test_provider_apis_read_messages_where_they_stand() -> None:
    assert candidates("CL106", nudged(2), engine="openai") == []
    assert len(candidates("CL106", nudged(2), engine="vllm")) == 1


def test_a_message_put_in_behind_the_front_is_no_matter_of_hoisting() -> None:
    session = nudged(2)
    for call in session.calls[5:]:
        call.request["messages"].insert(4, {"role": "user", "content": "by the way: " + words("way", 20)})
    case = hoisted(session)
    assert {code for code, _ in case.claims.values()} == {"CL106", "CL107"}
    (found,) = RULES.load("CL106")().find(case)
    assert list(found.requests) == [2, 4, 6]


def test_little_is_not_told() -> None:
    found = candidates("CL106", nudged(2), thresholds={"min_tokens": "1000000"})
    assert found == []


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
def test_nothing_is_moved(session: Session) -> None:
    assert candidates("CL106", session) == []
    assert list(RULES.load("CL106")().find(hoisted(session))) == []


def test_a_clock_in_the_leading_prompt_is_another_matter_however_it_is_read() -> None:
    session = nudged(2)
    for number, call in enumerate(session.calls):
        call.request["messages"][0]["content"] += f"\nIt is 10:0{number}:00."
    case = hoisted(session)
    assert {code for code, _ in case.claims.values()} == {"CL101", "CL106"}
    (found,) = RULES.load("CL106")().find(case)
    assert found.tokens == 0
