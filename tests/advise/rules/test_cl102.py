"""CL102: the billing line of Claude Code."""

from __future__ import annotations

import pytest

from cachelens.advise.rules.billing_header import fields_changed
from tests.advise.rules.figures import saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, words

RULES_TEXT = words("rules", 300)


def line(version: str, cch: str) -> str:
    return f"x-anthropic-billing-header: cc_version=2.1.36.{version}; cc_entrypoint=cli; cch={cch};"


def coded(name: str, version: str, hashes: list[str], start: float = 1_800_000_000.0) -> Session:
    """A conversation in which each request has its own hash."""
    session = Session(name, line(version, hashes[0]) + "\n" + RULES_TEXT, start=start)
    session.user(words(f"{name} task", 30))
    for number, cch in enumerate(hashes):
        session.messages[0]["content"] = line(version, cch) + "\n" + RULES_TEXT
        session.use("look", {"at": number}, words(f"{name} out {number}", 40))
    return session


def fires() -> list[Session]:
    return [coded("billed", "a1b", ["0f3a9", "77b1c", "e02d4"])]


def conversations() -> list[Session]:
    """Two conversations that keep their line, and differ in the version alone."""
    return [
        coded("one", "a1b", ["00000", "00000"]),
        coded("two", "c9d", ["00000", "00000"], start=1_800_001_000.0),
    ]


def near_miss() -> list[Session]:
    same = coded("same", "a1b", ["0f3a9", "0f3a9", "0f3a9"])
    other = coded("other", "a1b", ["0f3a9", "0f3a9"])
    other.messages[0]["content"] = line("a1b", "77b1c") + "\n" + words("other rules", 300)
    other.ask()
    prose = Session("prose", "Billing: plan=a1b\n" + RULES_TEXT).user("go").use("look", {}, words("out", 40))
    prose.messages[0]["content"] = "Billing: plan=c2d\n" + RULES_TEXT
    prose.ask()
    return [same, other, prose]


def test_a_hash_per_request() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL102", *fires())
    assert found.title == "the billing line of Claude Code in the system prompt changes in 2 requests"
    assert found.group == ("billing-header",)
    assert list(found.requests) == [1, 2]
    assert found.tokens == sent_again(case, 1) + sent_again(case, 2) > 1200
    assert found.measure == "computed again"
    assert found.details["fields that change"] == "cch in 2"
    # Silent: the new hash is not sent, so a few tokens more are saved than were computed again.
    kept = saving(case, found)
    assert found.tokens < kept.computed_tokens <= found.tokens + 20
    assert kept.prompt_tokens >= -4
    assert not found.changes_input
    assert candidates("CL101", *fires()) == []


def test_a_version_per_conversation() -> None:
    sessions = conversations()
    case = case_of(*sessions)
    (found,) = candidates("CL102", *sessions)
    assert list(found.requests) == [2]
    assert found.measure == "could have been shared"
    shared = sent_again(case, 2, 0, reply=False)
    assert found.tokens == pytest.approx(shared, abs=8)
    assert found.tokens > 600
    assert found.details["fields that change"] == "cc_version in 1"
    assert saving(case, found).computed_tokens == pytest.approx(found.tokens, abs=8)
    assert candidates("CL114", *sessions) == []


def test_both_are_one_finding() -> None:
    sessions = [*fires(), coded("two", "c9d", ["12345", "6789a"], start=1_800_001_000.0)]
    (found,) = candidates("CL102", *sessions)
    assert list(found.requests) == [1, 2, 3, 4]
    assert found.measure == "computed again or not shared"
    assert found.details["fields that change"] == "cc_version in 1, cch in 4"
    again, unshared = (
        found.details["computed again in a conversation"],
        found.details["not shared between conversations"],
    )
    assert isinstance(again, int)
    assert isinstance(unshared, int)
    assert found.tokens == again + unshared


def test_up_to_the_next_difference() -> None:
    """The line, and behind shared rules the text of an agent: each has what stands behind it, once."""
    sessions = []
    for number, (name, version) in enumerate((("planner", "a1b"), ("reviewer", "c9d"))):
        session = Session(name, line(version, "00000"), start=1_800_000_000.0 + 1000 * number)
        for text in (RULES_TEXT, f"You are {name}. " + words("more rules", 300)):
            session.messages.append({"role": "system", "content": text})
        sessions.append(session.user(words(name, 20)).use("look", {}, words(name, 20)))
    case = case_of(*sessions)
    rows = case.path(1).tolist()
    (billed,) = candidates("CL102", *sessions)
    (lost,) = candidates("CL114", *sessions)
    assert billed.tokens == pytest.approx(case.tokens(rows[1]), abs=30)
    assert lost.group == ("system", "own text")
    assert lost.tokens == pytest.approx(case.tokens(rows[2]), abs=24)


def test_fields_of_a_line() -> None:
    header = line("a1b", "0f3a9")
    assert fields_changed(header, line("a1b", "77b1c")) == ("cch",)
    assert fields_changed(header, line("c9d", "77b1c")) == ("cc_version", "cch")
    assert fields_changed(f"{header}\nsame\nold", f"{line('a1b', '77b1c')}\nsame\nnew") == ()
    assert fields_changed(f"{header}\nold", f"{line('a1b', '77b1c')}\nnew") == ()
    assert fields_changed("plan=1", "plan=2") == fields_changed(header, header) == ()


def test_a_line_that_comes_and_goes() -> None:
    session = Session("gone").user(words("task", 30))
    session.messages.insert(0, {"role": "system", "content": line("a1b", "0f3a9")})
    session.messages.insert(1, {"role": "system", "content": RULES_TEXT})
    session.use("look", {}, words("out", 40))
    del session.messages[0]
    session.ask()
    case = case_of(session)
    (found,) = candidates("CL102", session)
    assert found.details["fields that change"] == "cc_entrypoint in 1, cc_version in 1, cch in 1"
    assert found.tokens == pytest.approx(sent_again(case, 1), abs=8)


@pytest.mark.parametrize("number", range(3))
def test_near_miss(number: int) -> None:
    assert candidates("CL102", near_miss()[number]) == []
