"""Planted waste comes back as exactly what was planted, and near misses do not."""

from __future__ import annotations

import pytest

from cachelens.attribute.content import LabelOptions

from .sessions import Session, lines, numbered

LONG = "The quick brown fox jumps over the lazy dog, and then it does so once more, for good measure."


def begun() -> Session:
    session = Session()
    session.system("Be brief.")
    session.user("Go.")
    return session


# -- dup_exact


def test_a_second_copy_is_a_duplicate_of_the_first_whatever_frame_it_stands_in() -> None:
    session = begun()
    first = session.add("user", LONG, framed=True)
    second = session.add("tool_result", LONG, call_id="x", framed=False)
    assert session.labels() == [(second, "dup_exact", LONG, second, first)]


def test_framing_does_not_make_a_text_long_enough() -> None:
    for size, found in ((63, 0), (64, 1)):
        session = begun()
        session.user("x" * size)
        session.user("x" * size)
        assert len(session.labels()) == found


def test_what_the_assistant_said_twice_is_no_duplicate_nor_are_tools() -> None:
    session = begun()
    for kind in ("assistant", "thinking", "tools", "tool_call"):
        session.add(kind, LONG)
        session.add(kind, LONG)
    assert session.labels() == []


def test_pictures_are_not_compared() -> None:
    session = begun()
    session.add("image", None)
    session.add("image", None)
    assert session.labels() == []


def test_a_copy_on_another_branch_is_none() -> None:
    session = begun()
    fork = session.at
    session.user(LONG)
    session.request("one")
    session.at = fork
    session.user("Otherwise.")
    session.user(LONG)
    session.request("two")
    assert session.labels() == []


def test_without_text_only_equal_ids_count() -> None:
    session = begun()
    session.step("read", LONG, path="a.py")
    again = session.step("read", LONG, path="a.py")
    labels = session.facts(known=False).labels
    assert labels.row.tolist() == [again]
    assert session.facts(known=False).density == {}


# -- dup_call


def test_the_earlier_result_of_the_same_call_is_superfluous_from_the_later_one_on() -> None:
    session = begun()
    first = session.step("grep", "three hits", pattern="a", path="src")
    later = session.step("grep", "four hits", path="src", pattern="a")
    assert session.labels() == [(first, "dup_call", "three hits", later, later)]


@pytest.mark.parametrize("other", [{"pattern": "b"}, {"pattern": "a", "path": "lib"}, {}])
def test_other_arguments_are_another_call(other: dict[str, object]) -> None:
    session = begun()
    session.step("grep", "three hits", pattern="a")
    session.step("grep", "four hits", **other)
    assert session.labels() == []


def test_an_unanswered_call_supersedes_nothing() -> None:
    session = begun()
    session.step("grep", "three hits", pattern="a")
    session.assistant()
    session.call("grep", pattern="a")
    assert session.labels() == []


@pytest.mark.parametrize("tool", ["write_stdin", "task", "BashOutput", "mcp__shell__wait"])
def test_tools_that_answer_the_next_piece_are_not_repeated(tool: str) -> None:
    session = begun()
    session.step(tool, "first piece", id=1)
    session.step(tool, "second piece", id=1)
    assert session.labels() == []


def test_unknown_tools_are_repeated_only_with_arguments() -> None:
    session = begun()
    session.step("next_page", "page one")
    session.step("next_page", "page two")
    first = session.step("lookup", "old", term="x")
    later = session.step("lookup", "new", term="x")
    assert session.labels() == [(first, "dup_call", "old", later, later)]


def test_a_description_makes_no_other_command() -> None:
    session = begun()
    first = session.step("run_shell_command", "one", command="ls", description="Look")
    later = session.step("run_shell_command", "two", command="ls", description="Look again")
    assert session.labels() == [(first, "dup_call", "one", later, later)]


