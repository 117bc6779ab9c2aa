"""The table of known tools, and the user's own."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from cachelens.attribute.content import LabelOptions
from cachelens.attribute.content.accesses import Deed, deed
from cachelens.attribute.content.tools import ACTIONS, ToolEntry, entries_for, known_tools, read_tools
from cachelens.attribute.content.touch import Edit, Touch
from cachelens.errors import InputError, UsageError

from .sessions import Session, lines


def test_the_table_is_well_formed() -> None:
    assert len(known_tools()) > 30
    assert {entry.action for entry in known_tools()} <= set(ACTIONS)
    for entry in known_tools():
        assert entry.tool == entry.tool.lower()
        assert all(
            getattr(entry, field.name) == getattr(entry, field.name).strip() for field in fields(entry)
        )


def done(name: str, **arguments: object) -> Deed:
    return deed(name, arguments, ())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (done("Read", file_path="/w/a.py"), Touch("read", "/w/a.py")),
        (done("Read", file_path="/w/a.py", offset=10, limit=5), Touch("read", "/w/a.py", 10, 14)),
        (done("read", filePath="/w//a.py", offset=3), Touch("read", "/w/a.py", 3)),
        (done("read", path="./w/a.py"), Touch("read", "w/a.py")),
        (done("read_file", file_path="a.py", offset=10, limit=5), Touch("read", "a.py", 11, 15)),
        (done("read_file", file_path="a.py", start_line=2, end_line=7), Touch("read", "a.py", 2, 7)),
        (
            done("read_file", target_file="a.py", start_line_one_indexed=2, end_line_one_indexed_inclusive=3),
            Touch("read", "a.py", 2, 3),
        ),
        (done("read_file", path="a.py", pages="1-2"), Touch("read", "a.py", certain=False)),
        (done("read_file", path="a.py", limit="many"), Touch("read", "a.py", certain=False)),
        (done("read_files", files=[{"path": "a.py", "start_line": 4}]), Touch("read", "a.py", 4)),
        (
            done("str_replace_based_edit_tool", command="view", path="a.py", view_range=[3, -1]),
            Touch("read", "a.py", 3),
        ),
        (done("mcp__files__read_file", path="C:\\w\\a.py"), Touch("read", "C:/w/a.py")),
        (done("write_file", file_path="a.py", content="x"), Touch("write", "a.py")),
        (done("write_to_file", path="a.py", content="x"), Touch("write", "a.py")),
        (done("editor", path="a.py", new_text="x"), Touch("write", "a.py")),
        (
            done("editor", path="a.py", old_text="x", new_text="y"),
            Touch("edit", "a.py", edits=(Edit("x", "y"),)),
        ),
        (done("editor", path="a.py", insert_line=3, new_text="y"), Touch("edit", "a.py")),
        (
            done("Edit", file_path="a.py", old_string="x", new_string="y", replace_all=True),
            Touch("edit", "a.py", edits=(Edit("x", "y", True),)),
        ),
        (
            done("edit", path="a.py", edits=[{"oldText": "x", "newText": "y"}]),
            Touch("edit", "a.py", edits=(Edit("x", "y"),)),
        ),
        (
            done("MultiEdit", file_path="a.py", edits=[{"old_string": "x", "new_string": "y"}]),
            Touch("edit", "a.py", edits=(Edit("x", "y"),)),
        ),
        (done("edit_file", path="a.py", old_string="", new_string="y"), Touch("edit", "a.py")),
        (done("delete", file_path="a.py"), Touch("write", "a.py")),
        (done("bash", command="cat a.py"), Touch("read", "a.py")),
        (done("shell", command=["bash", "-lc", "sed -n 3,5p a.py"]), Touch("read", "a.py", 3, 5)),
        (done("run_commands", commands=["head -n 7 a.py"]), Touch("read", "a.py", 1, 7)),
        (
            done("apply_patch", input="*** Begin Patch\n*** Add File: b/../a.py\n+x\n*** End Patch"),
            Touch("write", "a.py"),
        ),
    ],
)
def test_what_calls_touch(found: Deed, expected: Touch) -> None:
    assert found.touches == (expected,)


@pytest.mark.parametrize(
    "found",
    [
        done("read", path=7),
        done("read", path="https://example.com/a.py"),
        done("read", path=""),
        done("write", content="no path"),
        done("read_files", files=[{"path": "a"}, {"name": "b"}]),
        done("run_commands", commands=["cat a.py", "cat b.py"]),
        done("bash", command=7),
        done("grep", pattern="x", path="a.py"),
        done("paint", path="a.py"),
    ],
)
def test_what_is_in_doubt_touches_nothing(found: Deed) -> None:
    assert found.touches == ()


def test_canonical_arguments_have_sorted_keys_and_no_descriptions() -> None:
    found = done("bash", description="Look", command="ls", timeout=3)
    assert found.arguments == '{"command":"ls","timeout":3}'


def test_a_server_is_no_part_of_a_tools_name() -> None:
    for name in ("mcp__fs__Read_File", "fs.read_file", "functions/read_file"):
        assert entries_for(name, ())[0].action == "read"


TOML = """
[[tool]]
name = ["peek", "look_at"]
action = "read"
path = ["file", "name"]
first_line = "from"
last_line = "to"

[[tool]]
name = "bash"
when = "!command"
action = "poll"
"""


def test_a_user_adds_tools(tmp_path: Path) -> None:
    path = tmp_path / "tools.toml"
    path.write_text(TOML)
    tools = read_tools(path)
    assert tools == (
        ToolEntry("peek|look_at", action="read", path="file|name", first_line="from", last_line="to"),
        ToolEntry("bash", when="!command", action="poll"),
    )
    session = Session()
    session.user("Go.")
    first = session.step("peek", lines(1, 9), file="/w/a.py")
    session.step("Look_At", lines(1, 9, "row"), name="/w/a.py")
    assert [
        row
        for row, label, *_ in session.labels(options=LabelOptions(tools=tools))
        if label == "superseded_read"
    ] == [first]
    assert session.labels("superseded_read") == []
    assert deed("bash", {"id": 3}, tools).action == "poll"
    assert deed("bash", {"command": "ls"}, tools).action == "run"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[[tool]]\nname = "x"\naction = "raed"', "tool 1: unknown action 'raed'", "did you mean 'read'?"),
        (
            '[[tool]]\nname = "x"\naction = "read"\npaht = "p"',
            "tool 1: unknown key 'paht'",
            "did you mean 'path'?",
        ),
        ('[[tool]]\nname = "x"', "`name` and `action` are both needed", "docs/labels.md"),
        ('[[tool]]\nname = "x"\naction = "read"\npath = 7', "`path` is neither", None),
        ('[[tool]]\nname = "x"\naction = "read"\npath = []', "`path` is neither", None),
        ("[tools]\nx = 1", "unknown key 'tools'", "[[tool]]"),
        ("tool = 3", "not a list of tables", "[[tool]]"),
        ("tool = [", "not TOML", "docs/labels.md"),
    ],
)
def test_mistakes_in_a_users_file_are_named(
    tmp_path: Path, text: str, message: str, hint: str | None
) -> None:
    path = tmp_path / "tools.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_tools(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


def test_a_users_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tools\.toml"):
        read_tools(tmp_path / "tools.toml")
