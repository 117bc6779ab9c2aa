"""CL406: whole segments behind a change."""

from __future__ import annotations

import numpy as np

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.advise.rules.cl406_non_prefix_reuse import _whole
from cachelens.model.kinds import KINDS
from tests.advise.sessions import Session, case_of, words


def _changing(tokens: int = 300, changed: bool = True) -> Session:
    """A system prompt that says something else in the last request, before two outputs of `tokens` words."""
    session = Session(system=words("system", 50)).user("go").steps(2, tokens=tokens)
    session.ask("so far")
    if changed:
        session.messages[0]["content"] = words("another system", 50)
    session.user("on").ask("done")
    return session


def fires() -> list[Session]:
    """Two long outputs behind a changed system prompt."""
    return [_changing()]


def near_miss() -> list[Session]:
    """The outputs are short; nothing changed."""
    return [_changing(tokens=60), _changing(changed=False)]


def _look(*sessions: Session) -> tuple[Case, list[Candidate]]:
    case = case_of(*sessions)
    return case, list(RULES.load("CL406")().find(case))


def test_long_segments_that_are_as_they_were() -> None:
    case, (one,) = _look(*fires())
    last = len(case) - 1
    outputs = [row for row in case.path(last).tolist() if case.tokens(row) >= 256]
    assert [KINDS[case.trace.segments.kind[row]] for row in outputs] == ["tool_result"] * 2
    assert one.requests == [last]
    assert one.tokens == sum(case.tokens(row) for row in outputs) > 1000
    assert one.tokens < case.lost(last, "divergence")
    assert one.details == {"different segments": 2, "tokens of kind tool_result": one.tokens}
    assert one.verdict is Verdict.DIAGNOSTIC
    assert one.plan is None


def test_short_ones_and_hits_do_not_count() -> None:
    for session in near_miss():
        assert _look(session)[1] == []


def test_a_segment_that_was_changed_itself_does_not_count() -> None:
    session = Session(system=words("system", 50)).user("go").steps(2, tokens=300)
    session.ask("so far")
    output = next(one for one in session.messages if one["role"] == "tool")
    output["content"] = output["content"][:700] + " CHANGED " + output["content"][700:]
    session.user("on").ask("done")
    case, (one,) = _look(session)
    long = [case.tokens(row) for row in case.path(len(case) - 1).tolist() if case.tokens(row) >= 256]
    assert len(long) == 2
    assert one.tokens == long[1]


def test_every_request_counts_again() -> None:
    session = _changing()
    session.messages[0]["content"] = words("a third system", 50)
    session.user("further").ask("done")
    case, (one,) = _look(session)
    assert len(one.requests) == 2
    assert one.details["different segments"] == 2
    assert one.tokens == 2 * sum(
        case.tokens(row) for row in case.path(len(case) - 1).tolist() if case.tokens(row) >= 256
    )


def test_a_reply_counts_once_it_has_been_sent() -> None:
    session = Session(system=words("system", 50)).user("go")
    session.ask(words("long reply", 300))
    for turn in range(2):
        session.messages[0]["content"] = words(f"another system {turn}", 50)
        session.user(f"on {turn}").ask("done")
    case, (one,) = _look(session)
    assert case.lost(1, "divergence") > 400
    assert one.requests == [2]


def test_a_segment_that_was_cut_is_not_one_that_was_sent() -> None:
    session = _changing(tokens=600)
    (output, _) = [one for one in session.messages if one["role"] == "tool"]
    output["content"] = output["content"][: output["content"].index("\n", 3000)]
    session.messages[0]["content"] = words("a third system", 50)
    session.user("further").ask("done")
    case, (one,) = _look(session)
    last = len(case) - 1
    cut, whole = [case.tokens(row) for row in case.path(last).tolist() if case.tokens(row) >= 256]
    assert 256 < cut < whole
    assert one.tokens == cut_before(case) + whole


def cut_before(case: Case) -> int:
    """Both outputs, as they were sent again before one was cut."""
    return sum(case.tokens(row) for row in case.path(len(case) - 2).tolist() if case.tokens(row) >= 256)


def test_segments_that_lie_in_a_range_in_part_do_not_count() -> None:
    case = case_of(_changing())
    last = len(case) - 1
    long = [(row, case.tokens(row)) for row in case.path(last).tolist() if case.tokens(row) >= 256]
    ends = np.cumsum([case.tokens(row) for row in case.path(last).tolist()])
    stop = int(ends[case.path(last).tolist().index(long[1][0])])
    start = stop - long[1][1]

    def found(lo: int, hi: int) -> list[int]:
        return [row for row, _, _ in _whole(case, last, np.array([[lo, hi]]))]

    assert found(0, stop) == [long[0][0], long[1][0]]
    assert found(start, stop) == [long[1][0]]
    assert found(start + 1, stop + 1) == []
    assert found(start - 1, stop - 1) == []
