"""CL903: times that are missing or cannot be true; concurrency is none of it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from tests.advise.sessions import Session, case_of, words


def _session(name: str = "s", start: float = 1_800_000_000.0) -> Session:
    return Session(name=name, system=words(f"{name} system", 50), start=start).user(f"go, {name}").steps(6)


def _overlapping(seconds: float) -> Session:
    """Each request starts so many seconds before the reply in it had ended."""
    session = _session()
    session.calls = [replace(call, duration=session.step + seconds) for call in session.calls]
    return session


def fires() -> list[Session]:
    """Requests start before the reply in them had ended."""
    return [_overlapping(5.0)]


def near_miss() -> list[Session]:
    """Two conversations at the same time."""
    return [_session(), _session("t")]


def _of(case: Case) -> dict[str, Candidate]:
    return {one.group[0]: one for one in RULES.load("CL903")().find(case)}


def test_effects_before_their_causes() -> None:
    case = case_of(*fires())
    found = _of(case)
    assert found.keys() == {"before-its-cause"}
    one = found["before-its-cause"]
    assert one.requests == [1, 2, 3, 4, 5]
    assert one.details["most seconds too early"] == 5.0
    assert one.verdict is Verdict.DIAGNOSTIC
    assert one.tokens == int(case.work.prompt_tokens[1:].sum())
    assert one.title.startswith("5 of 5 requests")


@pytest.mark.parametrize(("seconds", "says"), [(0.9, False), (1.1, True), (-9.0, False)])
def test_a_second_is_in_order(seconds: float, says: bool) -> None:
    assert bool(_of(case_of(_overlapping(seconds)))) is says


def test_concurrency_is_no_disorder() -> None:
    assert _of(case_of(*near_miss())) == {}


@pytest.mark.parametrize("changed", [False, True])
def test_requests_that_hold_no_reply_may_start_when_they_like(changed: bool) -> None:
    session = _session()
    for turn in range(4):
        session.ask("too late", echo=False)
        if changed:
            session.messages[1]["content"] += ", please"
            session.messages.append({"role": "assistant", "content": words(f"not what it said {turn}", 10)})
        session.user(words(f"and {turn}", 40))
    session.calls = [*session.calls[:6], *(replace(call, duration=100.0) for call in session.calls[6:])]
    case = case_of(session)
    assert (case.trace.predecessor[1:] >= 0).all()
    assert case.past.pairs.keys() == ({7, 8, 9} if changed else set())
    assert _of(case) == {}


def test_one_time_for_all_requests() -> None:
    session = _session()
    session.calls = [replace(call, start=session.start) for call in session.calls]
    found = _of(case_of(session))
    assert found.keys() == {"equal"}
    assert found["equal"].requests == [1, 2, 3, 4, 5]


def test_few_requests_out_of_order_are_left_alone() -> None:
    session = Session(system=words("system", 50)).user("go").steps(30)
    for at in (3, 4):
        session.calls[at] = replace(session.calls[at], duration=15.0)
    assert _of(case_of(session)) == {}
    session.calls[7] = replace(session.calls[7], duration=15.0)
    assert _of(case_of(session))["before-its-cause"].requests == [4, 5, 8]


def test_a_reply_that_came_back_changed_is_an_effect_too() -> None:
    session = Session(system=words("system", 50)).user("go")
    for turn in range(5):
        reply = words(f"reply {turn}", 40)
        session.ask(reply, echo=False)
        session.messages.append({"role": "assistant", "content": reply[:200] + " CHANGED " + reply[200:]})
        session.user(f"on {turn}")
    session.calls = [replace(call, duration=15.0) for call in session.calls]
    case = case_of(session)
    assert case.past.pairs
    assert _of(case)["before-its-cause"].requests == [1, 2, 3, 4]


def _with(case: Case, **columns: list[object]) -> Case:
    frame = case.trace.requests
    made = [pl.Series(name, values).cast(frame.schema[name]) for name, values in columns.items()]
    return replace(case, trace=replace(case.trace, requests=frame.with_columns(made)))


def test_times_that_are_missing_or_run_backwards() -> None:
    case = case_of(_session())
    starts = case.trace.requests["started_at"].to_list()
    missing = _of(_with(case, started_at=[None, *starts[1:]]))
    assert missing.keys() == {"missing"}
    assert missing["missing"].requests == [0]
    assert missing["missing"].title == "1 of 6 requests without a time"
    ends = case.trace.requests["ended_at"].to_list()
    back = _of(_with(case, ended_at=[ends[0], starts[0], *ends[2:]]))
    assert back.keys() == {"ends-before-start"}
    assert back["ends-before-start"].requests == [1]
    first = _of(_with(case, first_token_at=[None, None, starts[0], *[None] * 3]))
    assert first["ends-before-start"].requests == [2]


def test_requests_without_an_end_are_in_order() -> None:
    assert _of(_with(case_of(*fires()), ended_at=[None] * 6)) == {}
