"""CL114: something of a session's own before what sessions share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cachelens.advise.candidate import Candidate
from cachelens.advise.rules.cl114_shareable_prefix_lost import ShareablePrefixLost
from tests.advise.rules.figures import saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, tool, words

SHARED = words("shared rules", 300)
TOOLS = [tool(name, words(f"describes {name}", 120)) for name in ("edit", "find", "list", "read", "write")]


def one(name: str, number: int, own: str, tools: list[object] | None = None, **more: str) -> Session:
    """A session with a line of its own in front of shared rules; sessions come one after the other."""
    session = Session(name, own + "\n" + SHARED, tools or [], start=1_800_000_000.0 + 1000 * number, **more)
    return session.user(words(f"{name} task", 20)).use("look", {}, words(f"{name} out", 30))


def agents() -> list[Session]:
    """A main agent and three like sub-agents that open with a sentence of their own."""
    own = "You are the reviewer. " + words("reviewer", 12)
    first = one("main", 0, "You are the planner. " + words("planner", 12))
    return [first, *(one(f"sub{number}", number, own) for number in (1, 2, 3))]


def folders() -> list[Session]:
    return [one(f"s{at}", at, f"Working directory: /work/{'abc'[at] * 4}") for at in range(3)]


def days() -> list[Session]:
    return [one("first", 0, "Today is 2026-03-01."), one("second", 1, "Today is 2026-03-02.")]


def fewer_tools() -> list[Session]:
    return [one("all", 0, "", TOOLS), one("fewer", 1, "", TOOLS[1:])]


def fires() -> list[Session]:
    return folders()


def near_miss() -> list[Session]:
    """Sessions that differ in the message of the user alone."""
    return [one("a", 0, "same"), one("b", 1, "same"), one("c", 2, "same")]


def only(found: list[Candidate]) -> Candidate:
    assert len(found) == 1
    return found[0]


def test_a_folder() -> None:
    case = case_of(*fires())
    found = only(candidates("CL114", *fires()))
    rows = [int(case.path(request)[0]) for request in (1, 2)]
    assert found.group == ("system", "working directory")
    assert found.title == (
        f"working directory in the system prompt before {found.tokens:,} tokens that 2 first requests could share"
    )
    assert list(found.requests) == [1, 2]
    assert found.tokens == pytest.approx(sum(case.tokens(row) for row in rows), abs=40)
    assert found.tokens > 1000
    assert found.measure == "could have been shared"
    assert not found.changes_input
    assert saving(case, found).computed_tokens == pytest.approx(found.tokens, abs=16)


def test_text_of_an_agent() -> None:
    """Only the first sub-agent is at a loss, and all of them have to be changed for what it gains."""
    sessions = agents()
    case = case_of(*sessions)
    found = only(candidates("CL114", *sessions))
    assert found.group == ("system", "own text")
    assert list(found.requests) == [1]
    assert found.tokens == pytest.approx(sent_again(case, 1, 0, reply=False), abs=16)
    assert found.changes_input
    assert found.break_even
    assert saving(case, found).computed_tokens == pytest.approx(found.tokens, abs=16)


def test_a_date() -> None:
    found = only(candidates("CL114", *days()))
    assert found.group == ("system", "a date")
    assert not found.changes_input


def test_fewer_tools() -> None:
    sessions = fewer_tools()
    case = case_of(*sessions)
    found = only(candidates("CL114", *sessions))
    assert found.group == ("tools", "tool set")
    assert found.changes_input
    kept = saving(case, found).computed_tokens
    assert kept == pytest.approx(found.tokens, abs=16)
    # The next tool begins like the one that is missing: so much was shared all the same.
    (edit,) = (edit for edit in case.past.sibling_edits[1] if case.is_kind(edit.row, "tools"))
    assert found.tokens <= kept < edit.after_tokens


def test_what_stands_behind_is_taken_along() -> None:
    """Text of an agent, and behind it a tool less: one finding."""
    sessions = [
        one("main", 0, "You are the planner. " + words("planner", 12), TOOLS),
        one("sub", 1, "You are the reviewer. " + words("reviewer", 12), [*TOOLS[:1], *TOOLS[2:]]),
    ]
    case = case_of(*sessions)
    found = only(candidates("CL114", *sessions))
    assert found.group == ("system", "own text")
    assert found.details["further differences behind it"] == "tool set"
    assert saving(case, found).computed_tokens == pytest.approx(found.tokens, abs=16)


def test_near_miss() -> None:
    assert candidates("CL114", *near_miss()) == []


def test_other_models_share_nothing() -> None:
    sessions = [
        one("first", 0, "Today is 2026-03-01."),
        one("second", 1, "Today is 2026-03-02.", model="other"),
    ]
    assert candidates("CL114", *sessions) == []


def test_other_prompts_are_no_siblings() -> None:
    """Rules in common do not make two agents one, when most of tools and prompt is other."""
    first = one("first", 0, "You are the planner.", [tool("shared")])
    for count, found in ((1, 1), (8, 0)):
        own = [tool(f"own{at}", words(f"own {at}", 120)) for at in range(count)]
        second = one("second", 1, "You are the cook. " + words("cook", 5), [tool("shared"), *own])
        assert len(candidates("CL114", first, second)) == found


def test_too_little_to_share() -> None:
    case = case_of(*folders())
    most = max(edit.after_tokens for edits in case.past.sibling_edits.values() for edit in edits)
    for limit, count in ((most, 1), (most + 1, 0)):
        case = case_of(*folders())
        case.thresholds = replace(case.thresholds, shareable_tokens=limit)
        assert len(list(ShareablePrefixLost().find(case))) == count


def test_a_fork_is_no_session_of_its_own() -> None:
    """Same rules, another first message, the same long file: the user's message is the first difference."""
    a, b = one("a", 0, "same"), one("b", 1, "same")
    for session in (a, b):
        for call in session.calls:
            call.request["messages"].append({"role": "user", "content": words("pasted file", 400)})
    assert candidates("CL114", a, b) == []