def test_the_same_command_in_another_folder_is_another_command() -> None:
    session = begun()
    session.step("bash", "one", command="ls")
    session.step("bash", "", command="cd src")
    session.step("bash", "two", command="ls")
    session.step("bash", "three", command="cd /elsewhere && ls")
    assert session.labels() == []


def test_of_two_equal_answers_the_copy_is_superfluous_and_of_three_versions_the_last_stays() -> None:
    session = begun()
    first = session.step("grep", LONG, pattern="a")
    copy = session.step("grep", LONG, pattern="a")
    assert session.labels() == [(copy, "dup_exact", LONG, copy, first)]
    changed = session.step("grep", LONG + "!", pattern="a")
    assert session.labels() == [
        (copy, "dup_exact", LONG, copy, first),
        (first, "dup_call", LONG, changed, changed),
        (copy, "dup_call", LONG, changed, changed),
    ]


def test_a_text_that_was_superseded_and_comes_back_is_no_duplicate() -> None:
    session = begun()
    first = session.step("grep", LONG, pattern="a")
    changed = session.step("grep", LONG + "!", pattern="a")
    back = session.step("grep", LONG, pattern="a")
    assert session.labels() == [
        (first, "dup_call", LONG, changed, changed),
        (changed, "dup_call", LONG + "!", back, back),
    ]


def test_each_part_of_a_result_is_superseded() -> None:
    session = begun()
    session.assistant()
    session.call("grep", pattern="a")
    parts = [session.result("one"), session.result("two")]
    later = session.step("grep", "three", pattern="a")
    assert session.labels() == [
        (part, "dup_call", text, later, later) for part, text in zip(parts, ("one", "two"), strict=True)
    ]


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


# -- failed_rerun


@pytest.mark.parametrize(
    "answer",
    [
        '{"returncode": 1, "output": "no"}',
        "<returncode>2</returncode>\n<output>no</output>",
        "Chunk ID: 1\nProcess exited with code 1\nOutput:\nno",
        "no\n\nCommand exited with code 1",
        "no\n[exit code 1]",
        "Exit code 1\nno",
        "no\nExit Code: 127\nSignal: 0",
        "[Command failed with exit code 1]",
        '[{"query": "x", "result": "no", "success": false}]',
        "F.\nFAILED tests/test_a.py::test_b - assert 1 == 2",
        "Ran 3 tests in 0.1s\n\nFAILED (failures=1)",
        'Traceback (most recent call last):\n  File "a.py"\nValueError: no',
        "bash: line 1: foo: command not found",
    ],
)
def test_a_failed_command_is_superfluous_once_it_ran_again(answer: str) -> None:
    session = begun()
    first = session.step("bash", answer, command="make")
    later = session.step("bash", "fine", command="make")
    assert session.labels("failed_rerun") == [
        (first - 1, "failed_rerun", 'bash\n{"command": "make"}', later, later),
        (first, "failed_rerun", answer, later, later),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "fine\n[exit code 0]",
        '{"returncode": 0, "output": "exit code: 1 was seen before"}',
        "In the log:\nTraceback (most recent call last):\nValueError: no\n3 passed",
        "0 failed, 3 passed in 0.1s and counting",
        "error: this is only a warning",
    ],
)
def test_what_is_no_certain_failure_is_none(answer: str) -> None:
    session = begun()
    session.step("bash", answer, command="make")
    session.step("bash", "fine", command="make")
    assert session.labels("failed_rerun") == []


def test_another_command_is_no_rerun() -> None:
    session = begun()
    session.step("bash", "no\n[exit code 1]", command="make")
    session.step("bash", "fine\n[exit code 0]", command="make test")
    assert session.labels() == []


# -- echo

CODE = "def alpha(beta):\n    gamma = beta + 1\n    return [gamma, beta]\n\n\nprint(alpha(41))\n"


def test_a_write_that_sends_back_what_was_written_is_an_echo_despite_its_escapes() -> None:
    session = begun()
    back = session.step("write", "File created:\n" + CODE, path="a.py", content=CODE)
    assert session.labels() == [(back, "echo", "File created:\n" + CODE, back, back - 1)]


