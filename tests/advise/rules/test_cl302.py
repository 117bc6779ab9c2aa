"""CL302: compaction that came too early, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cachelens.advise.candidate import Verdict
from cachelens.advise.rules import RULES
from cachelens.advise.rules.compactions import compactions
from tests.advise.rules import test_cl109
from tests.advise.sessions import Session, candidates, case_of, tool, words

OPENAI = "https://api.openai.com/v1/chat/completions"


def growing(steps: int, tokens: int, name: str = "s") -> Session:
    """A session that is never compacted."""
    tools = [tool("look_up", what="string")]
    session = Session(name, system=words("system", 700), tools=tools, url=OPENAI, model="gpt-4.1")
    session.user("the task").steps(steps, tokens=tokens)
    session.ask()
    return session


def early() -> Session:
    return test_cl109.across(0, steps=8, side=True)


def fires() -> list[Session]:
    """The second is about a cache with prices."""
    return [early(), growing(60, 400)]


def near_miss() -> list[Session]:
    """Compaction that paid; a short session; a long one with little history; one that would have saved 12 %."""
    return [
        test_cl109.across(12, steps=8),
        growing(20, 400, "short"),
        growing(60, 10, "lean"),
        growing(40, 150, "little"),
    ]


def test_too_few_requests_follow() -> None:
    case = case_of(early())
    (found,) = RULES.load("CL302")().find(case)
    assert found.group == ("early",)
    assert found.verdict is Verdict.DIAGNOSTIC
    assert list(found.requests) == [9]
    (one,) = compactions(case)
    assert one.payback is not None
    assert 2 * one.later < one.payback
    assert found.tokens == one.computed + one.writer_computed
    assert found.details["requests it takes, at most"] == one.payback


def test_half_of_the_payback_is_not_early() -> None:
    seen: set[bool] = set()
    for later in range(5):
        session = test_cl109.across(later, steps=3, side=True)
        case = case_of(session)
        (one,) = compactions(case)
        assert one.payback is not None
        seen.add(2 * one.later < one.payback)
        assert bool(list(RULES.load("CL302")().find(case))) is (2 * one.later < one.payback)
    assert seen == {False, True}


def test_never_compacted() -> None:
    session = growing(60, 400)
    case = case_of(session, engine="openai")
    (found,) = RULES.load("CL302")().find(case)
    assert found.group == ("late",)
    assert found.verdict is Verdict.DIAGNOSTIC
    (best,) = found.requests
    assert found.tokens == found.details["tokens left out of each later prompt, at most"] * (
        len(case) - best - 2
    )
    # By hand, at 2, 0.50 and 8 dollars: nothing else is better, and it is more than a fifth of everything.
    columns = case.work.prompt_tokens, case.replay.hit, case.work.output_tokens
    prompt, hit, output = ([int(one) for one in column] for column in columns)
    head = sum(case.tokens(row) for row in case.path(0)[:2].tolist())

    def saved(at: int) -> Decimal:
        kept = max(2000, (prompt[at] - head) // 5)
        dropped = max(0, prompt[at] - head - kept)
        return (
            Decimal(len(case) - at - 2) * dropped * Decimal("0.5")
            - kept * Decimal(10)
            - head * Decimal("0.5")
        )

    assert best == max(range(len(case) - 22), key=lambda at: (saved(at), -at))
    total = sum(
        (p - h) * Decimal(2) + h * Decimal("0.5") + o * Decimal(8)
        for p, h, o in zip(prompt, hit, output, strict=True)
    )
    assert saved(best) > total / 5


def test_no_price_no_word() -> None:
    assert candidates("CL302", growing(60, 400)) == []
    assert candidates("CL302", growing(60, 400), engine="anthropic") == []


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
@pytest.mark.parametrize("engine", ["ideal", "openai"])
def test_nothing_to_say(session: Session, engine: str) -> None:
    assert candidates("CL302", session, engine=engine) == []
