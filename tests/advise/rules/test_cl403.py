"""CL403: markers that are missing, or stand where they serve nothing; and the ladder, which is never reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.advise.rules.markers import Markers
from cachelens.model.kinds import OUTCOME_CODE
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline import load
from cachelens.pipeline.cases import build_case
from tests.advise.rules.marked import Marked, end_only, ladder, marker, no_marks, system_only, talk
from tests.advise.sessions import Json, Session, candidates, case_of, result_of, words

#: The engine of the provider that the sessions talk to.
OPTIONS: dict[str, str | None] = {"engine": None}


def fires() -> list[Session]:
    """No marker at all."""
    return [talk(no_marks, turns=5, system=1500)]


def near_miss() -> list[Session]:
    """The rolling ladder: how it should be."""
    return [talk(ladder, turns=6, system=1500), _wide(ladder)]


def _wide(mark) -> Marked:  # type: ignore[no-untyped-def]
    """Requests that bring 30 parallel tool results each."""
    session = Marked(name="w", system=words("wide", 1500), mark=mark, start=1_800_100_000.0)
    session.user("go")
    for step in range(3):
        ids = session.ask(None, [("look", {"at": f"{step} {at}"}) for at in range(30)])
        for at, call in enumerate(ids):
            session.result(call, words(f"result {step} {at}", 10))
    session.ask("done")
    return session


def _look(*sessions: Session, **options: object) -> tuple[Case, dict[str, Candidate]]:
    case = case_of(*sessions, **{**OPTIONS, **options})
    return case, {one.group[0]: one for one in RULES.load("CL403")().find(case)}


def _found(*sessions: Session, **options: object) -> dict[str, Candidate]:
    return _look(*sessions, **options)[1]


def test_no_marker_at_all() -> None:
    case, found = _look(*fires())
    assert found.keys() == {"none"}
    one = found["none"]
    assert one.requests == [1, 2, 3, 4]
    assert (
        one.tokens
        == sum(case.lost(request, "unmarked") for request in range(5))
        == int(case.reusable.sum())
        > 0
    )
    assert one.plan is not None
    assert one.plan.mark_s == 300
    assert one.verdict is Verdict.AVOIDABLE


def test_the_saving_is_that_of_a_marker_at_the_end() -> None:
    (finding,) = [one for one in result_of(*fires(), **OPTIONS).findings if one.code == "CL403"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens == finding.details["tokens read with markers"]
    assert finding.saving.cost_usd is not None
    assert finding.saving.cost_usd > 0


def test_the_ladder_is_never_reported() -> None:
    for session in near_miss():
        assert _found(session) == {}, session.name


def test_requests_that_nobody_repeats_need_no_marker() -> None:
    calls = [
        talk(no_marks, turns=1, name=name, system=1500, start=1_800_000_000.0 + at)
        for at, name in enumerate("abc")
    ]
    assert _found(*calls) == {}


def test_where_markers_cost_more_than_they_save_none_is_proposed() -> None:
    # One request in twenty is repeated, and then only its first part: writes outweigh reads.
    shared = words("shared", 700)
    sessions = []
    for at in range(20):
        session = Marked(name=f"s{at}", system=words(f"system {at}", 900), start=1_800_000_000.0 + 10 * at)
        session.user(words(f"question {at}", 60)).ask("x")
        sessions.append(session)
    last = Marked(name="s0", system=sessions[0].instructions, start=1_800_000_205.0)
    last.user(words("other", 20) + shared).ask("y")
    case = case_of(*sessions, last, **OPTIONS)
    assert case.lost(len(case) - 1, "unmarked") > 900
    assert "none" not in _found(*sessions, last)


def test_servers_that_cached_without_a_marker_had_one_that_the_capture_lacks() -> None:
    session = Marked(system=words("system", 1500))
    for turn in range(3):
        session.user(f"question {turn}").ask("answer", reported=(4000, 0 if not turn else 3900, 90))
    assert _found(session) == {}


def test_a_marker_that_stays_behind() -> None:
    session = talk(system_only, turns=5, system=700, tokens=200)
    case, found = _look(session)
    assert found.keys() == {"static"}
    assert found["static"].requests == [1, 2, 3, 4]
    assert found["static"].tokens == sum(case.lost(request, "unmarked") for request in range(5)) > 1000
    (finding,) = [one for one in result_of(session, **OPTIONS).findings if one.code == "CL403"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens


def test_a_long_system_prompt_and_no_history_is_marked_well() -> None:
    sessions = [
        talk(system_only, turns=1, name=name, system=700, start=1_800_000_000.0 + 10 * at)
        for at, name in enumerate("ab")
    ]
    assert _found(*sessions) == {}


def test_more_than_20_blocks_between_markers() -> None:
    session = _wide(end_only)
    case, found = _look(session)
    assert found.keys() == {"lookback"}
    one = found["lookback"]
    assert one.requests == [1, 2, 3]
    assert one.tokens == sum(case.lost(request, "unmarked") for request in range(4)) > 2000
    # 30 calls of the reply and 30 results.
    assert one.details == {"most blocks between markers": 60, "blocks searched": 20}
    assert one.plan is None


@pytest.mark.parametrize(("results", "expected"), [(9, set()), (10, {"lookback"})])
def test_19_blocks_are_in_reach_and_20_are_not(results: int, expected: set[str]) -> None:
    session = Marked(system=words("wide", 1500), mark=end_only)
    session.user("go")
    for step in range(2):
        ids = session.ask("so", [("look", {"at": f"{step} {at}"}) for at in range(9)])  # 10 blocks
        for at, call in enumerate(ids):
            session.result(call, words(f"result {step} {at}", 10))
        if results == 10:
            session.user("go on")
    session.ask("done")
    assert _found(session).keys() == expected


def test_markers_above_the_minimum_of_the_model() -> None:
    session = talk(system_only, turns=4, system=200, tokens=500)
    case, found = _look(session)
    assert found.keys() == {"too-early"}
    one = found["too-early"]
    assert one.group == ("too-early", "claude-sonnet-4-5")
    assert one.details["minimum of the model"] == 1024
    assert "1,024" in one.title
    assert one.tokens == sum(case.lost(request, "unmarked") for request in range(4)) > 1000
    (finding,) = [one for one in result_of(session, **OPTIONS).findings if one.code == "CL403"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens


def test_prompts_that_the_model_does_not_cache() -> None:
    session = talk(ladder, turns=4, system=600, model="claude-haiku-4-5")
    case, found = _look(session)
    assert found.keys() == {"short"}
    one = found["short"]
    assert one.tokens == int(case.reusable.sum())
    assert one.details["minimum of the model"] == 4096
    assert one.details["longest of these prompts"] == max(case.work.prompt_tokens)
    assert one.verdict is Verdict.DIAGNOSTIC
    assert one.plan is None


def _five(body: Json) -> None:
    ladder(body)
    for message in [one for one in body["messages"] if one["role"] == "user"][:-2]:
        message["content"][-1]["cache_control"] = marker()


def test_more_markers_than_the_api_takes() -> None:
    session = talk(_five, turns=5, system=1500)
    one = _found(session)["too-many"]
    assert one.requests == [3, 4]  # system prompt and 4 or 5 user messages
    assert one.details["most markers"] == 6
    assert one.verdict is Verdict.DIAGNOSTIC
    assert "too-many" not in _found(talk(_five, turns=3, system=1500))


def _volatile(turns: int, keep: frozenset[int] = frozenset()) -> Marked:
    """A note that says something else in every request stands at the end, and is marked; `keep`: turns that keep it."""
    session = Marked(system=words("system", 1500), mark=end_only)
    for turn in range(turns):
        session.user(words(f"question {turn}", 30))
        note = {"type": "text", "text": words(f"note {turn}", 200)}
        session.messages[-1]["content"].append(note)
        session.ask("answer")
        if turn not in keep:
            session.messages[-2]["content"].remove(note)
    return session


def test_a_marker_on_what_changes_with_every_request() -> None:
    case, found = _look(_volatile(5))
    one = found["volatile-tail"]
    assert one.group == ("volatile-tail", "user")
    assert one.requests == [0, 1, 2, 3]  # nobody came after the last
    assert case.replay.written_5m is not None
    assert one.tokens == int(case.replay.written_5m[:4].sum()) > 5000
    assert not case.replay.hit.any()


@pytest.mark.parametrize(
    ("turns", "changed", "says"), [(5, set(), False), (5, {1}, False), (5, {1, 2}, True), (8, {1, 2}, False)]
)
def test_a_habit_is_more_than_one_and_half_of_all(turns: int, changed: set[int], says: bool) -> None:
    found = _found(_volatile(turns, keep=frozenset(range(turns)) - changed))
    assert ("volatile-tail" in found) is says
    if says:
        assert found["volatile-tail"].requests == sorted(changed)


def test_what_sessions_share_without_a_marker_at_its_end() -> None:
    shared = words("all", 1200)
    sessions = []
    for at in range(3):
        session = Marked(name=f"s{at}", system=shared, mark=end_only, start=1_800_000_000.0 + 100 * at)
        for turn in range(2):
            session.user(words(f"{at} {turn}", 30)).ask("answer")
        sessions.append(session)
    case, found = _look(*sessions)
    assert found.keys() == {"shared-prefix"}
    firsts = [request for request in case.roots if request]
    assert found["shared-prefix"].requests == firsts
    assert found["shared-prefix"].tokens == sum(case.lost(request, "unmarked") for request in firsts) > 2400
    for session in sessions:
        for call in session.calls:
            call.request["system"][-1]["cache_control"] = marker()
    assert _found(*sessions) == {}


def test_requests_that_changed_the_prompt_are_not_blamed_on_markers() -> None:
    session = talk(end_only, turns=3, system=1500, tokens=100)
    for turn in range(3):
        session.messages[0]["content"][0]["text"] = words(f"changed {turn}", 100)
        session.user(words(f"more {turn}", 60)).ask("answer")
    assert "static" not in _found(session)
    assert "lookback" not in _found(session)
    assert "volatile-tail" not in _found(session)


def test_a_marker_that_stays_is_blamed_for_requests_that_changed_nothing() -> None:
    session = talk(system_only, turns=4, system=700, tokens=200)
    session.messages[2]["content"][0]["text"] = words("changed", 200)
    session.user("more").ask("answer")
    case, found = _look(session)
    assert case.past.breaks.keys() == {4}
    assert case.lost(4, "unmarked") > 200
    assert found["static"].requests == [1, 2, 3]


def _last_but_one(body: Json) -> None:
    """After the system prompt and the last user message but one, whatever stands behind it."""
    body["system"][-1]["cache_control"] = marker()
    for message in [one for one in body["messages"] if one["role"] == "user"][-2:-1]:
        message["content"][-1]["cache_control"] = marker()


def test_markers_that_move_behind_the_end_are_no_static_ones() -> None:
    case, found = _look(talk(_last_but_one, turns=6, system=1500))
    assert case.lost(3, "unmarked") > 50
    assert found == {}


def test_of_too_many_markers_the_last_count() -> None:
    markers = Markers(case_of(talk(_five, turns=5, system=1500), **OPTIONS))
    assert [len(points) for points in markers.points] == [2, 3, 4, 5, 6]
    assert markers.valid(4) == markers.points[4][2:]
    assert markers.valid(2) == markers.points[2]


def test_caches_that_need_no_markers_have_no_such_finding() -> None:
    assert candidates("CL403", *fires(), engine="sglang") == []
    assert candidates("CL403", *fires(), engine="anthropic", engine_options={"marks": "everywhere"}) == []


def _openai(model: str, **extra: Json) -> Session:
    url = "https://api.openai.com/v1/chat/completions"
    session = Session(system=words("openai", 1500), model=model, url=url, extra=extra)
    for turn in range(3):
        session.user(words(f"question {turn}", 30)).ask("answer")
    return session


def test_openai_marks_the_ends_of_prompts_itself() -> None:
    assert _found(_openai("gpt-5.1")) == {}
    assert _found(_openai("gpt-5.6")) == {}
    found = _found(_openai("gpt-5.6", prompt_cache_options={"mode": "explicit"}))
    assert found.keys() == {"none"}
    assert found["none"].plan is None


def test_traces_without_bodies_say_nothing_of_markers() -> None:
    path = Path(__file__).parents[3] / "sample_traces" / "tokens.jsonl"
    case, _ = build_case(load([str(path)], IngestOptions()), AnalyzeOptions(engine="anthropic"))
    assert case.outcome_tokens[:, OUTCOME_CODE["unmarked"]].sum() == 0  # below the minimum
    setup: dict[str, Any] = {"engine": "anthropic", "engine_options": {"minimum": "0"}}
    case, _ = build_case(load([str(path)], IngestOptions()), AnalyzeOptions(**setup))
    assert case.outcome_tokens[:, OUTCOME_CODE["unmarked"]].sum() > 1000
    assert list(RULES.load("CL403")().find(case)) == []
