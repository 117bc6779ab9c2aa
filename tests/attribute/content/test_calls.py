"""Results find their calls: by id, by order, and out of text."""

from __future__ import annotations

import pytest

from cachelens.attribute.content.spelled import spelled_call

from .sessions import FRAME, Session, lines


def test_an_id_used_again_belongs_to_the_nearest_earlier_call() -> None:
    session = Session()
    first = session.call("read", call_id="1", path="a.py")
    one = session.result("one", call_id="1")
    second = session.call("read", call_id="1", path="b.py")
    two = session.result("two", call_id="1")
    calls = session.facts().calls
    assert calls.call_of == {one: first, two: second}
    assert calls.at[first].results == (one,)
    assert calls.of(two) is calls.of(second)
    assert {path: [call.row for call in found] for path, found in calls.reads.items()} == {
        "a.py": [first],
        "b.py": [second],
    }


def test_a_call_on_another_branch_is_not_answered_here() -> None:
    session = Session()
    start = session.user("Go.")
    session.call("read", call_id="1", path="a.py")
    session.request()
    session.at = start
    session.result("stray", call_id="1")
    session.request()
    assert session.facts().calls.call_of == {}


def test_one_call_answered_on_two_branches_has_both_results() -> None:
    session = Session()
    call = session.call("bash", call_id="1", command="make")
    one = session.result("no\n[exit code 1]", call_id="1")
    session.request()
    session.at = call
    two = session.result("fine", call_id="1")
    session.request()
    calls = session.facts().calls
    assert calls.at[call].results == (one, two)
    assert [found.row for found in calls.failed_commands] == [call]
    assert [calls.command_failed(row) for row in (one, two)] == [True, False]


def test_without_ids_results_go_to_calls_by_name_and_order() -> None:
    session = Session()
    reads = [session.call("read", call_id=None, path=path) for path in ("a.py", "b.py")]
    grep = session.call("grep", call_id=None, pattern="x")
    hits = session.result("hits", call_id=None, name="grep")
    texts = [session.result(text, call_id=None, name="read") for text in ("one", "two")]
    stray = session.result("three", call_id=None, name="read")
    assert session.facts().calls.call_of == {hits: grep, **dict(zip(texts, reads, strict=True))}
    assert session.facts().calls.of(stray) is None


def test_without_ids_the_parts_of_one_answer_belong_together() -> None:
    session = Session()
    read = session.call("read", call_id=None, path="a.py")
    field = "contents[].parts[0].functionResponse"
    parts = [
        session.add("tool_result", "text", name="read", place=f"{field}.response"),
        session.add("tool_result", "more", name="read", place=f"{field}.parts[0].text"),
    ]
    assert session.facts().calls.call_of == dict.fromkeys(parts, read)


SMOLAGENTS = """I look.
Calling tools:
[{'id': 'call_1', 'type': 'function', 'function': {'name': 'read_file', 'arguments': {'path': 'a.py'}}}]"""
FENCED = "I look.\n\n```bash\ncat a.py\n```\n"
XML = "I look.\n<read_file>\n<path>a.py</path>\n</read_file>"


@pytest.mark.parametrize(
    ("said", "answer", "start"),
    [
        (SMOLAGENTS, "Observation:\n{}", "Calling tools:"),
        (FENCED, "<returncode>0</returncode>\n<output>\n{}</output>", "```bash"),
        (XML, "[read_file for 'a.py'] Result:\n{}", "<read_file>"),
    ],
)
def test_calls_spelled_in_text_are_calls(said: str, answer: str, start: str) -> None:
    session = Session()
    session.user("Go.")
    call = session.assistant(said)
    first = session.user(answer.format(lines(1, 9)))
    session.assistant("Again.\n" + said)
    later = session.user(answer.format(lines(1, 9, "row")))
    calls = session.facts().calls
    assert calls.at[call].start == said.index(start)
    assert (first, "dup_call", answer.format(lines(1, 9)), later, later) in session.labels()


def test_of_a_failed_call_in_text_only_the_call_is_superfluous() -> None:
    said = "I try.\n\n```bash\nmake\n```"
    session = Session()
    call = session.assistant(said)
    session.user("<returncode>2</returncode>\n<output>no</output>")
    session.assistant(said)
    session.user("<returncode>0</returncode>\n<output>yes</output>")
    found = [fact for fact in session.labels("failed_rerun") if fact[0] == call]
    assert [text for _, _, text, *_ in found] == ["```bash\nmake\n```"]
    assert session.facts().trace.contents.framing[0] == FRAME


def test_cline_puts_the_answer_behind_a_header() -> None:
    session = Session()
    session.user("Go.")
    session.assistant(XML)
    header = session.add("user", "[read_file for 'a.py'] Result:")
    body = session.add("user", lines(1, 9), framed=False)
    session.add("user", "<environment_details>", framed=False)
    assert sorted(session.facts().calls.call_of) == [header, body]


@pytest.mark.parametrize(
    "text",
    [
        "Calling tools:\n[]",
        "Calling tools:\n[{'function': {'name': 'a', 'arguments': {}}}, {'function': {'name': 'b', 'arguments': {}}}]",
        "Calling tools:\n[{'function': {'name': 'a', 'arguments': open('x')}}]",
        "Calling tools:\n[{'function': 'a'}]",
        "Calling tools:\n" + "[{" * 9000 + "}]" * 9000,
        "Calling tools:\n[{'function': {'name': 'a', 'arguments': {}}}] and more",
        "```bash\nls\n```\nthen\n```bash\npwd\n```",
        "```python\nprint(1)\n```",
        "<read_file>\n<path>a</path>\n</read_file>\n<read_file>\n<path>b</path>\n</read_file>",
        "<read_file>\nwords\n</read_file>",
        "a < b, c > d",
        "x</path>",
        "",
    ],
)
def test_in_doubt_there_is_no_call(text: str) -> None:
    assert spelled_call(text) is None


def test_an_answer_that_begins_otherwise_is_what_the_user_said() -> None:
    session = Session()
    session.assistant(FENCED)
    session.user("Thank you.")
    assert session.facts().calls.call_of == {}
