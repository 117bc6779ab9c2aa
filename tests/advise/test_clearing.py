"""Clearing on traces: the planner's sums are those of replays, and its choice is close to the best of all plans."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.case import Case, TokenPrices
from cachelens.advise.clearing import clearing
from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import STUB_TOKENS
from cachelens.advise.surplus import LATER, Region
from cachelens.model.options import AnalyzeOptions
from cachelens.pipeline import analyze
from cachelens.pipeline.savings import rewritten
from cachelens.simulate.workload import workload
from cachelens.tokens.encodings import load_encoding
from tests.advise.sessions import Session, case_of, words


@st.composite
def scripts(draw: st.DrawFn) -> Session:
    """A short session in which calls are made again and get other answers; at times its first message changes."""
    session = Session("clear").user("go")
    for number in range(draw(st.integers(2, 5))):
        session.use(
            "state", {"of": draw(st.sampled_from("ab"))}, words(f"state {number}", draw(st.integers(10, 90)))
        )
        if draw(st.integers(0, 3)) == 0:
            session.messages[0]["content"] = f"go {number}"
    for number in range(draw(st.integers(1, 3))):
        session.ask(words(f"answer {number}", draw(st.integers(1, 30))))
        session.user(f"question {number}")
    return session


def cost(case: Case, plan: Plan) -> float:
    """What the rewritten trace costs at the prices of the case, by replay; writes are what a plan breaks."""
    prices = case.prices
    assert prices is not None
    work = workload(rewritten(case, plan)) if plan.rewrites else case.work
    hit = case.engine(work, case.setup).replay().hit
    prompt = work.prompt_tokens
    return float((prices.read * hit + prices.computed * (prompt - hit)).sum())


def later(case: Case) -> list[Region]:
    return [part for region in case.surplus if (part := region.only(LATER)) is not None]


def rows_at(case: Case, regions: Sequence[Region]) -> dict[int, list[int]]:
    """By request: rows that may be cleared in it."""
    found: dict[int, list[int]] = {}
    for region in regions:
        for start, stop in region.runs:
            for request in case.tree.requests[start:stop].tolist():
                found.setdefault(request, []).append(region.row)
    return found


def every_plan(rows: Mapping[int, Sequence[int]]) -> list[Plan]:
    requests = sorted(rows)
    choices = [
        [
            frozenset(chosen)
            for size in range(len(rows[r]) + 1)
            for chosen in itertools.combinations(rows[r], size)
        ]
        for r in requests
    ]
    plans = []
    for chosen in itertools.islice(itertools.product(*choices), 300):
        plans.append(Plan(clear={r: c for r, c in zip(requests, chosen, strict=True) if c}))
    return plans


def priced(session: Session, read: float, computed: float) -> Case:
    case = case_of(session)
    ones = np.ones(len(case))
    case.prices = TokenPrices(read * ones, computed * ones, computed * ones)
    return case


@settings(max_examples=15, deadline=None)
@given(scripts(), st.sampled_from([(0.0, 1.0), (0.3, 1.0), (0.8, 1.0)]))
def test_choice_is_never_worse_than_nothing_and_close_to_the_best(
    session: Session, prices: tuple[float, float]
) -> None:
    case = priced(session, *prices)
    regions = later(case)
    chosen = clearing(case, regions)
    base = cost(case, Plan())
    best = min((cost(case, plan) for plan in every_plan(rows_at(case, regions))), default=base)
    own = base if chosen.plan is None else cost(case, chosen.plan)
    assert own <= base + 1e-6
    # A stub is cut from its text, so plans may differ by what frames it.
    assert base - own >= 0.8 * (base - best) - 1e-6


def superseded() -> Case:
    """A call that is made again and answered otherwise, with eight requests behind it."""
    session = Session("superseded").user("go")
    session.use("state", {"of": "a"}, words("old", 200))
    session.use("state", {"of": "a"}, words("new", 50))
    for number in range(8):
        session.ask(f"answer {number}")
        session.user(f"question {number}")
    return priced(session, 0.3, 1.0)


def test_figures_of_the_sentence_are_those_of_the_replay() -> None:
    case = superseded()
    found = clearing(case, later(case))
    assert found.plan is not None
    work = workload(rewritten(case, found.plan))
    replay = case.engine(work, case.setup).replay()
    fewer = int((case.work.prompt_tokens - work.prompt_tokens).sum())
    more = int((work.prompt_tokens - replay.hit).sum()) - case.computed
    said = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", found.break_even)]
    assert said[1:] == [more, fewer]
    assert said[0] * 8 == fewer


def test_what_is_cleared_stays_so_when_another_label_takes_over_and_counts_once() -> None:
    """The text at hand is never referred to, then answered anew; and a change in front sends it as another row."""
    dump = "\n".join(f"state_value_{number} is set" for number in range(7000, 7060))
    session = Session("twice", system="at 1").user("go")
    session.use("state", {"of": "db"}, dump)
    session.steps(14)
    session.messages[0]["content"] = "at 2"
    session.steps(3)
    session.messages[0]["content"] = "at 3"
    session.steps(2)
    session.use("state", {"of": "db"}, dump.replace("is set", "is now set to"))
    session.steps(3)
    case = case_of(session)
    parts = [part for region in case.surplus if (part := region.only({"unreferenced"})) is not None]
    regions = [part for part in parts if case.text(part.row) == dump]
    assert max(part.prompts for part in regions) < len(case) - 18
    found = clearing(case, regions)
    assert found.plan is not None
    assert len(found.plan.clear) == 2
    fewer = int((case.work.prompt_tokens - workload(rewritten(case, found.plan)).prompt_tokens).sum())
    said = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", found.break_even)]
    size = len(load_encoding("o200k_base").encode(dump)) - STUB_TOKENS
    first = min(found.plan.clear)
    assert said == [2, size, fewer]
    assert fewer == size * (len(case) - first)


def test_a_trace_with_something_cleared_can_be_analyzed() -> None:
    case = superseded()
    plan = clearing(case, later(case)).plan
    assert plan is not None
    (request,) = plan.clear
    work = workload(rewritten(case, plan))
    result = analyze(rewritten(case, plan), AnalyzeOptions())
    assert result.totals.prompt_tokens == int(work.prompt_tokens.sum())
    # Its stub is other text than what stood there, so it shows as the edit that it is.
    assert [at for at, row in enumerate(result.requests) if row.break_] == [request]


def test_break_even_of_what_does_not_pay() -> None:
    session = Session("late").user("go")
    session.use("state", {"of": "a"}, words("old", 100))
    session.use("look_up", {"what": "x"}, words("much behind it", 400))
    session.use("state", {"of": "a"}, words("new", 50))
    session.ask("one")
    session.user("more").ask("two")
    case = priced(session, 0.1, 1.0)
    found = clearing(case, later(case))
    assert found.plan is None
    cleared, behind, needed, followed = (
        int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", found.break_even)
    )
    assert followed < needed
    # The smallest number of requests in which the saved reads outweigh what is computed again.
    assert needed * cleared * 0.1 >= behind * 0.9 > (needed - 1) * cleared * 0.1


def test_parts_of_a_text_are_not_cleared() -> None:
    lines = [f"{number}\t{words(f'line {number}', 8)}" for number in range(1, 61)]
    session = Session("parts").user("go")
    session.use("read_file", {"path": "a", "start_line": 1, "end_line": 40}, "\n".join(lines[:40]))
    session.use("read_file", {"path": "a", "start_line": 21, "end_line": 60}, "\n".join(lines[20:]))
    session.ask("done")
    case = priced(session, 0.9, 1.0)
    assert later(case)
    found = clearing(case, later(case))
    assert found.plan is None
    assert found.break_even == "only parts of texts are superfluous, and parts cannot be cleared"


def test_what_was_cleared_before_a_fork_is_not_cleared_again() -> None:
    session = Session("fork").user("go")
    session.use("state", {"of": "a"}, words("old", 300))
    session.use("state", {"of": "a"}, words("new", 50))
    session.ask("one")
    session.user("left")
    fork = list(session.messages[:-1])
    for number in range(6):
        session.ask(f"left {number}")
        session.user(f"more {number}")
    session.messages = [*fork, {"role": "user", "content": "right"}]
    for number in range(3):
        session.ask(f"right {number}")
        session.user(f"and {number}")
    case = priced(session, 0.5, 1.0)
    found = clearing(case, later(case))
    assert found.plan is not None
    assert len(found.plan.clear) == 1
    fewer = int((case.work.prompt_tokens - workload(rewritten(case, found.plan)).prompt_tokens).sum())
    said = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", found.break_even)]
    assert said[-1] == fewer
    # It is gone from both sides.
    size = fewer // (len(case) - 2)
    assert size * (len(case) - 2) == fewer > 250 * (len(case) - 2)
