"""CL205 failed-rerun."""

from __future__ import annotations

import numpy as np

from cachelens.advise.candidate import Verdict
from cachelens.advise.case import TokenPrices
from cachelens.advise.rules.cl205_failed_rerun import FailedRerun
from tests.advise.rules.outputs import STUB_TOKENS, saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_FAILURE = "Exit code 1\n" + words("what failed", 200)
_CALL = ("bash", {"command": "pytest -x"})


def fires() -> list[Session]:
    """Tests that fail, and pass when they run again."""
    session = Session("tests").user("mend it")
    session.use(*_CALL, _FAILURE)
    session.use("look_up", {"what": "x"}, words("x", 20))
    session.use(*_CALL, "Exit code 0\n12 passed")
    for turn in range(3):
        session.ask(f"answer {turn}")
        session.user(f"question {turn}")
    return [session]


def near_miss() -> list[Session]:
    """A failure that did not run again, one command that passed twice, and another one after a failure."""
    session = Session("once").user("mend it")
    session.use("bash", {"command": "make a"}, _FAILURE)
    session.use("bash", {"command": "make b"}, "Exit code 0\n" + words("b", 100))
    session.use("bash", {"command": "make b"}, "Exit code 0\n" + words("b again", 100))
    session.ask("done")
    return [session]


def test_a_failure_counts_from_the_rerun_on_with_its_call() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL205", *fires())
    call = tokens_of('bash\n{"command": "pytest -x"}')
    assert list(found.requests) == [3, 4, 5]
    assert found.tokens == 3 * (tokens_of(_FAILURE) + call)
    assert found.group == ("bash",)
    assert found.details["outputs"] == 1
    assert found.details["largest"] == tokens_of(_FAILURE)
    assert found.place is not None
    assert case.text(found.place.row) == _FAILURE
    # It is no earlier answer to the same call as well.
    assert candidates("CL201", *fires()) == []
    assert found.plan is None
    assert found.verdict is Verdict.LEGITIMATE
    assert "does not pay" in str(found.break_even)


def test_other_commands_and_commands_that_passed_do_not_count() -> None:
    assert candidates("CL205", *near_miss()) == []


def test_a_failure_repeated_word_for_word_is_a_copy() -> None:
    session = Session("same").user("mend it")
    session.use(*_CALL, _FAILURE)
    session.use(*_CALL, _FAILURE)
    session.ask("done")
    assert candidates("CL205", session) == []
    (copy,) = candidates("CL201", session)
    assert copy.tokens == tokens_of(_FAILURE)
    session.user("more")
    session.use(*_CALL, "Exit code 0\n12 passed")
    session.ask("done")
    (found,) = candidates("CL205", session)
    # Once they pass, the first failure is as superfluous as its copy, which counts as a copy.
    assert found.details["outputs"] == 1
    assert list(found.requests) == [4]


def test_where_reads_are_dear_it_is_cleared_and_the_replay_agrees() -> None:
    (session,) = fires()
    for turn in range(20):
        session.ask(f"later {turn}")
        session.user(f"and {turn}")
    case = case_of(session)
    ones = np.ones(len(case))
    case.prices = TokenPrices(0.1 * ones, ones, 1.25 * ones)
    (found,) = FailedRerun().find(case)
    assert found.plan is not None
    assert found.verdict is Verdict.AVOIDABLE
    (at,) = found.plan.clear
    assert at == 3
    size = tokens_of(_FAILURE) - STUB_TOKENS
    saved = saving(case, found)
    cleared_call = saved.prompt_tokens - size * (len(case) - 3)
    assert 0 <= cleared_call < 10 * len(case)
    assert saved.computed_tokens < 0
    assert f"{saved.prompt_tokens:,} fewer" in str(found.break_even)
    assert f"{-saved.computed_tokens:,} behind" in str(found.break_even)
