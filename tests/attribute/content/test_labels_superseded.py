"""Reads and writes of a file are superseded line by line, by what shows or changes the same lines and nothing else."""

from __future__ import annotations

import pytest

from .sessions import begun, lines, numbered

# -- superseded_read


def test_a_read_of_the_whole_file_supersedes_an_earlier_one_by_another_tool_argument() -> None:
    session = begun()
    first = session.step("read", lines(1, 9), file_path="/w/a.py")
    later = session.step("read_file", lines(1, 9, "row"), path="/w/./a.py")
    assert session.labels("superseded_read") == [(first, "superseded_read", lines(1, 9), later, later)]


@pytest.mark.parametrize("path", ["/w/b.py", "w/a.py", "a.py", "/w/a.py.bak"])
def test_another_path_is_another_file(path: str) -> None:
    session = begun()
    session.step("read", lines(1, 9), file_path="/w/a.py")
    session.step("read", lines(1, 9, "row"), file_path=path)
    assert session.labels("superseded_read") == []


def test_only_the_lines_that_are_read_again_are_superseded() -> None:
    session = begun()
    first = session.step("read", numbered(1, 30), file_path="a.py")
    later = session.step("read", numbered(10, 12), file_path="a.py", offset=10, limit=3)
    expected = numbered(10, 12) + "\n"
    assert session.labels("superseded_read") == [(first, "superseded_read", expected, later, later)]


def test_lines_without_numbers_are_counted() -> None:
    session = begun()
    first = session.step("bash", lines(1, 30), command="cat a.py")
    later = session.step("bash", lines(10, 12), command="sed -n '10,12p' a.py")
    assert session.labels("superseded_read") == [(first, "superseded_read", lines(10, 12), later, later)]


def test_lines_inside_json_are_found_behind_their_escapes() -> None:
    text = '{"returncode": 0, "output": "one \\"1\\"\\ntwo \\\\n\\nthree\\nfour\\n"}'
    session = begun()
    first = session.step("bash", text, command="cat a.py")
    later = session.step("bash", "two \\n\nthree\n", command="sed -n '2,3p' a.py")
    assert session.labels("superseded_read") == [
        (first, "superseded_read", "two \\\\n\\nthree\\n", later, later)
    ]


def test_a_part_that_reads_differently_shows_that_the_numbers_moved() -> None:
    session = begun()
    session.step("bash", lines(1, 30), command="cat a.py")
    session.step("bash", lines(40, 42), command="sed -n '10,12p' a.py")
    assert session.labels("superseded_read") == []


def test_every_line_is_superseded_once_by_the_first_that_shows_it_again() -> None:
    session = begun()
    first = session.step("read", numbered(1, 20), file_path="a.py")
    second = session.step("read", numbered(5, 10), file_path="a.py", offset=5, limit=6)
    third = session.step("read", numbered(8, 14), file_path="a.py", offset=8, limit=7)
    whole = session.step("read_file", numbered(1, 20) + " ", path="a.py")
    found = session.labels("superseded_read")
    assert [(row, text, since) for row, _, text, since, _ in found if row == first] == [
        (first, numbered(5, 10) + "\n", second),
        (first, numbered(11, 14) + "\n", third),
        (first, numbered(1, 4) + "\n", whole),
        (first, numbered(15, 20), whole),
    ]
    assert [(row, text, since) for row, _, text, since, _ in found if row == second] == [
        (second, numbered(8, 10), third),
        (second, numbered(5, 7) + "\n", whole),
    ]


def test_an_edit_supersedes_the_lines_that_it_changes() -> None:
    session = begun()
    first = session.step("read", numbered(1, 9), file_path="a.py")
    old, new = lines(4, 6), lines(4, 4) + "another\nand another\n" + lines(6, 6)
    edit = session.step("edit", "edited", file_path="a.py", old_string=old, new_string=new)
    found = session.labels("superseded_read")
    assert found == [(first, "superseded_read", numbered(5, 5) + "\n", edit, edit)]
    # Line 8 of the file is line 7 of the answer now.
    shown = "     8\t" + lines(7, 7).strip()
    part = session.step("read", shown, file_path="a.py", offset=8, limit=1)
    assert session.labels("superseded_read")[1:] == [
        (first, "superseded_read", numbered(7, 7) + "\n", part, part)
    ]


@pytest.mark.parametrize("kept", ["", lines(5, 5)])
def test_lines_that_an_edit_brought_in_were_not_in_the_earlier_answer(kept: str) -> None:
    session = begun()
    first = session.step("read", numbered(1, 9), file_path="a.py")
    new = f"{kept}one\ntwo\nthree\n"
    edit = session.step("edit", "edited", file_path="a.py", old_string=lines(5, 5), new_string=new)
    start = 7 if kept else 6
    rest = [f"{number + start - 4}\t{lines(number, number).strip()}" for number in (6, 7)]
    shown = "\n".join([f"{start}\ttwo", f"{start + 1}\tthree", *rest])
    part = session.step("read", shown, file_path="a.py", offset=start, limit=4)
    changed = [] if kept else [(first, "superseded_read", numbered(5, 5) + "\n", edit, edit)]
    again = (first, "superseded_read", numbered(6, 7) + "\n", part, part)
    assert session.labels("superseded_read") == [*changed, again]


