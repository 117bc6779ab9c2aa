"""CL206 edit-echo."""

from __future__ import annotations

from tests.advise.rules.outputs import STUB_TOKENS, saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_TEXT = words("the new file", 150)


def fires() -> list[Session]:
    """A tool that writes a file and answers with all of it."""
    session = Session("echo").user("write a.py")
    session.use("write_file", {"path": "a.py", "content": _TEXT}, _TEXT)
    return [session.steps(3)]


def near_miss() -> list[Session]:
    """A tool that says what it did, and one that answers with what a formatter made of it."""
    session = Session("fine").user("write a.py")
    session.use("write_file", {"path": "a.py", "content": _TEXT}, "wrote a.py")
    session.use("write_file", {"path": "b.py", "content": words("b", 150)}, words("b, formatted", 150))
    return [session.steps(3)]


def test_the_answer_is_left_out_from_the_first_time_on() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL206", *fires())
    size = tokens_of(_TEXT)
    assert found.tokens == 3 * size
    assert list(found.requests) == [1, 2, 3]
    assert found.group == ("write_file",)
    assert "a.py" in found.title
    assert found.details["answers"] == 1
    assert found.place is not None
    assert case.text(found.place.row) == _TEXT
    assert candidates("CL201", *fires()) == []
    saved = saving(case, found)
    assert saved.prompt_tokens == 3 * (size - STUB_TOKENS)
    assert saved.computed_tokens == size - STUB_TOKENS


def test_short_answers_and_other_text_do_not_count() -> None:
    assert candidates("CL206", *near_miss()) == []


def test_what_a_reading_tool_repeats_is_for_another_rule() -> None:
    session = Session("read").user(_TEXT)
    session.use("write_file", {"path": "a.py", "content": "all of it"}, "wrote a.py")
    session.use("show_text", {"of": "a.py"}, _TEXT + "\n" + words("end", 4))
    session.ask("done")
    assert candidates("CL206", session) == []
    (found,) = candidates("CL201", session)
    assert found.group == ("show_text", "echo")
