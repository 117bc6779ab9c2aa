"""CL901: reported and computed tokens that do not agree, by model and over all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from tests.advise.rules.reporting import prompt_tokens, report
from tests.advise.sessions import Session, case_of, words


def _session(turns: int = 8, name: str = "s", model: str = "example-1") -> Session:
    session = Session(name=name, system=words(f"{name} system", 600), model=model)
    for turn in range(turns):
        session.user(words(f"{name} question {turn}", 30)).ask(words(f"answer {turn}", 10))
    return session


def _reporting(
    share: Callable[[int], float],
    scale: Callable[[int], int] = lambda tokens: tokens,
    name: str = "s",
    model: str = "example-1",
) -> Session:
    """A server that serves this share of the prompt before, by number of the request."""
    session = _session(name=name, model=model)
    before = [0, *prompt_tokens(session)]
    return report(session, [int(share(at) * scale(tokens)) for at, tokens in enumerate(before[:-1])], scale)


def fires() -> list[Session]:
    """Half as many tokens again in each prompt, and half of what was sent before is served."""
    return [_reporting(lambda at: 0.5 + 0.001 * at, lambda tokens: tokens * 3 // 2)]


def near_miss() -> list[Session]:
    """Five per cent more in each prompt, and all is served."""
    return [_reporting(lambda at: 1.0, lambda tokens: tokens * 21 // 20)]


def _look(*sessions: Session, **options: object) -> tuple[Case, dict[tuple[str, ...], Candidate]]:
    case = case_of(*sessions, **{"engine": None, **options})
    return case, {one.group: one for one in RULES.load("CL901")().find(case)}


def test_prompts_and_cached_tokens_apart() -> None:
    case, found = _look(*fires())
    assert found.keys() == {("prompts", "example-1"), ("cached", "less")}
    prompts = found["prompts", "example-1"]
    ours, theirs = int(case.work.prompt_tokens.sum()), int(case.told.prompt.sum())
    assert prompts.tokens == theirs - ours
    assert prompts.details["calibration factor"] == round(theirs / ours, 4) == pytest.approx(1.5, abs=0.001)
    assert prompts.details["smallest factor of a request"] == pytest.approx(1.5, abs=0.002)
    assert "50% more" in prompts.title
    cached = found["cached", "less"]
    assert cached.requests == list(range(1, 8))
    assert cached.tokens == int((case.told.expected - case.told.cached).sum()) > 3000
    served, expected = int(case.told.cached[1:].sum()), int(case.told.expected[1:].sum())
    assert cached.title.startswith(
        f"7 of 8 requests got {served:,} tokens from the cache where {expected:,} "
    )
    assert cached.details["requests as expected"] == 1
    assert all(one.verdict is Verdict.DIAGNOSTIC and one.plan is None for one in found.values())


def test_what_vocabularies_make_is_nothing() -> None:
    assert _look(*near_miss())[1] == {}


@pytest.mark.parametrize(("percent", "says"), [(109, False), (113, True), (93, False), (88, True)])
def test_ten_per_cent_of_the_prompt(percent: int, says: bool) -> None:
    session = _reporting(lambda at: 1.0, lambda tokens: tokens * percent // 100)
    assert (("prompts", "example-1") in _look(session)[1]) is says


def test_each_model_has_its_own_factor() -> None:
    one = _reporting(lambda at: 1.0, lambda tokens: tokens * 3 // 2)
    other = _reporting(lambda at: 1.0, name="t", model="example-2")
    assert _look(one, other)[1].keys() == {("prompts", "example-1")}


def test_fewer_than_the_capture_holds() -> None:
    _, found = _look(_reporting(lambda at: 1.0, lambda tokens: tokens // 2))
    assert "50% fewer" in found["prompts", "example-1"].title


def test_no_cached_token_in_any_request() -> None:
    case, found = _look(_reporting(lambda at: 0.0))
    assert found.keys() == {("cached", "never")}
    one = found["cached", "never"]
    assert one.tokens == int(case.told.expected.sum()) > 3000
    assert one.requests == list(range(1, 8))
    assert one.details["engine replayed"] == "sglang"


def test_more_than_was_simulated() -> None:
    # A cache that holds nothing, against a server that held everything.
    case, found = _look(_reporting(lambda at: 1.0), engine="lru", capacity="100")
    assert found.keys() == {("cached", "more")}
    assert found["cached", "more"].tokens == int((case.told.cached - case.told.expected)[1:].sum())


def test_a_bound_is_not_held_against_a_server_that_serves_less() -> None:
    assert _look(_reporting(lambda at: 0.5), engine="ideal")[1] == {}


def test_a_server_that_counts_in_steps_is_explained() -> None:
    session = _session()
    before = [0, *prompt_tokens(session)]
    _, found = _look(report(session, [tokens // 256 * 256 for tokens in before[:-1]]))
    assert found == {}


def test_requests_of_scattered_routing_are_not_told_twice() -> None:
    session = _reporting(lambda at: 0.0 if at % 3 == 2 else 1.0)
    case, found = _look(session)
    (scattered,) = RULES.load("CL404")().find(case)
    assert scattered.requests == [2, 5]
    assert found == {}


def test_requests_without_usage_say_nothing() -> None:
    assert _look(_session())[1] == {}
