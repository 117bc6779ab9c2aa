"""CL402: pauses longer than a cache entry lives, what an hour would keep, and lifetimes that change."""

from __future__ import annotations

from functools import partial

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from tests.advise.rules.marked import Marked, ladder, talk
from tests.advise.sessions import Session, candidates, case_of, result_of, words

#: The engine of the provider that the sessions talk to.
OPTIONS: dict[str, str | None] = {"engine": None}


def fires() -> list[Session]:
    """Ten minutes between requests, marked for five."""
    return [talk(ladder, step=600.0, system=1500)]


def near_miss() -> list[Session]:
    """Four minutes between requests."""
    return [talk(ladder, step=240.0, system=1500)]


def _look(*sessions: Session, **options: object) -> tuple[Case, dict[str, Candidate]]:
    case = case_of(*sessions, **{**OPTIONS, **options})
    return case, {one.group[0]: one for one in RULES.load("CL402")().find(case)}


def _found(*sessions: Session, **options: object) -> dict[str, Candidate]:
    return _look(*sessions, **options)[1]


def test_an_hour_would_have_held() -> None:
    case, found = _look(*fires())
    assert found.keys() == {"within"}
    one = found["within"]
    assert one.requests == [1, 2, 3]
    assert one.tokens == sum(case.lost(request, "expiry") for request in range(4)) > 4500
    assert one.verdict is Verdict.AVOIDABLE
    assert one.plan is not None
    assert one.plan.ttl_s == 3600
    assert one.details["shortest pause in seconds"] == one.details["longest pause in seconds"] == 600.0
    assert float(one.details["USD of input with an hour"]) < float(one.details["USD of input now"])