@pytest.mark.parametrize(
    "old",
    [
        "not in the file",
        "line",  # in many places
    ],
)
def test_after_an_edit_whose_place_is_not_known_only_the_whole_file_counts(old: str) -> None:
    session = begun()
    first = session.step("read", numbered(1, 9), file_path="a.py")
    session.step("edit", "edited", file_path="a.py", old_string=old, new_string=old + "\n")
    session.step("edit", "edited", file_path="a.py", old_string="line 7 says", new_string="line 7 said")
    session.step("read", numbered(4, 6), file_path="a.py", offset=4, limit=3)
    assert session.labels("superseded_read") == []
    whole = session.step("read_file", numbered(1, 9) + " ", path="a.py")
    assert (first, "superseded_read", numbered(1, 9), whole, whole) in session.labels("superseded_read")


def test_replacing_everywhere_supersedes_every_place() -> None:
    session = begun()
    first = session.step("read", numbered(1, 3), file_path="a.py")
    edit = session.step(
        "edit", "ok", file_path="a.py", old_string="says", new_string="said", replace_all=True
    )
    assert session.labels("superseded_read") == [(first, "superseded_read", numbered(1, 3), edit, edit)]


def test_a_patch_supersedes_the_lines_that_it_takes_out() -> None:
    session = begun()
    first = session.step("shell", lines(1, 9), command=["bash", "-lc", "cat a.py"])
    removed = lines(5, 5).strip()
    patch = f"*** Begin Patch\n*** Update File: a.py\n@@\n {lines(4, 4).strip()}\n-{removed}\n+gone\n*** End Patch"
    session.assistant()
    session.add("tool_call", f"apply_patch\n{patch}", "apply_patch", "patch", framed=False)
    later = session.result("Done!", call_id="patch")
    assert session.labels() == [(first, "superseded_read", lines(5, 5), later, later)]


@pytest.mark.parametrize(
    "answer",
    [
        "Error: file not found",
        "<tool_use_error>File has not been read yet.</tool_use_error>",
        '{"error": "no such file"}',
        "File unchanged since last read. The content from the earlier result is still current.",
        "[Old tool result content cleared]",
        "cat: a.py: No such file or directory\n[exit code 1]",
    ],
)
@pytest.mark.parametrize(
    ("tool", "arguments"), [("read", {}), ("edit", {"old_string": "line 4", "new_string": "x"})]
)
def test_what_failed_supersedes_nothing(answer: str, tool: str, arguments: dict[str, str]) -> None:
    session = begun()
    session.step("read", numbered(1, 9), file_path="a.py")
    session.step(tool, answer, file_path="a.py", **arguments)
    assert session.labels() == []


def test_a_read_that_was_cut_off_supersedes_only_what_it_shows() -> None:
    session = begun()
    first = session.step("read", numbered(1, 30), file_path="a.py")
    shown = numbered(1, 3) + "\n(Showing lines 1-3 of 30. Use offset=4 to continue.)"
    later = session.step("read_file", shown, path="a.py")
    assert session.labels("superseded_read") == [
        (first, "superseded_read", numbered(1, 3) + "\n", later, later)
    ]


def test_unknown_arguments_may_leave_lines_out() -> None:
    session = begun()
    session.step("read_file", lines(1, 9), path="a.py")
    session.step("read_file", lines(1, 9, "row"), path="a.py", section="head")
    assert session.labels("superseded_read") == []


def test_several_files_in_one_answer_supersede_and_are_not_superseded() -> None:
    session = begun()
    first = session.step("bash", lines(1, 9), command="cat a.py")
    both = session.step("bash", lines(1, 9) + lines(1, 3, "row"), command="cat a.py b.py")
    session.step("bash", lines(1, 3, "new"), command="cat b.py")
    assert session.labels("superseded_read") == [(first, "superseded_read", lines(1, 9), both, both)]


def test_parts_of_several_files_in_one_answer_are_not_told_apart() -> None:
    session = begun()
    session.step("read", numbered(1, 9), file_path="a.py")
    files = [{"path": "a.py", "start_line": 2, "end_line": 4}, {"path": "b.py"}]
    session.step("read_files", numbered(2, 4), files=files)
    assert session.labels("superseded_read") == []


# -- superseded_write


def test_a_write_is_superseded_by_a_read_of_the_whole_file_or_another_write() -> None:
    for tool, arguments, answer in (
        ("read", {}, "alpha = 1\n"),
        ("write", {"content": "beta"}, "ok, again"),
        ("bash", {"command": "rm /w/a.py"}, ""),
    ):
        session = begun()
        written = session.step("write", "ok", file_path="/w/a.py", content="alpha = 1\n")
        call = written - 1
        if tool != "bash":
            arguments = {"file_path": "/w/a.py", **arguments}
        later = session.step(tool, answer, **arguments)
        text = 'write\n{"file_path": "/w/a.py", "content": "alpha = 1\\n"}'
        assert session.labels() == [
            (call, "superseded_write", text, later, later),
            (written, "superseded_write", "ok", later, later),
        ]


def test_a_read_of_a_part_and_an_edit_leave_a_write_alive() -> None:
    session = begun()
    session.step("write", "ok", file_path="a.py", content=lines(1, 9))
    session.step("edit", "edited", file_path="a.py", old_string="line 4", new_string="line four")
    session.step("read", numbered(2, 3), file_path="a.py", offset=2, limit=2)
    assert session.labels() == []


def test_a_write_supersedes_what_was_read() -> None:
    session = begun()
    first = session.step("read", numbered(1, 9), file_path="a.py")
    here = "cat > a.py <<'EOF'\nnothing\ncd nowhere\nEOF"
    session.step("bash", "", command=here)
    assert session.labels() == []  # a name under the shell's folder, which may be another one
    later = session.step("write", "ok", file_path="a.py", content="nothing")
    assert session.labels() == [(first, "superseded_read", numbered(1, 9), later, later)]
