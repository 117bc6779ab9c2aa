"""`cachelens inspect`: the request that was meant, what broke it where it was broken, and no text unasked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from cachelens.advise.edit_rule import claims_of
from cachelens.cli import run
from cachelens.errors import UsageError
from cachelens.model.inspection import Inspection, check
from cachelens.pipeline.selection import by_name
from tests.advise.sessions import Session, case_of, tool, words
from tests.builders.captures import pairs

TEXT = "[plain "  # begins every text that `words("plain …")` makes


def clocked(turns: int = 4) -> Session:
    """A session whose system prompt tells the time to the second; the time differs with every request."""
    session = Session(name="a", tools=[tool("look_up", what="string")])
    session.messages.append({"role": "system", "content": ""})
    for turn in range(turns):
        system = f"{words('plain head', 80)}\nThe time is 10:31:{turn:02}.\n{words('plain rest', 80)}"
        session.messages[0]["content"] = system
        if turn == 0:
            session.user(words("plain question", 20))
        session.use("look_up", {"what": str(turn)}, words(f"plain output {turn}", 100), text=f"step {turn}")
    return session


def capture(*sessions: Session, name: str = "capture.jsonl") -> str:
    calls = sorted((call for session in sessions for call in session.calls), key=lambda call: call.start)
    Path(name).write_bytes(pairs(calls))
    return name


def seen(capfd: pytest.CaptureFixture[str], *arguments: str) -> Inspection:
    """The JSON of one run."""
    assert run(["inspect", *arguments, "--format", "json"]) == 0
    found = msgspec.json.decode(capfd.readouterr().out, type=Inspection)
    check(found)
    return found


def test_the_break_is_where_it_was_made_with_both_sides(capfd: pytest.CaptureFixture[str]) -> None:
    place = capture(clocked())
    found = seen(capfd, place, "--request", "3", "--engine", "ideal", "--show-text")
    assert (found.number, found.chosen_by, found.request.request_id) == (3, "asked for", "r3")
    assert found.break_ is not None
    at, old, new = found.break_.at, found.break_.before, found.break_.now
    assert (at.kind, at.component, at.path, at.previous_request_id) == (
        "changed",
        "system",
        "messages[0].content",
        "r2",
    )
    assert old is not None
    assert new is not None
    assert (old.digest, new.digest) == (found.edits[0].before.digest, found.edits[0].now.digest)
    assert old.digest != new.digest
    assert old.text[at.char_offset :].startswith("1.\n")
    assert new.text[at.char_offset :].startswith("2.\n")
    assert old.text[: at.char_offset] == new.text[: at.char_offset]
    assert found.segments[at.segment].path == at.path
    assert found.segments[at.segment].start + at.segment_offset == at.token_offset
    # the first edit is why everything behind it was computed again
    assert found.divergence_edit == 1
    assert found.break_.edit == 1
    edit = found.edits[0]
    assert (edit.kind, edit.in_reply, edit.sibling, edit.compared_with) == ("changed", False, False, "r2")
    assert found.request.outcomes["hit"] == at.token_offset
    assert at.lost_tokens == found.request.outcomes["divergence"]
    if edit.code is not None:
        assert (found.break_.code, found.break_.rule) == (edit.code, edit.rule)


def test_edits_belong_to_the_rules_that_all_edits_of_the_case_belong_to() -> None:
    case = case_of(clocked())
    assert case.claims
    for request, edits in case.past.edits_of.items():
        assert claims_of(case, (edits,)) == {edit.number: case.claims[edit.number] for edit in edits}, request


def test_an_echo_that_is_not_faithful_is_shown_against_the_reply(capfd: pytest.CaptureFixture[str]) -> None:
    session = Session(name="e", system=words("plain system", 60)).user(words("plain ask", 10))
    reply = words("plain reply", 30)
    session.ask(reply, echo=False)
    session.messages.append({"role": "assistant", "content": f"{reply[:-20]}, and more"})
    session.user(words("plain next", 30)).ask()
    found = seen(capfd, capture(session), "--request", "2", "--engine", "ideal", "--show-text")
    assert found.break_ is None
    assert found.echo is not None
    assert (found.echo.before.text, found.echo.now.text) == (reply, f"{reply[:-20]}, and more")
    assert found.echo.before.path.startswith("response")
    assert found.edits[found.echo.edit - 1].in_reply


def test_labels_name_the_segment_that_makes_them_so(capfd: pytest.CaptureFixture[str]) -> None:
    session = Session(name="d", system=words("plain system", 30), tools=[tool("look_up", what="string")])
    session.user("go")
    same = words("plain same", 120)
    for _ in range(2):
        session.use("look_up", {"what": "it"}, same, text="again")
    session.ask()
    found = seen(capfd, capture(session), "--engine", "ideal", "--request", "3")
    labeled = [(s, p) for s in found.segments for p in s.pieces if p.label != "live"]
    assert labeled
    for owner, part in labeled:
        assert part.label in ("dup_exact", "dup_call")
        assert part.label_cause is not None
        cause = found.segments[part.label_cause.position]
        assert (cause.path, cause.kind) == (part.label_cause.path, "tool_result")
        assert cause.position != owner.position
        assert part.bucket == "tool_output_reparsing"


def test_what_pushed_it_out_and_the_lineage_before_it(capfd: pytest.CaptureFixture[str]) -> None:
    growing = Session(name="g", system=words("plain system", 200)).user("go")
    other = Session(name="o", system=words("plain another", 900), start=1_800_000_005.0).user("stop")
    for _ in range(14):
        growing.ask(words("plain reply", 3))
        growing.user("on")
    other.ask()
    place = capture(growing, other)
    found = seen(capfd, place, "--request", "r3", "--capacity", "1500")
    assert found.request.outcomes["capacity"] > 0
    assert found.request.evicted_by == "r2"
    last = seen(capfd, place, "--request", "15", "--engine", "ideal")
    steps = last.lineage
    assert (len(steps), last.earlier_steps) == (11, 3)
    assert steps[-1].request_id == last.request.request_id
    assert all(step.gap_s == 10.0 for step in steps)
    assert all(after.previous_request_id == before.request_id for before, after in pairwise(steps))
    assert all(sum(step.outcomes.values()) == step.prompt_tokens for step in steps)


def test_without_a_request_the_one_that_computes_most_waste_is_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    session = Session(name="w", system=words("plain s", 50), tools=[tool("look_up", what="string")]).user(
        "go"
    )
    large, small = words("plain large", 300), words("plain small", 80)
    for number, output in enumerate((large, small, large, small)):
        session.use("look_up", {"what": str(number)}, output, text=f"step {number}")
    session.ask()
    place = capture(session)
    wasted, carried = {}, {}
    for number in range(1, 6):
        one = seen(capfd, place, "--engine", "ideal", "--request", str(number))
        pieces = [p for s in one.segments for p in s.pieces if p.bucket is not None]
        carried[number] = sum(p.hi - p.lo for p in pieces)
        wasted[number] = sum(p.hi - p.lo for p in pieces if p.outcome != "hit")
    found = seen(capfd, place, "--engine", "ideal")
    assert found.number == max(wasted, key=lambda number: wasted[number]) == 4
    assert max(carried, key=lambda number: carried[number]) == 5
    assert found.chosen_by == "the request with most waste that had to be computed"


def test_where_nothing_is_wasted_the_screen_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    found = seen(capfd, capture(_one(), name="clean.jsonl"), "--engine", "ideal")
    assert found.chosen_by == "no request wastes anything; this one computes most"


def _one() -> Session:
    session = Session(name="c", system=words("plain s", 50)).user("hi")
    session.ask()
    return session


def test_a_finding_is_shown_where_it_is_worst(capfd: pytest.CaptureFixture[str]) -> None:
    place = capture(clocked())
    assert run(["analyze", place, "--engine", "ideal", "--format", "json"]) == 0
    findings = msgspec.json.decode(capfd.readouterr().out)["findings"]
    for finding in findings:
        if finding["location"] is None:
            continue
        found = seen(capfd, place, "--engine", "ideal", "--finding", finding["fingerprint"])
        assert found.request.request_id == finding["location"]["request_id"]
        assert found.chosen_by == f"where {finding['code']} {finding['name']} is worst"
    if findings:
        first = findings[0]
        for asked in (first["code"], first["code"].lower(), first["name"]):
            found = seen(capfd, place, "--engine", "ideal", "--finding", asked)
            assert found.request.request_id == first["location"]["request_id"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--request", "9"], "unknown request '9'\n  an id such as 'r1' or a number from 1 to 4"),
        (["--request", "rr3"], "unknown request 'rr3'\n  did you mean 'r3'? or a number from 1 to 4"),
        (["--request", "r"], "request 'r' is the beginning of 4 ids\n  r1, r2, r3, r4"),
        (["--request", ""], "unknown request ''"),
        (["--request", "0"], "unknown request '0'"),
        (
            ["--finding", "volatile-prefixx"],
            "unknown rule or finding 'volatile-prefixx'\n  did you mean 'volatile-prefix'?",
        ),
        (["--finding", "0123456789abcdef"], "0123456789abcdef finds nothing in this trace"),
        (["--request", "1", "--finding", "CL101"], "--request and --finding both say which request"),
        (["--capacity", "1k,2k"], "inspect replays one size of cache"),
        (["--engine", "vlm"], "did you mean 'vllm'?"),
        (["--format", "csv"], "csv does not show this kind of report\n  formats: terminal, json"),
        (["--threshold", "min_tokens"], "is no NAME=VALUE"),
    ],
)
def test_usage(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", capture(clocked()), *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err


def test_names_of_requests() -> None:
    ids = ["talk-1", "talk-12", "2", "other", "x" * 10**6]
    assert by_name(ids, "talk-1") == 0  # an id comes before a beginning
    assert by_name(ids, "2") == 2  # and before a number
    assert by_name(ids, "1") == 0
    assert by_name(ids, "oth") == 3
    assert by_name(ids, "xx") == 4
    for wrong in ("talk", "6", "-1", "٣", "9" * 30, "y" * 10**6, ""):
        with pytest.raises(UsageError) as caught:
            by_name(ids, wrong)
        assert len(caught.value.message) < 200
        assert len(caught.value.hint or "") < 500


def test_no_text_unless_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    place = capture(clocked())
    for form in ("terminal", "json"):
        for more in ([], ["-v"]):
            assert run(["inspect", place, "--request", "3", "--format", form, *more]) == 0
            out = capfd.readouterr().out
            assert TEXT not in out
            assert "10:31" not in out
            assert "step 1" not in out
    assert run(["inspect", place, "--request", "3", "--engine", "ideal", "--show-text"]) == 0
    out = capfd.readouterr().out
    assert TEXT in out
    assert "10:31:[-01-]." in out
    assert "10:31:{+02+}." in out


def test_files_and_screen_and_the_same_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    place = capture(clocked())
    assert run(["inspect", place, "-o", "one.json", "-o", "one.txt"]) == 0
    out, err = capfd.readouterr()
    assert out == Path("one.txt").read_text()
    assert err == "Wrote one.json\nWrote one.txt\n"
    assert run(["inspect", place, "-q", "-o", "two.json"]) == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_hostile_names_reach_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    bad = "\x1b[2J\u202eevil\u200b" + "n" * 200_000
    session = Session(name="h", system=f"{bad} one", tools=[tool(bad, what="string")])
    session.user(f"\x9b31m{bad}").use(bad, {"what": bad}, bad)
    session.messages[0]["content"] = f"{bad} two"
    session.ask()
    place = capture(session)
    for more in ([], ["--show-text", "-v"]):
        assert run(["inspect", place, "--request", "2", *more]) == 0
        out = capfd.readouterr().out
        assert not set(out) & {"\x1b", "\x9b", "\u202e", "\u200b"}
        assert max(map(len, out.splitlines())) <= 100
        assert len(out.splitlines()) < 250