def test_the_saving_is_what_expired_and_what_it_costs() -> None:
    (finding,) = [one for one in result_of(*fires(), **OPTIONS).findings if one.code == "CL402"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens
    priced = float(finding.details["USD of input now"]) - float(finding.details["USD of input with an hour"])
    assert finding.saving.cost_usd == pytest.approx(priced)


def test_entries_of_an_hour_that_cost_more_are_not_proposed() -> None:
    # One pause of ten minutes late in a conversation of short ones: an hour doubles all the writes before it.
    session = talk(ladder, turns=3, step=100.0, system=200, tokens=1500)
    session.clock += 500.0
    session.user("and now?").ask("well")
    other = talk(ladder, turns=8, step=100.0, name="t", system=200, tokens=1500, start=session.start + 9000.0)
    one = _found(session, other)["within"]
    assert float(one.details["USD of input with an hour"]) > float(one.details["USD of input now"])
    assert one.verdict is Verdict.LEGITIMATE
    assert one.plan is None
    assert "cost more" in one.title


def test_nothing_expires_while_requests_come_in_time() -> None:
    assert _found(*near_miss()) == {}


def test_nobody_keeps_a_prefix_overnight() -> None:
    session = talk(ladder, turns=2, system=1500)
    session.clock += 12 * 3600.0
    session.user("good morning").ask("good morning")
    case, found = _look(session)
    assert found.keys() == {"beyond"}
    assert found["beyond"].verdict is Verdict.LEGITIMATE
    assert found["beyond"].plan is None
    assert found["beyond"].requests == [2]
    assert found["beyond"].details["longest pause in seconds"] == 12 * 3600.0 + 10.0
    assert found["beyond"].tokens == case.lost(2, "expiry") > 1500


def test_pauses_of_both_kinds_are_two_findings_and_no_token_is_in_both() -> None:
    session = talk(ladder, turns=3, step=600.0, system=1500)
    session.clock += 12 * 3600.0
    session.user("good morning").ask("good morning")
    case, found = _look(session)
    assert found["within"].requests == [1, 2]
    assert found["beyond"].requests == [3]
    total = sum(case.lost(request, "expiry") for request in range(len(case)))
    assert found["within"].tokens + found["beyond"].tokens == total


def test_where_an_hour_is_asked_for_already_nothing_longer_is_proposed() -> None:
    hour = partial(ladder, ttl="1h", of_system="1h")
    assert _found(talk(hour, step=600.0, system=1500)) == {}
    assert _found(*fires(), engine_options={"ttl": "1h"}) == {}
    assert _found(talk(hour, step=4000.0, system=1500)).keys() == {"beyond"}


def test_an_hour_is_replayed_where_all_markers_were_set_to_minutes() -> None:
    options = {"engine": "anthropic", "engine_options": {"ttl": "5m"}}
    hour = partial(ladder, ttl="1h", of_system="1h")
    session = talk(hour, step=600.0, system=1500)
    (finding,) = [one for one in result_of(session, **options).findings if one.code == "CL402"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens > 4500


def test_an_hour_is_replayed_where_every_block_is_taken_to_be_marked() -> None:
    options = {"engine": "anthropic", "engine_options": {"marks": "everywhere"}}
    findings = result_of(*fires(), **options).findings
    (finding,) = [one for one in findings if one.code == "CL402"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens > 4500


def _openai(model: str, extra: dict[str, str] | None = None) -> Session:
    session = Session(
        system=words("openai", 1500),
        model=model,
        url="https://api.openai.com/v1/chat/completions",
        step=900.0,
        extra=dict(extra or {}),
    )
    for turn in range(3):
        session.user(f"question {turn}").ask("answer")
    return session


def test_openai_keeps_prefixes_for_a_day_when_asked() -> None:
    session = _openai("gpt-5.1")
    one = _found(session)["within"]
    assert one.plan is not None
    assert dict(one.plan.options) == {"idle_s": "86400"}
    (finding,) = [f for f in result_of(session, **OPTIONS).findings if f.code == "CL402"]
    assert finding.saving is not None
    assert finding.saving.computed_tokens == one.tokens > 2000
    assert _found(_openai("gpt-5.1", {"prompt_cache_retention": "24h"})) == {}


def test_a_model_with_one_lifetime_gets_no_advice_on_another() -> None:
    session = _openai("gpt-5.6")
    session.step = 0.0
    session.clock += 4000.0
    session.user("more").ask("answer")
    assert _found(session).keys() <= {"beyond"}


def test_reported_counts_bound_the_lifetime() -> None:
    session = Marked(system=words("system", 1500), mark=ladder)
    for turn, (pause, cached) in enumerate([(0, 0), (200, 9), (280, 9), (400, 0), (250, 9), (500, 0)]):
        session.clock += pause
        session.user(f"question {turn}").ask("answer", reported=(10_000, cached * 1000))
    details = _found(session)["within"].details
    assert details["longest pause still served, in seconds"] == 290.0
    assert details["shortest longer pause, not served, in seconds"] == 410.0


def _flipping(lifetimes: list[tuple[str, str]], name: str = "one") -> Marked:
    session = Marked(name=name, system=words(f"{name} system", 1500))
    for turn, (ttl, of_system) in enumerate(lifetimes):
        session.mark = partial(ladder, ttl=ttl, of_system=of_system)
        session.user(f"{name} question {turn}").ask("answer")
    return session


def test_a_lifetime_that_changes_is_told() -> None:
    session = _flipping([("1h", "1h"), ("5m", "5m"), ("5m", "5m"), ("1h", "1h")])
    case, found = _look(session)
    one = found["lifetime-changes"]
    assert one.requests == [1, 3]
    assert one.verdict is Verdict.DIAGNOSTIC
    assert "2 times" in one.title
    assert "1 conversation" in one.title
    assert one.tokens == int(case.work.prompt_tokens[[1, 3]].sum())  # the last block is marked


def test_two_lifetimes_side_by_side_are_no_change() -> None:
    assert _found(_flipping([("5m", "1h")] * 4)) == {}
    hour, minutes = _flipping([("1h", "1h")] * 2), _flipping([("5m", "5m")] * 2, "other")
    assert "lifetime-changes" not in _found(hour, minutes)


def test_a_server_without_lifetimes_has_no_such_finding() -> None:
    assert candidates("CL402", *fires(), engine="sglang") == []