def test_a_result_that_mostly_stands_earlier_is_an_echo_of_where_it_stands() -> None:
    session = begun()
    session.user("Something else entirely, and long enough to be compared with the rest of it.")
    first = session.step("list_files", lines(1, 30), path=".")
    echo = session.step("list_files", lines(5, 20), path="src")
    session.step("list_files", lines(90, 99), path="lib")
    assert session.labels() == [(echo, "echo", lines(5, 20), echo, first)]


def test_the_share_decides() -> None:
    for novel, found in ((15, 1), (40, 0)):
        session = begun()
        session.user("abcdefghijklmnopqrstuvwxyz0123456789" * 4)
        text = ("abcdefghijklmnopqrstuvwxyz0123456789" * 4)[:120] + "".join(
            chr(500 + at) for at in range(novel)
        )
        session.step("fetch", text, url="x")
        assert len(session.labels("echo")) == found


def test_short_results_and_texts_of_others_are_no_echoes() -> None:
    session = begun()
    session.user(CODE)
    session.step("cat", CODE[:60], path="x")
    session.user(CODE[:-2])
    assert session.labels("echo") == []


def test_what_takes_the_place_of_the_earlier_text_is_no_echo_of_it() -> None:
    session = begun()
    first = session.step("read", lines(1, 30), path="a.py")
    later = session.step("read", lines(1, 29) + "changed\n", path="a.py")
    assert {(row, label, since) for row, label, _, since, _ in session.labels()} == {
        (first, "dup_call", later),
        (first, "superseded_read", later),
    }
    copy = session.step("fetch", "> " + lines(1, 29), url="a.py")
    assert [(row, cause) for row, _, _, _, cause in session.labels("echo")] == [(copy, later)]


def test_shingles_that_reach_into_superseded_lines_do_not_stand_earlier() -> None:
    """Of 64 characters 8 are cut out in the middle: with them go the 7 shingles that begin before."""
    alphabet = "".join(chr(0x400 + at) for at in range(400))
    kept, gone, rest = alphabet[:25], alphabet[25:33], alphabet[33:100]
    for edited, found in ((False, 1), (True, 0)):
        session = begun()
        session.step("read", f"1\t{kept}\n2\t{gone}\n3\t{rest}", path="a.py")
        if edited:
            session.step("edit", "ok", path="a.py", edits=[{"oldText": gone, "newText": "x"}])
        # 57 shingles of 64 characters; without line 2, of lines 1 and 3 remain too few.
        text = f"\t{kept}\n2\t{gone}\n3\t{rest[:24]}"
        assert len(text) == 64
        session.step("fetch", text, url="x")
        assert len(session.labels("echo", options=LabelOptions(echo_share=0.7))) == found


def test_an_echo_on_a_branch_is_compared_with_its_own_branch() -> None:
    session = begun()
    fork = session.at
    session.step("fetch", CODE + "!", url="one")
    session.request("one")
    session.at = fork
    session.step("fetch", CODE + "?", url="two")
    session.request("two")
    assert session.labels() == []


# -- unreferenced


def log(word: str) -> str:
    return f"saw {word}_alpha, {word}_beta and {word}_gamma of 77{len(word)}31 in out/{word[:3]}.log, so all is well"


def grown(session: Session, steps: int, say: str = "Next.") -> None:
    for _ in range(steps):
        session.step("ping", "pong", say=f"{say} {session.at}", n=session.at)


def test_an_output_that_nothing_names_is_unreferenced_after_ten_steps() -> None:
    session = begun()
    output = session.step("check", log("falcon"), what="a")
    grown(session, 10)
    assert session.labels() == []
    since = session.assistant("An eleventh step.")
    assert session.labels() == [(output, "unreferenced", log("falcon"), since, -1)]
    assert session.facts().density == {output: (0, 5)}


