"""Reported against simulated: expected tokens in the server's count, verdicts, explanations, the table of reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cachelens.advise.case import Case
from cachelens.advise.rules.shortfalls import EXPLANATIONS, Shortfalls, least_of, step_of
from cachelens.model.findings import Confusion
from cachelens.model.trace import Int64
from cachelens.pipeline.reported import TOLERANCE, Reported, confusion, reported
from cachelens.simulate.workload import Workload, workload
from tests.advise.rules.reporting import prompt_tokens, report
from tests.advise.sessions import Session, case_of, trace_of, words

_URL = "https://api.openai.com/v1/chat/completions"


def _session(turns: int = 8, name: str = "s", **options: object) -> Session:
    session = Session(name=name, system=words(f"{name} system", 400), **options)  # type: ignore[arg-type]
    for turn in range(turns):
        session.user(words(f"{name} question {turn}", 40)).ask(words(f"answer {turn}", 10))
    return session


def _cached(cached: Sequence[int | None], **options: object) -> Case:
    return case_of(report(_session(len(cached)), cached), **{"engine": None, **options})


def _whole(**options: object) -> list[int]:
    """What a server without limits serves: all that had been sent before."""
    return [int(hit) for hit in case_of(_session(), **{"engine": None, **options}).replay.hit]


def _work(*theirs: int | None) -> tuple[Workload, Reported, list[int]]:
    """A conversation whose server counts its prompts as `theirs`, and our counts of them."""
    session = _session(len(theirs))
    ours = prompt_tokens(session)
    for call, count in zip(session.calls, theirs, strict=True):
        if count is not None:
            details = {"cached_tokens": 0}
            call.response["usage"] = {"prompt_tokens": count, "prompt_tokens_details": details}
    trace = trace_of(session)
    return workload(trace), reported(trace), ours


def _hits(work: Workload, request: int, depth: int) -> Int64:
    hit = np.zeros(len(work), dtype=np.int64)
    hit[request] = depth
    return hit


def test_prefixes_that_the_server_counted_itself_are_taken_from_it() -> None:
    work, said, ours = _work(2000, 2100, 2500)
    # The whole prompt of an earlier request: its own count, whatever the proportions.
    assert said.expected(_hits(work, 2, ours[1]), work)[2] == 2100
    assert said.expected(_hits(work, 2, ours[0]), work)[2] == 2000
    assert said.expected(_hits(work, 2, ours[2]), work)[2] == 2500
    assert said.expected(_hits(work, 2, 0), work)[2] == 0


def test_between_such_places_tokens_correspond_in_proportion() -> None:
    work, said, ours = _work(2000, 2100, 2500)
    half = (ours[0] + ours[1]) // 2
    share = (half - ours[0]) / (ours[1] - ours[0])
    assert said.expected(_hits(work, 2, half), work)[2] == 2000 + round(100 * share)
    assert said.expected(_hits(work, 1, ours[0] // 2), work)[1] == round(2000 * (ours[0] // 2) / ours[0])
    past = ours[1] + 10
    assert said.expected(_hits(work, 2, past), work)[2] == 2100 + round(400 * 10 / (ours[2] - ours[1]))


def test_requests_that_report_nothing_are_passed_over() -> None:
    work, said, ours = _work(2000, None, 2500)
    assert said.told.tolist() == [0, 2]
    share = (ours[1] - ours[0]) / (ours[2] - ours[0])
    assert said.expected(_hits(work, 2, ours[1]), work).tolist() == [0, 2000 + round(500 * share)]


def test_a_prompt_that_was_changed_says_nothing_of_the_next() -> None:
    session = _session(2)
    session.messages[0]["content"] = words("another system", 400)
    session.user("more").ask("answer")
    report(session, [0, 0, 0], lambda tokens: tokens * 2)
    session.calls[0].response["usage"]["prompt_tokens"] = 99_999
    trace = trace_of(session)
    work, said = workload(trace), reported(trace)
    ours = work.prompt_tokens.tolist()
    # Only its own count holds: twice ours, in proportion.
    assert said.expected(_hits(work, 2, ours[2] // 3), work)[2] == pytest.approx(2 * (ours[2] // 3), abs=1)


def test_prompts_further_back_are_looked_for_behind_one_that_was_changed() -> None:
    session = _session(2)
    session.messages[-2]["content"] = words("another question", 40)  # the last one, and not what precedes it
    session.user("more").ask("answer")
    report(session, [0, 0, 0], lambda tokens: tokens + 500)
    trace = trace_of(session)
    work, said = workload(trace), reported(trace)
    ours = work.prompt_tokens.tolist()
    assert trace.predecessor.tolist() == [-1, 0, 1]
    assert said.expected(_hits(work, 2, ours[0]), work)[2] == ours[0] + 500


def test_a_server_that_counted_a_prefix_twice_is_not_believed() -> None:
    work, said, ours = _work(3000, 2100)
    assert said.expected(_hits(work, 1, ours[0]), work)[1] == round(2100 * ours[0] / ours[1])


def test_vocabularies_do_not_matter_where_prefixes_were_counted() -> None:
    # Tool schemas count three times as much as ours, prose as much as ours.
    session = _session()
    first = prompt_tokens(session)[0]
    before = [0, *(tokens + 2 * first for tokens in prompt_tokens(session))]
    case = case_of(report(session, before[:-1], lambda tokens: tokens + 2 * first), engine=None)
    assert case.told.verdict == ["as expected"] * 8
    shares = case.replay.hit / case.work.prompt_tokens - case.told.cached / case.told.prompt
    assert abs(shares).max() > TOLERANCE  # shares alone would have been called less, or more


@pytest.mark.parametrize(
    ("apart", "verdict"),
    [(0, "as expected"), (-20, "as expected"), (20, "as expected"), (-21, "less"), (21, "more")],
)
def test_two_per_cent_of_the_prompt_is_as_expected(apart: int, verdict: str) -> None:
    work, said, ours = _work(2000, 1000)
    said = replace(said, cached=np.array([0, 500 + apart]))
    hit = _hits(work, 1, ours[1] // 2)
    expected = int(said.expected(hit, work)[1])
    said = replace(said, cached=np.array([0, expected + apart]))
    assert said.verdicts(hit, work) == ["as expected", verdict]


def test_what_was_told_stands_in_the_case() -> None:
    case = _cached([None, 100, None])
    assert case.told.cached.tolist() == [-1, 100, -1]
    assert case.told.expected[0] == case.told.expected[2] == -1
    assert case.told.verdict == ["", "less", ""]
    assert case.told.expected[1] == case.replay.hit[1]


# -- confusion


def _confused(case: Case) -> Confusion:
    found = confusion(case)
    assert found is not None
    assert found.told == found.as_expected + found.less + found.more
    assert found.less + found.more == found.unexplained + sum(found.explained.values())
    assert found.unexplained_tokens <= found.less_tokens + found.more_tokens
    assert found.explained.keys() <= EXPLANATIONS.keys()
    return found


def test_servers_that_say_nothing_give_none() -> None:
    assert confusion(case_of(_session(2))) is None


def test_agreement() -> None:
    found = _confused(_cached(_whole()))
    assert (found.told, found.as_expected, found.unexplained) == (8, 8, 0)
    assert found.less_tokens == found.more_tokens == 0
    assert found.explained == {}
    assert found.reasons == {}


def test_less_without_a_reason_is_unexplained() -> None:
    whole = _whole()
    found = _confused(_cached([*whole[:4], 300, *whole[5:]]))
    assert (found.less, found.more, found.unexplained) == (1, 0, 1)
    assert found.less_tokens == found.unexplained_tokens == whole[4] - 300


def test_more_than_simulated_within_what_was_sent_is_unexplained() -> None:
    found = _confused(_cached(_whole(), engine="lru", capacity="100"))
    assert found.more == found.unexplained == 7
    assert found.explained == {}


def test_more_than_was_ever_sent_came_from_outside_the_capture() -> None:
    whole = _whole()
    found = _confused(_cached([700, *whole[1:]]))
    assert found.explained == {"outside-the-capture": 1}
    assert (found.more, found.more_tokens, found.unexplained) == (1, 700, 0)


def test_a_capture_with_a_part_of_the_prompt_explains_more_and_not_less() -> None:
    session = report(_session(2), [3000, 3], lambda tokens: tokens + 3000)
    found = _confused(case_of(session, engine=None))
    assert found.explained == {"capture-partial": 1}
    assert found.less == found.unexplained == 1
    case = _cached([0, 900, 900])
    partial = case.trace.requests.with_columns(pl.Series("partial", [None, "tools-missing", None]))
    case = replace(
        case,
        trace=replace(case.trace, requests=partial),
        told=replace(case.told, verdict=["", "more", "more"]),
    )
    assert Shortfalls(case).explain(1) == "capture-partial"
    assert Shortfalls(case).explain(2) != "capture-partial"


def test_steps_of_the_server_explain_less_than_one_of_them() -> None:
    whole = _whole()
    floored = [hit // 128 * 128 for hit in whole]
    case = _cached(floored)
    assert step_of(case) == 128
    found = _confused(case)
    assert found.less > 0
    assert found.explained == {"rounding": found.less}
    floored[5] -= 128  # more than a step
    assert _confused(_cached(floored)).unexplained == 1


def _expecting(case: Case, request: int, expected: int) -> str | None:
    """The explanation if `expected` tokens were."""
    changed = case.told.expected.copy()
    changed[request] = expected
    verdict = ["as expected"] * len(case)
    verdict[request] = "less"
    return Shortfalls(replace(case, told=replace(case.told, expected=changed, verdict=verdict))).explain(
        request
    )


def test_a_whole_step_is_not_rounding_and_the_least_is_no_minimum() -> None:
    case = _cached([0, 256, 512, 768, 1024, 1280, 1536, 0])
    assert _expecting(case, 5, 1280 + 255) == "rounding"
    assert _expecting(case, 5, 1280 + 256) is None
    case = _cached([0, 300, 512, 768, 1025, 1280, 1536, 0])
    assert _expecting(case, 7, 299) == "below-minimum"
    assert _expecting(case, 7, 300) is None


@pytest.mark.parametrize(
    ("keys", "why"), [(("one", "two"), True), (("one", "one"), False), ((None, None), False)]
)
def test_a_first_request_with_a_key_of_its_own(keys: tuple[str | None, str | None], why: bool) -> None:
    shared = words("shared", 1500)
    sessions = []
    for at, key in enumerate(keys):
        extra = {} if key is None else {"prompt_cache_key": key}
        session = Session(
            name=f"s{at}",
            system=shared,
            model="gpt-5.1",
            url=_URL,
            extra=extra,
            start=1_800_000_000.0 + 50 * at,
        )
        session.user(words(f"question {at}", 40)).ask("answer")
        sessions.append(report(session, [0]))
    case = case_of(*sessions, engine=None)
    assert case.told.verdict == ["as expected", "less"]
    assert Shortfalls(case).explain(1) == ("routing-key-changed" if why else None)


def test_few_counts_say_nothing_about_steps() -> None:
    assert step_of(_cached([0, 256, 512, 768, 1024])) == 1
    assert step_of(_cached([0, 256, 512, 768, 1024, 1280])) == 256
    assert step_of(_cached([0, 300, 300, 300, 300, 300])) == 1  # one number five times
    assert least_of(_cached([0, 256, 512, 768, 1024])) == 0
    assert least_of(_cached([0, 700, 512, 768, 1024, 1280])) == 512


def test_less_than_the_least_that_was_ever_served_is_below_a_minimum() -> None:
    whole = _whole()
    assert whole[1] < whole[2]
    found = _confused(_cached([0, 0, *whole[2:]]))
    assert found.explained == {"below-minimum": 1}
    assert _confused(_cached([0, *whole[1:5], 0, *whole[6:]])).unexplained == 1


def test_another_routing_key_explains_less_and_not_more() -> None:
    session = Session(system=words("system", 1500), model="gpt-5.1", url=_URL)
    for turn in range(8):
        session.extra = {"prompt_cache_key": "one" if turn < 4 else "two"}
        session.user(words(f"question {turn}", 40)).ask("answer")
    hit = [int(tokens) for tokens in case_of(session, engine=None).replay.hit]
    found = _confused(case_of(report(session, [*hit[:4], 0, *hit[5:]]), engine=None))
    assert found.explained == {"routing-key-changed": 1}
    found = _confused(case_of(report(session, [*hit[:5], 0, *hit[6:]]), engine=None))
    assert found.explained == {}
    assert found.unexplained == 1


def test_a_bound_explains_less() -> None:
    found = _confused(_cached([0, 0, 0], engine="ideal"))
    assert found.explained == {"upper-bound": 2}


def _reasons(case: Case, given: Sequence[str | None]) -> Case:
    frame = case.trace.requests.with_columns(pl.Series("reported_miss_reason", given, dtype=pl.String()))
    return replace(case, trace=replace(case.trace, requests=frame))


def test_reasons_of_the_server_explain_less_and_stand_beside_ours() -> None:
    session = _session(3)
    session.messages[0]["content"] = words("another system", 400)
    session.user("more").ask("answer")
    case = case_of(report(session, [0, 0, 0, 0]), engine=None)
    case = _reasons(case, ["cold", "evicted", None, "prefix_changed"])
    found = _confused(case)
    assert found.reasons == {
        "changed system": {"prefix_changed": 1},
        "fresh": {"cold": 1},
        "hit": {"evicted": 1},
    }
    assert found.explained == {"server-reason": 1}  # request 2 gave none, 3 expects nothing
    assert found.unexplained == 1


def test_what_most_tokens_were_lost_to_is_ours() -> None:
    case = _cached([0] * 8, engine="lru", capacity="500")
    lost = [case.lost(request, "capacity") for request in range(8)]
    assert lost[5] > 0
    assert _confused(_reasons(case, [None] * 5 + ["evicted"] + [None] * 2)).reasons == {
        "capacity": {"evicted": 1}
    }


def test_a_captured_reason_is_read_as_the_server_gave_it() -> None:
    session = report(_session(2), [0, 0])
    session.calls[1].response["prompt_cache_diagnostics"] = {"type": "cache_miss", "reason": "no_prefix"}
    found = _confused(case_of(session, engine=None))
    assert found.reasons == {"hit": {"no_prefix": 1}}
    assert found.explained == {"server-reason": 1}
