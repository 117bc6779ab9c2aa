"""CL105: tools that come and go."""

from __future__ import annotations

import pytest

from tests.advise.rules.figures import saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, tool, words

NAMES = {"e": "edit", "f": "find", "l": "list", "m": "mcp__notes__add", "n": "mcp__notes__get"}


def tools(letters: str) -> list[object]:
    return [tool(NAMES[letter], words(f"describes {letter}", 20)) for letter in letters]


def with_tools(*sets: str, name: str = "flap") -> Session:
    """A request for each set of tools."""
    session = Session(name, words("rules", 60), tools(sets[0])).user(words("task", 30))
    for number, letters in enumerate(sets):
        session.tools = tools(letters)
        session.use("find", {"at": number}, words(f"{name} out {number}", 40))
    return session


def fires() -> list[Session]:
    return [
        with_tools("efmn", "ef", "ef", "efmn", name="flapping"),
        with_tools("ef", "efmn", "efmn", name="late"),
        with_tools("ef", "ef", "ef", "efl", name="added"),
        with_tools("efl", "ef", "ef", name="removed"),
    ]


def near_miss() -> list[Session]:
    return [with_tools("ef", "ef", "ef"), with_tools("ef", "fe", "fe")]


def test_transient() -> None:
    case = case_of(fires()[0])
    (found,) = candidates("CL105", fires()[0])
    assert found.title == "2 tools come and go in mid-session, 2 changes of the tool set"
    assert found.group == ("transient", "mcp__notes__add", "mcp__notes__get")
    assert list(found.requests) == [1, 3]
    assert found.details["requests with the other tool set"] == 2
    assert found.details["tools"] == "mcp__notes__add, mcp__notes__get"
    assert found.changes_input
    assert found.place is not None
    assert case.is_kind(found.place.row, "tools")
    # Back at the first set, the tools and the first messages are still there.
    first = sent_again(case, 1)
    assert first - 12 <= found.tokens - int(case.lost(3, "divergence")) <= first
    assert saving(case, found).computed_tokens >= found.tokens - 4


def test_late() -> None:
    (found,) = candidates("CL105", fires()[1])
    assert found.title == "2 tools of MCP servers come late, after the first request"
    assert found.group[0] == "late"
    assert list(found.requests) == [1]


def test_added_and_removed() -> None:
    (added,) = candidates("CL105", fires()[2])
    assert (added.title, added.group) == ("tool list comes in mid-session", ("added", "list"))
    (removed,) = candidates("CL105", fires()[3])
    assert (removed.title, removed.group) == ("tool list goes in mid-session", ("removed", "list"))
    case = case_of(fires()[3])
    # Kept, the tool is carried by the two requests that had left it out.
    size = removed.details["tokens of their definitions"]
    assert isinstance(size, int)
    kept = saving(case, removed)
    assert kept.prompt_tokens == -2 * size
    assert kept.computed_tokens == removed.tokens
    assert removed.tokens == pytest.approx(sent_again(case, 1), abs=12)
    assert removed.break_even == (
        f"every request behind the change carries the definitions, {size} tokens, from cache"
    )


def test_one_tool_for_another_is_no_changed_definition() -> None:
    session = with_tools("ef", "el", "el", name="swap")
    (found,) = candidates("CL105", session)
    assert found.title == "2 tools come or go together in mid-session"
    assert found.group == ("replaced", "find", "list")
    assert candidates("CL104", session) == []


def test_many_tools_for_one_are_no_summary() -> None:
    session = with_tools("eflmn", "lf", "lf", name="fewer")
    found = candidates("CL105", session)
    assert [one.group for one in found] == [("removed", "edit", "mcp__notes__add", "mcp__notes__get")]


def test_sets_that_change_apart_are_findings_of_their_own() -> None:
    session = with_tools("efmn", "efn", "efmn", "efmnl", "efmnl", name="two")
    found = candidates("CL105", session)
    assert [one.group for one in found] == [("transient", "mcp__notes__add"), ("added", "list")]
    assert [list(one.requests) for one in found] == [[1, 2], [3]]


def test_tools_that_come_back_with_others() -> None:
    session = with_tools("efm", "ef", "ef", "efmn", "efmn", name="more")
    found = candidates("CL105", session)
    assert [one.group for one in found] == [
        ("transient", "mcp__notes__add"),
        ("transient", "mcp__notes__add", "mcp__notes__get"),
    ]
    assert [one.details["requests with the other tool set"] for one in found] == [2, 2]


def test_another_model_is_another_cause() -> None:
    """The tools changed as well, but nothing would have been served with the old ones."""
    session = with_tools("efmn", "ef", name="model")
    session.calls[-1].request["model"] = "example-2"
    assert candidates("CL105", session) == []


@pytest.mark.parametrize("number", range(2))
def test_near_miss(number: int) -> None:
    assert candidates("CL105", near_miss()[number]) == []
