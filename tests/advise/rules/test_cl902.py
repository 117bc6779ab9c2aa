"""CL902: transcripts, prompts without what they must have held, and markers that are not in the capture."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from tests.advise.rules.marked import Marked, ladder, no_marks, talk
from tests.advise.sessions import Session, case_of, tool, words


def _session(system: bool, tools: bool, calls: bool = True) -> Session:
    session = Session(
        system=words("system", 50) if system else None,
        tools=[tool("look_up", what="string")] if tools else [],
    ).user(words("task", 100))
    if calls:
        return session.steps(2)
    session.ask("done")
    return session.user("more")


def fires() -> list[Session]:
    """Tools are called that nobody defined."""
    return [_session(system=False, tools=False)]


def near_miss() -> list[Session]:
    """A system prompt, or tools, or no calls."""
    return [_session(True, False), _session(False, True), _session(False, False, calls=False)]


def _of(case: Case) -> dict[tuple[str, ...], Candidate]:
    return {one.group: one for one in RULES.load("CL902")().find(case)}


def test_tools_that_nobody_defined() -> None:
    case = case_of(*fires())
    found = _of(case)
    assert found.keys() == {("tools-never-sent",)}
    one = found["tools-never-sent",]
    assert one.requests == [0, 1]
    assert one.tokens == int(case.work.prompt_tokens.sum())
    assert one.verdict is Verdict.DIAGNOSTIC
    assert "seems to lack" in one.title


def test_whole_prompts_are_not_suspected() -> None:
    for session in near_miss():
        assert _of(case_of(session)) == {}


def test_what_the_format_lacks_is_told_by_reason() -> None:
    case = case_of(_session(system=False, tools=False))
    marks = ["system-and-tools-missing", "history-missing,system-and-tools-missing"]
    requests = case.trace.requests.with_columns(pl.Series("partial", marks))
    found = _of(replace(case, trace=replace(case.trace, requests=requests)))
    assert found.keys() == {("system-and-tools-missing",), ("history-missing",)}
    assert found["system-and-tools-missing",].requests == [0, 1]
    assert found["history-missing",].requests == [1]
    assert "system prompt and tools in 2 of 2 requests" in found["system-and-tools-missing",].title
    assert "prompt tokens" in str(found["history-missing",].details["figures that depend on it"])


def test_what_is_missing_is_measured_where_the_server_counted() -> None:
    session = Session(system=None).user("task")
    session.ask("done", reported=(5000, 4000))
    case = case_of(session)
    requests = case.trace.requests.with_columns(pl.Series("partial", ["tools-missing"]))
    (one,) = _of(replace(case, trace=replace(case.trace, requests=requests))).values()
    assert one.details["prompt tokens reported"] == 5000
    assert one.details["prompt tokens of the capture in these requests"] == int(case.work.prompt_tokens[0])


def _cached(mark) -> Marked:  # type: ignore[no-untyped-def]
    session = Marked(system=words("system", 1500), mark=mark)
    for turn in range(3):
        session.user(f"question {turn}").ask("answer", reported=(4000, 0 if not turn else 3900, 90))
    return session


def test_markers_that_must_have_been_there() -> None:
    found = _of(case_of(_cached(no_marks), engine=None))
    assert found.keys() == {("markers-missing",)}
    assert found["markers-missing",].requests == [0, 1, 2]
    assert "marks=everywhere" in found["markers-missing",].fix


def test_markers_that_are_there_or_never_were() -> None:
    assert _of(case_of(_cached(ladder), engine=None)) == {}
    assert _of(case_of(talk(no_marks, system=1500), engine=None)) == {}
    everywhere = {"engine": "anthropic", "engine_options": {"marks": "everywhere"}}
    assert _of(case_of(_cached(no_marks), **everywhere)) == {}
    assert _of(case_of(_cached(no_marks), engine="sglang")) == {}