@pytest.mark.parametrize("word", ["falcon_beta", "77631", "out/fal.log", "It was falcon_gamma: yes"])
def test_naming_any_rare_identifier_keeps_it(word: str) -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 3)
    session.assistant(word)
    grown(session, 12)
    assert session.labels() == []
    assert next(iter(session.facts().density.values()))[0] >= 1


def test_arguments_name_it_too_behind_their_escapes() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.step("note", "ok", about="see\nfalcon_beta\n")
    grown(session, 12)
    assert session.labels() == []


@pytest.mark.parametrize(
    "word", ["falcon", "falcon_bet", "7763", "falcon_betas", "FALCON_BETA", "Falcon_beta"]
)
def test_near_misses_do_not_name_it(word: str) -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.assistant(word)
    grown(session, 12)
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_what_was_written_before_the_output_or_by_the_user_does_not_count() -> None:
    session = begun()
    session.assistant("Looking for falcon_beta.")
    session.step("check", log("falcon"), what="a")
    session.user("What of falcon_beta?")
    grown(session, 12)
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_the_name_of_the_file_that_was_read_counts_however_common_it_is() -> None:
    session = begun()
    for number in range(4):
        session.user(f"{number}: see common.py")
    session.step("read", log("falcon"), path="src/common.py")
    session.assistant("So common.py is done.")
    grown(session, 12)
    assert session.labels() == []


def test_outputs_without_rare_identifiers_are_not_judged() -> None:
    session = begun()
    for number in range(3):
        session.user(f"{number} {log('falcon')}")
    session.step("check", "So I " + log("falcon"), what="a")
    grown(session, 12)
    assert session.labels("unreferenced") == []
    assert session.facts().density == {}


def test_what_is_used_does_not_become_common_by_being_used() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    for number in range(6):
        session.step(
            "show",
            f"{number}: falcon_beta is there, with all that belongs to it",
            say="falcon_beta",
            n=number,
        )
    grown(session, 12)
    assert session.labels("unreferenced") == []


def test_the_last_reply_counts_and_so_does_history_that_was_rewritten() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    assert session.labels() != []
    session.request(generated=["It was falcon_beta."])
    assert session.labels() == []
    # The output is dropped from the history; afterwards the assistant names it.
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    session.at = 1
    session.user("Summary: all is well.")
    session.assistant("It was falcon_beta.")
    session.request()
    assert session.labels() == []


def test_an_output_that_was_named_stays_so_when_the_history_is_written_anew_without_that() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.assistant("It was falcon_beta.")
    session.request()
    session.at = -1
    session.system("Be brief!")
    session.user("Go.")
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    assert session.labels() == []


def test_another_lineage_does_not_use_what_it_cannot_see() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request("main")
    session.at = 0
    session.user("You are another agent.")
    session.assistant("falcon_beta")
    session.request("other")
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_history_sent_again_in_other_rows_is_not_said_again() -> None:
    session = begun()
    session.assistant("falcon_beta")
    session.step("check", log("falcon"), what="a")
    session.request()
    session.at = -1
    session.system("Be brief!")
    session.user("Go.")
    session.assistant("falcon_beta")
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    found = session.labels()
    assert [label for _, label, *_ in found] == ["unreferenced"]
    # Saying it again after the output is another matter.
    session.assistant("falcon_beta")
    session.request()
    assert session.labels() == []


def test_thresholds_are_options() -> None:
    session = begun()
    output = session.step("check", log("falcon"), what="a")
    grown(session, 3)
    found = session.labels(options=LabelOptions(unreferenced_steps=2, min_unreferenced_tokens=10))
    assert [(row, label) for row, label, *_ in found] == [(output, "unreferenced")]
    for options in (
        LabelOptions(unreferenced_steps=2, min_rare_identifiers=6),
        LabelOptions(unreferenced_steps=2, min_unreferenced_tokens=500),
        LabelOptions(unreferenced_steps=3),
    ):
        assert session.labels(options=options) == []
    with pytest.raises(ValueError, match="shingles"):
        LabelOptions(shingle=0)
