"""CL101: values that change by themselves."""

from __future__ import annotations

import pytest

from cachelens.advise.edit_rule import View
from cachelens.advise.rules.cl101_volatile_prefix import VolatilePrefix, volatile_pieces
from tests.advise.rules.figures import saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, result_of, tool, words


def clocked(stamps: list[str], name: str = "clock", text: str = "Now: {}.") -> Session:
    """One user turn whose system prompt says a stamp, another one in each request."""
    session = Session(name, words("rules", 30) + "\n" + text.format(stamps[0]) + "\n" + words("more", 30))
    session.user(words("task", 20))
    for number, stamp in enumerate(stamps):
        session.messages[0]["content"] = session.messages[0]["content"].replace(stamps[number - 1], stamp)
        session.use("look", {"at": number}, words(f"{name} out {number}", 40))
    return session


STAMPS = ["2026-03-01 10:31:07.5", "2026-03-01 10:31:19.5", "2026-03-01 10:31:22.0", "2026-03-01 10:33:00.0"]


def footer() -> Session:
    """The last user message ends with a status that is taken along, rewritten, and what followed stays."""
    session = Session("footer", words("rules", 80)).user(words("task", 20) + "\nturn 1 of 9")
    session.use("look", {}, words("out", 100), words("reply", 50))
    session.messages[1]["content"] = words("task", 20) + "\nturn 2 of 9"
    session.ask()
    return session


def in_tool() -> Session:
    """A description says the date."""
    session = Session(
        "tool", words("rules", 40), [tool("search", "Find.\nMarch 3, 2026 is today."), tool("read")]
    )
    session.user(words("task", 40)).use("search", {}, words("out", 40))
    session.tools = [tool("search", "Find.\nMarch 4, 2026 is today."), tool("read")]
    session.ask()
    return session


def fires() -> list[Session]:
    return [clocked(STAMPS), footer(), in_tool()]


def near_miss() -> list[Session]:
    late = Session("late", words("rules", 80)).user(words("task", 30))
    for number in range(3):  # the clock is in the latest message and stays as it was sent
        late.ask("fine")
        late.user(f"It is 2026-03-01 10:31:0{number}. " + words(f"go on {number}", 30))
    version = clocked(["2", "3", "4"], "version", "Rules of edition {} hold.")
    both = clocked(["10:31:07 red", "10:31:09 blue"], "both")
    file = clocked(["report1.md", "report2.md"], "file")
    return [late, version, both, file, clocked(STAMPS[:1], "once")]


def test_a_clock() -> None:
    session = fires()[0]
    case = case_of(session)
    (found,) = candidates("CL101", session)
    assert found.title == "a date and time, to the millisecond, in the system prompt changes in 3 requests"
    assert found.group == ("system", "time")
    assert list(found.requests) == [1, 2, 3]
    assert found.tokens == pytest.approx(sum(sent_again(case, request) for request in (1, 2, 3)), abs=6)
    assert found.tokens > 600
    assert found.place is not None
    before = case.text(found.place.before_row)
    assert before is not None
    assert before[: found.place.char].endswith("Now: 2026-03-01 10:3")
    assert found.details == {
        "shape": "time",
        "granularity": "millisecond",
        "smallest step in seconds": 2.5,
        "distinct values": 4,
        "at a new user turn": 0,
    }
    # The remedy computes nothing again; each new stamp is sent behind.
    kept = saving(case, found)
    assert kept.computed_tokens == found.tokens
    assert not found.changes_input


def test_it_is_a_finding_without_text() -> None:
    (found,) = result_of(fires()[0]).findings
    assert (found.code, found.requests, found.tokens) == ("CL101", 3, found.saving.computed_tokens)  # type: ignore[union-attr]
    assert found.location is not None
    assert (found.location.component, found.location.path) == ("system", "messages[0].content")
    assert "10:3" not in repr(found)


def test_a_footer_that_is_rewritten() -> None:
    case = case_of(fires()[1])
    (found,) = candidates("CL101", fires()[1])
    assert found.group == ("user", "counter")
    assert found.title == "a counter in a user message changes in 1 request"
    assert found.tokens == pytest.approx(sent_again(case, 1), abs=2)
    assert found.tokens > 90


def test_a_date_in_a_tool_definition() -> None:
    case = case_of(fires()[2])
    (found,) = candidates("CL101", fires()[2])
    assert found.group == ("tools", "date", "search")
    assert found.title == "a date, to the day, in the definition of tool search changes in 1 request"
    assert found.tokens == sent_again(case, 1)


def test_one_finding_for_all_sessions_of_a_cause() -> None:
    other = clocked(["2026-03-02 10:31:07.5", "2026-03-02 10:31:08.5"], "other")
    (found,) = candidates("CL101", fires()[0], other)
    assert len(found.requests) == 4
    assert found.details["smallest step in seconds"] == 1.0


def test_a_reply_is_nobodys_clock() -> None:
    """What was generated comes back with another time: it is the echo that is not faithful."""
    session = Session("echo", words("rules", 60)).user(words("task", 30))
    session.ask("It is 10:31:07. " + words("reply", 60))
    session.messages[-1]["content"] = "It is 10:31:09. " + words("reply", 60)
    session.user("go on").ask()
    case = case_of(session)
    (edit,) = case.past.edits
    assert edit.in_reply
    assert volatile_pieces(View(case, edit))
    assert VolatilePrefix().claim(View(case, edit)) is None


@pytest.mark.parametrize("number", range(5))
def test_near_miss(number: int) -> None:
    assert candidates("CL101", near_miss()[number]) == []
