"""CL202 reread-file."""

from __future__ import annotations

from tests.advise.rules.outputs import STUB_TOKENS, saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_FILE = words("the file", 150)


def fires() -> list[Session]:
    """A file read at three steps without a change."""
    session = Session("again").user("explain app.py")
    for number in range(3):
        session.use("read_file", {"path": "app.py"}, _FILE)
        session.use("look_up", {"what": f"x{number}"}, words(f"x{number}", 30))
    session.ask("done")
    return [session]


def near_miss() -> list[Session]:
    """A file read once, another one read after its first read failed, and a tool that reads no file twice."""
    session = Session("once").user("explain app.py")
    session.use("read_file", {"path": "app.py"}, _FILE)
    session.use("read_file", {"path": "b.py"}, "Error: no such file")
    session.use("read_file", {"path": "b.py"}, words("b", 100))
    session.use("look_up", {"what": "x"}, words("x", 80))
    session.use("look_up", {"what": "x"}, words("x", 80))
    session.ask("done")
    return [session]


def test_a_file_read_three_times_is_one_finding() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL202", *fires())
    size = tokens_of(_FILE)
    # Copies of requests 3 to 6 and 5 to 6.
    assert found.tokens == size * (4 + 2)
    assert found.group == ("files",)
    assert "app.py is read 3 times" in found.title
    assert found.details["reads"] == 3
    assert found.details["lines"] == "all"
    assert found.details["repeated outputs"] == 2
    saved = saving(case, found)
    assert saved.prompt_tokens == (size - STUB_TOKENS) * 6
    assert saved.computed_tokens == (size - STUB_TOKENS) * 2
    # The same tokens belong to one finding.
    assert candidates("CL201", *fires()) == []
    assert candidates("CL301", *fires()) == []


def test_first_reads_failed_reads_and_other_tools_do_not_count() -> None:
    assert candidates("CL202", *near_miss()) == []


def test_a_file_read_by_two_sessions_is_no_reread() -> None:
    sessions = [
        Session(f"s{n}", start=1_800_000_000.0 + 1000 * n)
        .user(f"task {n}")
        .use("read_file", {"path": "app.py"}, _FILE)
        for n in range(2)
    ]
    for session in sessions:
        session.ask("done")
    assert candidates("CL202", *sessions) == []


def test_what_changed_between_reads_is_the_earlier_one() -> None:
    before, now = words("old text", 150), words("new text", 150)
    session = Session("changed").user("go")
    session.use("read_file", {"path": "app.py"}, before)
    session.use("read_file", {"path": "app.py"}, now)
    session.ask("done")
    case = case_of(session)
    (found,) = candidates("CL202", session)
    assert found.tokens == tokens_of(before)
    assert found.details["repeated outputs"] == 0
    assert found.place is not None
    assert case.text(found.place.row) == before
    assert case.text(found.place.before_row) == now


def test_lines_that_a_later_range_shows_again_count_and_others_do_not() -> None:
    lines = [f"{number}\t{words(f'line {number}', 8)}" for number in range(1, 61)]
    session = Session("ranges").user("go")
    session.use("read_file", {"path": "app.py", "start_line": 1, "end_line": 40}, "\n".join(lines[:40]))
    session.use("read_file", {"path": "app.py", "start_line": 21, "end_line": 60}, "\n".join(lines[20:]))
    session.ask("done")
    found = candidates("CL202", session)
    assert len(found) == 1
    again = tokens_of("\n".join(lines[20:40]))
    assert abs(found[0].tokens - again) <= 2
    assert found[0].details["lines"] == "1-40, 21-60"


def test_a_copy_of_another_file_is_no_reread() -> None:
    session = Session("alike").user("go")
    session.use("read_file", {"path": "a.py"}, _FILE)
    session.use("read_file", {"path": "b.py"}, _FILE)
    session.use("read_file", {"path": "b.py"}, words("b has changed", 100))
    session.ask("done")
    assert candidates("CL202", session) == []
    (found,) = candidates("CL201", session)
    assert found.tokens == 2 * tokens_of(_FILE)


def test_many_small_files_share_one_finding() -> None:
    session = Session("many").user("go")
    names = [f"f{number}.py" for number in range(30)]
    for _ in range(2):
        for name in names:
            session.use(
                "read_file", {"path": name}, words(name, 60), text=f"seen {words(name, 60).split()[2]}"
            )
    session.ask("done")
    found = candidates("CL202", session)
    assert [one.group for one in found] == [("files",)]
    assert found[0].details["files"] == 30
    assert found[0].title.startswith("30 files are read again")
    case = case_of(session)
    assert found[0].tokens == sum(
        tokens_of(words(name, 60)) * (len(case) - (30 + at) - 1) for at, name in enumerate(names)
    )
    assert str(found[0].details["worst"]).startswith("f0.py (")


def test_it_shows_the_file_of_its_title_though_one_read_of_another_carries_more() -> None:
    session = Session("shown").user("go")
    texts = {"a.py": words("a", 100), "b.py": words("b", 150)}
    for path in ("b.py", "b.py", "a.py", "a.py", "a.py", "a.py"):
        session.use("read_file", {"path": path}, texts[path])
    session.steps(3)
    case = case_of(session)
    (found,) = candidates("CL202", session)
    assert "most of all a.py" in found.title
    assert found.place is not None
    assert found.place.request == 4
    assert case.text(found.place.row) == texts["a.py"]


def test_the_place_is_where_it_is_seen_first_though_later_rows_of_the_text_carry_more() -> None:
    session = Session("first", system="as of 0").user("go")
    for text in ("old", "new"):
        session.use("read_file", {"path": "app.py"}, words(text, 100))
    session.ask("one")
    session.user("more").messages[0]["content"] = "as of 1"
    session.steps(6)
    (found,) = candidates("CL202", session)
    assert found.place is not None
    assert found.place.request == 2


def test_identifiers_count_once_when_a_change_in_front_sends_a_text_again() -> None:
    def session(*changes: int) -> Session:
        made = Session("once", system="as of 0").user("explain app.py")
        for step in range(2):
            made.use("read_file", {"path": "app.py"}, _FILE)
            made.use("look_up", {"what": f"x{step}"}, words(f"x{step}", 30), text=_FILE.split()[-1])
        for step in range(6):
            if step in changes:
                made.messages[0]["content"] = f"as of {step}"
            made.ask(f"done {step}")
            made.user(f"more {step}")
        return made

    plain, broken = (candidates("CL202", one)[0].details for one in (session(), session(1, 3)))
    assert plain["rare identifiers"] == broken["rare identifiers"] != 0
    assert plain["of those used later"] == broken["of those used later"] != 0
