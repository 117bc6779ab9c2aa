"""CL201 duplicate-tool-output."""

from __future__ import annotations

from cachelens.advise.candidate import Verdict
from cachelens.model.kinds import LABELS
from tests.advise.rules.outputs import STUB_TOKENS, saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_FILE = words("the file", 120)
_LIST = words("names of files", 90)


def fires() -> list[Session]:
    """A thing described three times, unchanged, and three requests after the last of them."""
    session = Session("twice", system="You write code.").user("explain a.py")
    for _ in range(3):
        session.use("describe", {"of": "a.py"}, _FILE)
    for turn in range(3):
        session.ask(f"answer {turn}")
        session.user(f"question {turn}")
    return [session]


def near_miss() -> list[Session]:
    """Two things, a short output that changed, and the same text from the user, not from a tool."""
    session = Session("once").user(_LIST)
    session.use("describe", {"of": "a.py"}, _FILE)
    session.use("describe", {"of": "b.py"}, words("another file", 120))
    session.use("run_tests", {"all": True}, "12 passed")
    session.use("run_tests", {"all": True}, "13 passed")
    session.ask("done")
    return [session.user(_LIST).steps(1)]


def test_copies_count_from_the_second_on_and_are_left_out_without_breaking_a_prefix() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL201", *fires())
    size = tokens_of(_FILE)
    # The second copy stands in 4 prompts (requests 2 to 5), the third in 3 of them.
    assert found.tokens == size * (4 + 3)
    assert list(found.requests) == [2, 3, 4, 5]
    assert found.group == ("describe", "dup_exact")
    assert found.details["copies"] == 2
    assert found.details["tokens computed"] == 2 * size
    assert found.details["tokens held"] == 2 * size
    assert "describe" in found.title
    assert f"{found.tokens:,}" in found.title
    assert found.changes_input
    assert found.verdict is Verdict.AVOIDABLE
    assert found.place is not None
    assert found.place.request == 2
    assert case.text(found.place.row) == case.text(found.place.before_row) == _FILE
    assert found.place.before_row < found.place.row
    saved = saving(case, found)
    assert saved.prompt_tokens == (size - STUB_TOKENS) * (4 + 3)
    assert saved.computed_tokens == (size - STUB_TOKENS) * 2


def test_other_outputs_other_arguments_short_ones_and_users_do_not_count() -> None:
    assert candidates("CL201", *near_miss()) == []


def test_an_earlier_answer_counts_from_the_later_one_on() -> None:
    before, now = words("state before", 100), words("state after", 100)
    session = Session("again").user("go")
    session.use("git_status", {"short": True}, before)
    session.use("look_up", {"what": "x"}, words("x", 20))
    session.use("git_status", {"short": True}, now)
    session.ask("one")
    session.user("more").ask("two")
    (found,) = candidates("CL201", session)
    assert found.group == ("git_status", "dup_call")
    # Requests 3 and 4 hold both; requests 1 and 2 needed the first.
    assert found.tokens == 2 * tokens_of(before)
    assert list(found.requests) == [3, 4]
    # Nothing is computed anew here, so clearing costs more than it saves, and nothing is advised.
    assert found.plan is None
    assert found.verdict is Verdict.LEGITIMATE
    assert found.break_even is not None
    assert found.break_even.startswith("does not pay")


def test_of_an_answer_given_again_unchanged_only_the_copy_counts() -> None:
    session = Session("same").user("go")
    session.use("git_status", {"short": True}, _LIST)
    session.use("git_status", {"short": True}, _LIST)
    session.ask("done")
    (found,) = candidates("CL201", session)
    assert found.group[1] == "dup_exact"
    assert found.tokens == tokens_of(_LIST)


def test_one_finding_per_tool_and_kind_whatever_the_number_of_files_and_sessions() -> None:
    sessions = []
    for number in range(2):
        session = Session(f"s{number}", start=1_800_000_000.0 + 1000 * number).user(f"task {number}")
        for path in ("a.py", "b.py", "c.py"):
            session.use("describe", {"of": path}, words(f"{number} {path}", 100))
            session.use("describe", {"of": path}, words(f"{number} {path}", 100))
        session.use("list_names", {"of": "."}, words(f"list {number}", 100))
        session.use("list_names", {"of": "."}, words(f"list {number}", 100))
        session.ask("done")
        sessions.append(session)
    found = candidates("CL201", *sessions)
    assert sorted(one.group for one in found) == [("describe", "dup_exact"), ("list_names", "dup_exact")]
    assert [one.details["copies"] for one in found if one.group[0] == "describe"] == [6]


def test_copies_are_counted_once_where_history_is_written_anew() -> None:
    session = Session("moved", system="day one").user("go")
    session.use("describe", {"of": "a.py"}, _FILE)
    session.use("describe", {"of": "a.py"}, _FILE)
    session.ask("one")
    session.messages[0]["content"] = "day two"
    session.user("more").ask("two")
    (found,) = candidates("CL201", session)
    assert found.details["copies"] == 1
    assert found.tokens == 2 * tokens_of(_FILE)
    # The second time its prefix had changed, so an unlimited cache holds it twice.
    assert found.details["tokens held"] == 2 * tokens_of(_FILE)


def test_no_text_of_the_trace_shows_but_in_the_excerpt() -> None:
    (found,) = candidates("CL201", *fires())
    shown = f"{found.title}{found.group}{dict(found.details)}{found.fix}{found.break_even}"
    assert _FILE.split()[5] not in shown
    assert found.excerpt is not None
    assert found.excerpt.now is not None
    assert _FILE.startswith(found.excerpt.now.rstrip("…"))


def test_files_read_again_are_another_finding() -> None:
    session = Session("file").user("go")
    session.use("read_file", {"path": "a.py"}, _FILE)
    session.use("read_file", {"path": "a.py"}, _FILE)
    session.ask("done")
    assert candidates("CL201", session) == []
    (found,) = candidates("CL202", session)
    assert found.tokens == tokens_of(_FILE)


def test_a_file_much_like_another_one_is_no_copy() -> None:
    lines = _FILE.splitlines()
    other = "\n".join([*lines[:-1], "and another last line"])
    session = Session("alike").user("go")
    session.use("read_file", {"path": "a.py"}, _FILE)
    session.use("read_file", {"path": "b.py"}, other)
    session.ask("done")
    assert "echo" in {LABELS[code] for code in case_of(session).content.labels.label.tolist()}
    assert candidates("CL201", session) == []
