"""CL110: descriptions of the environment that change early in the prompt."""

from __future__ import annotations

import pytest

from cachelens.advise.edit_rule import View
from cachelens.advise.rules.environment import environment_of
from tests.advise.rules.figures import saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, words

ENV = "<env>\nWorking directory: {}\nIs directory a git repo: Yes\nPlatform: linux\nToday's date: {}\n</env>"
TREE = "Here is the folder structure of the project:\n\nproject/\n├───app.py\n{}└───tests/"
GIT = (
    "gitStatus: This is the git status at the start of the conversation.\nCurrent branch: main\n\nStatus:\n"
    " M src/app.py\n{}\nRecent commits:\n{}0123abc Begin\n"
)


def described(before: str, now: str, name: str = "env", kind: str = "system") -> Session:
    """Two requests with another description in front of the same history."""
    session = Session(name, words("rules", 40) + ("\n" + before if kind == "system" else ""))
    if kind == "user":
        session.user(before)
    session.user(words("task", 90)).use("look", {}, words("out", 60))
    if kind == "system":
        session.messages[0]["content"] = words("rules", 40) + "\n" + now
    else:
        session.messages[1]["content"] = now
    session.ask()
    return session


def fires() -> list[Session]:
    return [
        described(TREE.format(""), TREE.format("├───.pytest_cache/\n│   └───v/...\n"), "tree", "user"),
        described(ENV.format("/work/a", "2026-03-01"), ENV.format("/work/b", "2026-03-02"), "cwd"),
        described(GIT.format("", ""), GIT.format("?? notes.txt\n", "4567def Go on\n"), "git"),
    ]


def near_miss() -> list[Session]:
    tail = Session("tail", words("rules", 80)).user(words("task", 60))
    tail.ask("fine")
    tail.user(words("more", 60) + "\n" + TREE.format(""))
    tail.ask("fine " + words("reply", 60))
    tail.messages[3]["content"] = words("more", 60) + "\n" + TREE.format("├───new.py\n")
    tail.ask()
    return [
        described("Be kind to all.", "Be kind to everyone.", "prose"),
        described(ENV.format("/a", "x") + "\nBe kind.", ENV.format("/b", "x") + "\nBe fair.", "mixed"),
        described(ENV.format("/a", "2026-03-01"), ENV.format("/a", "2026-03-02"), "date"),
        tail,
    ]


def test_a_directory_tree() -> None:
    case = case_of(fires()[0])
    (found,) = candidates("CL110", fires()[0])
    assert found.title == "the directory tree in a user message changes in 1 request"
    assert found.group == ("user", "directory tree")
    assert list(found.requests) == [1]
    assert found.tokens == pytest.approx(sent_again(case, 1), abs=12)
    assert found.tokens > 150
    assert saving(case, found).computed_tokens == found.tokens
    assert not found.changes_input
    assert found.place is not None
    assert case.trace.segments.location(found.place.row) == "messages[1].content"


def test_working_directory_and_git_status() -> None:
    (found,) = candidates("CL110", fires()[1])
    assert found.group == ("system", "working directory")
    (found,) = candidates("CL110", fires()[2])
    assert found.group == ("system", "git status")
    assert found.title == "the git status in the system prompt changes in 1 request"


def test_a_block_that_is_slipped_in() -> None:
    session = Session("block", words("rules", 40)).user(words("task", 80)).use("look", {}, words("out", 60))
    session.messages.insert(1, {"role": "user", "content": ENV.format("/work", "2026-03-01")})
    session.ask()
    (found,) = candidates("CL110", session)
    assert found.group == ("user", "environment block")
    assert found.tokens == pytest.approx(sent_again(case_of(session), 1), abs=12)


@pytest.mark.parametrize("number", range(4))
def test_near_miss(number: int) -> None:
    assert candidates("CL110", near_miss()[number]) == []


def test_the_last_message_is_not_early() -> None:
    case = case_of(near_miss()[3])
    (edit,) = case.past.edits
    assert environment_of(View(case, edit).before, View(case, edit).now) == "directory tree"
    assert edit.after_tokens > 60


def test_a_date_alone_is_volatile() -> None:
    assert len(candidates("CL101", near_miss()[2])) == 1


PATHS = "a.py\nb.py\nc.py\nd/e.py\nf.py"
MAP = "Here are summaries of some files present in my git repository.\nsrc/a.py:\n⋮\n│class A\n"
ENVIRONMENTS = [
    (TREE.format(""), TREE.format("├───b.py\n"), "directory tree"),
    ("# Directory structure\nsrc/\n  app.py\n", "# Directory structure\nsrc/\n  app.py\n  new.py\n", "directory tree"),
    (GIT.format("", ""), GIT.format("?? b.txt\n", ""), "git status"),
    (GIT.format("", ""), GIT.format("", "4567def Go on\n"), "git status"),
    ("On branch main\nRules", "On branch topic\nRules", "git status"),
    ("<git_status>\n M a.py\n</git_status>", "<git_status>\n M b.py\n</git_status>", "git status"),
    ("<env>\n  <shell>bash</shell>\n</env>", "<env>\n  <shell>zsh</shell>\n</env>", "environment block"),
    ("<system_info>\nNet: on\n</system_info>", "<system_info>\n</system_info>", "environment block"),
    ("<cwd>/a</cwd>", "<cwd>/b</cwd>", "working directory"),
    ("I'm currently working in the directory: /a", "I'm currently working in the directory: /b", "working directory"),
    ("# Open files\nsrc/a.py\n", "# Open files\nsrc/b.py\n", "open files"),
    ("<open_files>\nsrc/a.py\n</open_files>", "<open_files>\n</open_files>", "open files"),
    (PATHS, PATHS + "\ng.py", "file list"),
    ("<files>\na.py\n</files>", "<files>\na.py\nb.py\n</files>", "file list"),
    (MAP, MAP.replace("class A", "class B"), "repository map"),
    ("My operating system is: linux", "My operating system is: darwin", "platform"),
    ("", ENV.format("/a", "x"), "environment block"),
    ("Today is March 3, 2026.\nPlatform: linux", "Today is March 4, 2026.\nPlatform: darwin", "platform"),
    ("March 3, 2026\nand so\n├── a", "March 4, 2026\nand so\n├── a\n├── b", "directory tree"),
]  # fmt: skip
OTHERS = [
    ("prose here", "prose there"),
    ("<env>\nx\n</env>\nThe rule", "<env>\nx\n</env>\nA rule"),
    ("Use the <env> block.\nfoo", "Use the <env> block.\nbar"),
    ("<files>\ncontent of it\n</files>", "<files>\nother content\n</files>"),
    ("Today: 2026-03-01", "Today: 2026-03-02"),
    ("Project structure matters to us", "Project structure is the key"),
    ("Read a.py", "Read b.py"),
    ("a.py\nb.py", "a.py\nc.py"),
    ("", "Hello"),
    ("", ENV.format("/a", "x") + "\nHello"),
    ("Working directory: /a\nBe nice", "Working directory: /b\nBe kind"),
    ("same", "same"),
]


@pytest.mark.parametrize(("before", "now", "kind"), ENVIRONMENTS)
def test_environment(before: str, now: str, kind: str) -> None:
    assert environment_of(before, now) == kind
    assert environment_of(now, before) == kind
    if before:
        around = "rules first\n\n{}\n\nrules last"
        assert environment_of(around.format(before), around.format(now)) == kind


@pytest.mark.parametrize(("before", "now"), OTHERS)
def test_no_environment(before: str, now: str) -> None:
    assert environment_of(before, now) is None
    assert environment_of(now, before) is None
