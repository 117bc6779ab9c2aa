"""CL404: servers that serve nothing of what was sent before, and conversations that change where they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.model.kinds import OUTCOME_CODE
from tests.advise.rules.reporting import prompt_tokens, report
from tests.advise.sessions import Session, case_of, words

_URL = "https://api.openai.com/v1/chat/completions"
#: The engine of the provider that the sessions talk to.
OPTIONS: dict[str, str | None] = {"engine": None}


def _session(
    keys: Sequence[str | None], served: Sequence[bool], name: str = "s", start: float = 1_800_000_000.0
) -> Session:
    """A conversation at OpenAI with a routing key for each request; `served`: whether the prefix was."""
    session = Session(name=name, system=words(f"{name} system", 1500), model="gpt-5.1", url=_URL, start=start)
    for turn, key in enumerate(keys):
        session.extra = {} if key is None else {"prompt_cache_key": key}
        session.user(words(f"{name} question {turn}", 30)).ask("answer")
    prompts = prompt_tokens(session)
    cached = [before // 128 * 128 if hit else 0 for before, hit in zip([0, *prompts], served, strict=False)]
    return report(session, cached)


_EVERY = [False, *[True] * 7]
_SOME = [False, True, False, True, False, True, True, False]


def fires() -> list[Session]:
    """A new key in some requests, and nothing is served then."""
    keys = ["k", "k", "k2", "k2", "k3", "k3", "k3", "k4"]
    return [_session(keys, _SOME)]


def near_miss() -> list[Session]:
    """One key, and all is served; keys that change where all is served all the same; a key for each conversation."""
    other = _session(["other"] * 4, _EVERY[:4], "other", 1_800_001_000.0)
    return [_session(["k"] * 8, _EVERY), other]


def _look(*sessions: Session, **options: object) -> tuple[Case, dict[str, Candidate]]:
    case = case_of(*sessions, **{**OPTIONS, **options})
    return case, {one.group[0]: one for one in RULES.load("CL404")().find(case)}


def test_a_key_that_changes() -> None:
    case, found = _look(*fires())
    assert found.keys() == {"key-changed"}
    one = found["key-changed"]
    assert one.requests == [2, 4, 7]
    assert one.tokens == sum(int(case.told.expected[request]) for request in (2, 4, 7)) > 6000
    assert one.verdict is Verdict.AVOIDABLE
    assert one.plan is None
    assert one.details["requests with a changed key"] == 3
    assert one.details["of requests with the same key served nothing"] == 0
    assert "3 of 3 such requests" in one.title


def test_all_is_well() -> None:
    for sessions in ([near_miss()[0]], near_miss()):
        assert _look(*sessions)[1] == {}


def test_keys_that_change_without_harm_are_not_blamed() -> None:
    assert _look(_session([f"k{at}" for at in range(8)], _EVERY))[1] == {}


@pytest.mark.parametrize("keys", [["k"] * 8, [None] * 8])
def test_without_a_sign_it_is_a_diagnosis(keys: list[str | None]) -> None:
    case, found = _look(_session(keys, _SOME))
    assert found.keys() == {"unexplained"}
    one = found["unexplained"]
    assert one.requests == [2, 4, 7]
    assert one.tokens == sum(int(case.told.expected[request]) for request in (2, 4, 7))
    assert one.verdict is Verdict.DIAGNOSTIC
    assert one.details["longest pause before them in seconds"] == 10.0


def test_a_changed_key_and_none_are_two_findings_and_no_request_is_in_both() -> None:
    _, found = _look(_session(["k", "k", "k2", "k2", "k2", "k2", "k2", "k2"], _SOME))
    assert found["key-changed"].requests == [2]
    assert found["unexplained"].requests == [4, 7]
    assert found["key-changed"].details["of requests with the same key served nothing"] == 2


def test_a_server_that_never_reports_anything_is_not_scattered() -> None:
    assert _look(_session(["k"] * 8, [False] * 8))[1] == {}


def test_what_the_simulation_does_not_expect_is_not_missed() -> None:
    session = _session(["k"] * 8, _SOME)
    for at, call in enumerate(session.calls):  # an hour between requests: expired
        session.calls[at] = replace(call, start=call.start + 3600.0 * at)
    assert _look(session)[1] == {}


def test_requests_that_got_a_part_are_not_missed() -> None:
    session = _session(["k"] * 8, _EVERY)
    for at in (2, 4):
        details = session.calls[at].response["usage"]["prompt_tokens_details"]
        details["cached_tokens"] //= 2
    case, found = _look(session)
    assert case.told.verdict[2] == case.told.verdict[4] == "less"
    assert found == {}


def test_requests_whose_server_says_why_are_left_out() -> None:
    session = _session(["k"] * 8, _SOME)
    for at in (2, 4):
        reason = {"type": "cache_miss", "reason": "evicted"}
        session.calls[at].response["prompt_cache_diagnostics"] = reason
    case, found = _look(session)
    given = case.trace.requests["reported_miss_reason"].to_list()
    assert [given[2], given[4], given[7]] == ["evicted", "evicted", None]
    assert found["unexplained"].requests == [7]


def test_prompts_below_what_the_server_ever_served_are_not_missed() -> None:
    long = _session(["k"] * 8, _EVERY)
    short = Session(name="t", system=words("short", 100), model="gpt-5.1", url=_URL, start=1_800_002_000.0)
    for turn in range(3):
        short.user(f"question {turn}").ask("answer")
    report(short, [0, 0, 0])
    # An engine without a minimum expects these to be served; the server never served less than 1,024 tokens.
    case, found = _look(long, short, engine="sglang")
    assert int(case.told.expected[-1]) > 200
    assert found == {}


def test_a_bound_promises_nothing() -> None:
    assert _look(_session(["k"] * 8, _SOME), engine="ideal")[1] == {}


def _changing(field: str, values: Sequence[str]) -> Session:
    session = Session(system=words("system", 400))
    for turn, value in enumerate(values):
        if field == "model":
            session.model = value
        else:
            session.extra = {field: value}
        session.user(f"question {turn}").ask("answer")
    return session


def test_a_model_that_changes_back_and_forth() -> None:
    case, found = _look(_changing("model", ["one", "one", "two", "one"]))
    assert found.keys() == {"model-changed"}
    one = found["model-changed"]
    assert one.requests == [2, 3]
    assert one.tokens == case.lost(2, "divergence") + case.lost(3, "divergence") > 400
    assert one.verdict is Verdict.AVOIDABLE
    assert one.details["changes back to an earlier one"] == 1
    assert "2 times" in one.title


def test_a_model_that_is_changed_once_is_a_choice() -> None:
    _, found = _look(_changing("model", ["one", "one", "two", "two"]))
    assert found["model-changed"].verdict is Verdict.LEGITIMATE
    assert found["model-changed"].requests == [2]
    assert _look(_changing("model", ["one"] * 4))[1] == {}


def test_a_salt_that_changes() -> None:
    _, found = _look(_changing("cache_salt", ["a", "b", "c", "d"]))
    assert found.keys() == {"scope-changed"}
    assert found["scope-changed"].requests == [1, 2, 3]
    assert "salt" in found["scope-changed"].title


def test_what_a_router_lost_is_told_where_a_fleet_is_replayed() -> None:
    case = case_of(_changing("model", ["one"] * 4), **OPTIONS)
    tokens = case.outcome_tokens.copy()
    tokens[2, OUTCOME_CODE["routing"]] = 500
    (one,) = RULES.load("CL404")().find(replace(case, outcome_tokens=tokens))
    assert (one.group, one.requests, one.tokens) == (("replicas",), [2], 500)
