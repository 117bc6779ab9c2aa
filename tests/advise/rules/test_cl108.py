"""CL108: windows that slide over the history."""

from __future__ import annotations

from copy import deepcopy

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.rules import RULES
from cachelens.pipeline.savings import Bench
from tests.advise.sessions import Session, candidates, case_of, result_of, tool, words


def started(name: str = "s") -> Session:
    return Session(name, system=words("system", 80), tools=[tool("look_up", what="string")])


def sliding(keep: int, steps: int, pinned: bool, notice: str | None = None, name: str = "s") -> Session:
    """Steps of which the latest `keep` are sent; `pinned`: the first message of the user always is."""
    session = started(name).user("the task: " + words("task", 30))
    first = 2 if pinned else 1
    for step in range(steps):
        session.steps(1, seed=f"step{step}")
        if step >= keep:
            at = first if pinned or step > keep else first + 1
            if not pinned and step == keep:
                del session.messages[1]  # the task goes first
            else:
                del session.messages[at : at + 2]
            if notice is not None and session.messages[first].get("content") != notice:
                session.messages.insert(first, {"role": "user", "content": notice})
    session.ask()
    return session


def fires() -> list[Session]:
    return [sliding(3, 8, pinned=True), sliding(3, 8, pinned=False), dropped_at_once()]


def dropped_at_once() -> Session:
    """Half of the history goes in one go."""
    session = started().user("the task").steps(8)
    del session.messages[2:10]
    session.steps(3, seed="later")
    session.ask()
    return session


def near_miss() -> list[Session]:
    """Nothing dropped; something dropped in the middle; the newest; a single old message; here and there."""
    plain = started("plain").user("the task").steps(6)
    plain.ask()
    middle = started("middle").user("the task").steps(6)
    del middle.messages[6:8]
    middle.ask()
    newest = started("newest").user("the task").steps(6)
    del newest.messages[-4:]
    newest.ask()
    single = started("single").user("remember this: " + words("memo", 80)).user("the task").steps(4)
    del single.messages[1]
    single.steps(3, seed="later")
    single.ask()
    both = started("both").user("the task").steps(9)
    del both.messages[10:12]
    del both.messages[2:6]
    both.ask()
    return [plain, middle, newest, single, both]


def only(session: Session) -> Candidate:
    (found,) = candidates("CL108", session)
    return found


@pytest.mark.parametrize("pinned", [True, False])
def test_a_sliding_window_is_one_cause(pinned: bool) -> None:
    session = sliding(3, 8, pinned)
    case = case_of(session)
    (found,) = RULES.load("CL108")().find(case)
    wanted = list(range(4, 9))
    assert list(found.requests) == wanted
    assert found.tokens == sum(case.lost(request, "divergence") for request in wanted) > 500
    assert found.verdict is Verdict.AVOIDABLE
    assert found.changes_input
    assert found.break_even is not None
    assert {code for code, _ in case.claims.values()} == {"CL108"}


def test_the_remedy_is_to_send_everything() -> None:
    session = sliding(3, 8, pinned=True)
    case = case_of(session)
    (found,) = RULES.load("CL108")().find(case)
    whole = started().user("the task: " + words("task", 30))
    for step in range(8):
        whole.steps(1, seed=f"step{step}")
    whole.ask()
    kept = case_of(whole)
    assert found.plan is not None
    bill = Bench(case, None).bill(found.plan)
    assert (bill.computed, bill.prompt) == (kept.computed, int(kept.work.prompt_tokens.sum()))
    longer = int(kept.work.prompt_tokens[-1] - case.work.prompt_tokens[-1])
    assert found.details["longest prompt without dropping, in tokens more"] == longer


def test_half_at_once_is_the_same_cause() -> None:
    found = only(dropped_at_once())
    assert list(found.requests) == [8]
    assert found.group == ("window", "")


def test_a_notice_in_its_place_belongs_to_it() -> None:
    session = sliding(3, 8, pinned=True, notice="[Earlier messages are not shown.]")
    case = case_of(session)
    assert {code for code, _ in case.claims.values()} == {"CL108"}
    assert len(list(RULES.load("CL108")().find(case))) == 1


def test_sessions_of_one_harness_are_one_finding() -> None:
    one, other = sliding(3, 8, pinned=True), sliding(3, 8, pinned=True, name="other")
    other.calls = [deepcopy(call) for call in other.calls]
    result = result_of(one, other)
    (found,) = (one for one in result.findings if one.code == "CL108")
    assert found.requests == 10
    assert found.saving is not None
    assert found.saving.computed_tokens > 1000
    assert found.saving.prompt_tokens < 0


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
def test_other_changes_are_no_window(session: Session) -> None:
    assert candidates("CL108", session) == []
