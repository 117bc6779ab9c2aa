"""What is said or run again is labeled so: copies, calls, commands that failed, and echoes; near misses are not."""

from __future__ import annotations

import pytest

from cachelens.attribute.content import LabelOptions

from .sessions import begun, lines

LONG = "The quick brown fox jumps over the lazy dog, and then it does so once more, for good measure."


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
