"""CL103: the same tools in another order."""

from __future__ import annotations

import pytest

from tests.advise.rules.figures import prompt, saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, tool, words

NAMES = ("edit", "find", "list", "read", "write")


def tools(names: str) -> list[object]:
    """Tools by first letters."""
    return [
        tool(name, words(f"describes {name}", 20)) for letter in names for name in NAMES if name[0] == letter
    ]


def shuffled(*orders: str) -> Session:
    session = Session("order", words("rules", 60), tools(orders[0])).user(words("task", 30))
    for number, order in enumerate(orders):
        session.tools = tools(order)
        session.use("find", {"at": number}, words(f"out {number}", 40))
    return session


def fires() -> list[Session]:
    return [shuffled("eflrw", "wrlfe", "wrlfe", "eflrw")]


def near_miss() -> list[Session]:
    return [shuffled("eflrw", "eflrw", "eflrw"), shuffled("efl", "eflr"), shuffled("eflr", "efr")]


def test_reordered() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL103", *fires())
    assert found.title == "the same tools come in another order in 2 requests"
    assert found.group == ("tools",)
    assert list(found.requests) == [1, 3]
    assert found.details == {"tools": 5, "different orders": 2, "at a new user turn": 0}
    assert found.place is not None
    assert case.is_kind(found.place.row, "tools")
    # The order of the last request was sent before, so that its system prompt and tools are served.
    assert 0 < found.tokens < sum(len(prompt(case, request)) for request in (1, 3))
    kept = saving(case, found)
    assert kept.computed_tokens == found.tokens
    assert kept.prompt_tokens == 0
    assert not found.changes_input
    assert found.plan is not None
    assert found.plan.silent == found.plan.undo


def test_moved_messages_are_not_tools() -> None:
    session = shuffled("efl", "efl", "efl")
    session.messages.insert(1, session.messages.pop(4))
    session.ask()
    case = case_of(session)
    assert [edit.kind for edit in case.past.edits] == ["moved"]
    assert candidates("CL103", session) == []


def test_from_the_first_moved_tool_on_everything_is_computed_again() -> None:
    session = shuffled("eflrw", "ewrlf")
    case = case_of(session)
    (found,) = candidates("CL103", session)
    new = len(prompt(case, 1)) - len(prompt(case, 0)) - (sum(case.tokens(row) for row in case.reply(0)) - 1)
    assert found.tokens == int(case.work.prompt_tokens[1] - case.replay.hit[1]) - new
    assert found.tokens < sent_again(case, 1) + sum(
        case.tokens(row) for row in case.path(1).tolist() if case.is_kind(row, "tools")
    )


def test_moved_and_added_are_two_causes() -> None:
    session = shuffled("eflr", "rwlfe")
    assert len(candidates("CL103", session)) == 1
    (added,) = candidates("CL105", session)
    assert added.details["tools"] == "write"


@pytest.mark.parametrize("number", range(3))
def test_near_miss(number: int) -> None:
    assert candidates("CL103", near_miss()[number]) == []
