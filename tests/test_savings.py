"""What a remedy saves is the difference to the session that never had the fault: another capture, replayed anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.model.findings import Saving
from cachelens.model.options import AnalyzeOptions
from cachelens.model.trace import Trace
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.savings import Bench, order_of, rewritten
from cachelens.simulate.workload import workload
from tests.advise.sessions import case_of, trace_of
from tests.truth.plant import CAUSES, never
from tests.truth.story import Story, put_in, story
from tests.truth.tables import prompt_ids

#: Engines with settings under which they hit, evict and lose parts of pages.
ENGINES: dict[str, dict[str, object]] = {
    "ideal": {},
    "sglang": {"capacity": "9000"},
    "vllm": {"capacity": "12000"},
    "lru": {"capacity": "5000"},
}


def pair(names: Sequence[str], others: Sequence[str] = ()) -> tuple[list[Story], list[Story]]:
    """Two sessions with causes, and their twins without."""
    planted = [
        story("one", [CAUSES[name]() for name in names]),
        story("two", [CAUSES[name]() for name in others], start=1_800_000_003.0),
    ]
    twins = [
        story("one", [never(name) for name in names]),
        story("two", [never(name) for name in others], start=1_800_000_003.0),
    ]
    return planted, twins


def undo(case: Case, silent: bool) -> Plan:
    numbers = frozenset(edit.number for edit in case.past.edits if not edit.sibling)
    return Plan(undo=numbers, silent=numbers if silent else frozenset())


@cache
def traces(name: str) -> tuple[Trace, Trace]:
    """A session with one cause beside a clean one, and its twin."""
    planted, twins = pair([name])
    return trace_of(*planted), trace_of(*twins)


def cases(name: str, **options: Any) -> tuple[Case, Case]:
    """Both under one cache."""
    one, other = (build_case(trace, AnalyzeOptions(**options))[0] for trace in traces(name))
    return one, other


def computed(case: Case) -> int:
    return int((case.work.prompt_tokens - case.replay.hit).sum())


@pytest.mark.parametrize("name", CAUSES)
def test_the_remedied_trace_is_the_clean_twin_token_by_token(name: str) -> None:
    case, twin = cases(name, engine="ideal")
    made = rewritten(case, undo(case, silent=True))
    assert [prompt_ids(made, at) for at in range(len(made))] == [
        prompt_ids(twin.trace, at) for at in range(len(twin))
    ]
    # Replies are those of the capture.
    assert [prompt_ids(made, at, True) for at in range(len(made))] == [
        prompt_ids(twin.trace, at, True) for at in range(len(twin))
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CAUSES)
def test_a_silent_remedy_saves_the_difference_to_the_twin(name: str, engine: str) -> None:
    case, twin = cases(name, engine=engine, **ENGINES[engine])
    saving = Bench(case, None).saving(undo(case, silent=True))
    assert saving.computed_tokens == computed(case) - computed(twin)
    assert saving.prompt_tokens == int(case.work.prompt_tokens.sum() - twin.work.prompt_tokens.sum())
    assert saving.share == saving.computed_tokens / computed(case)


@pytest.mark.parametrize("name", CAUSES)
def test_what_is_not_silent_is_sent_once_and_carried_on(name: str) -> None:
    """Counted on the texts themselves: new tokens of each request are computed once more than in the twin."""
    planted, twins = pair([name])
    case, twin = cases(name, engine="ideal")
    new = put_in(planted, twins)
    carried, lineage = [0] * len(case), case.trace.predecessor.tolist()
    for at, before in enumerate(lineage):
        carried[at] = new[at] + (carried[before] if before >= 0 else 0)
    made = workload(rewritten(case, undo(case, silent=False)))
    assert (made.prompt_tokens - twin.work.prompt_tokens).tolist() == carried
    more = made.prompt_tokens - made.reusable() - (twin.work.prompt_tokens - twin.reusable)
    assert more.tolist() == new


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.sampled_from(["nonce", "reorder", "description", "pruned", "respelled", "unfaithful"]), unique=True
    )
)
def test_all_remedies_together_give_the_twin_whatever_is_mixed(names: list[str]) -> None:
    planted, twins = pair(names, names[::2])
    case, twin = case_of(*planted), case_of(*twins)
    bench = Bench(case, None)
    saving = bench.saving(undo(case, silent=True))
    assert saving.computed_tokens == computed(case) - computed(twin)
    assert bench.left_out([Plan(), undo(case, silent=True)], 1) == saving.computed_tokens
    assert bench.saving(Plan()).computed_tokens == 0


def test_remedies_hide_one_another_and_what_each_adds_is_told() -> None:
    """A clock in front of a nonce: to mend either alone saves nothing behind the other."""
    case = case_of(story("one", [CAUSES["nonce"](), CAUSES["respelled"]()]))
    by_kind = {
        kind: frozenset(edit.number for edit in case.past.edits if edit.kind == kind)
        for kind in ("changed", "respelled")
    }
    plans = [Plan(undo=numbers, silent=numbers) for numbers in by_kind.values()]
    bench = Bench(case, None)
    alone = [bench.saving(plan).computed_tokens for plan in plans]
    together = bench.saving(plans[0] | plans[1]).computed_tokens
    assert bench.left_out(plans, 0) == together - alone[1]
    assert bench.left_out(plans, 1) == together - alone[0]


def test_a_plan_for_the_cache_alone_is_replayed_without_rewriting() -> None:
    case = case_of(*pair([])[0], engine="lru", capacity="2000")
    bench = Bench(case, None)
    larger = case_of(*pair([])[0], engine="lru", capacity="20000")
    saving = bench.saving(Plan(capacity_tokens=20000))
    assert saving.computed_tokens == computed(case) - computed(larger) > 0
    assert saving.prompt_tokens == 0


def test_findings_come_by_money_only_where_every_remedy_has_a_price() -> None:
    def saving(tokens: int, usd: float | None) -> Saving:
        return Saving(computed_tokens=tokens, prompt_tokens=0, share=0.0, cost_usd=usd)

    assert order_of([saving(5, 1.0), saving(9, 0.5), None], [1, 1, 99]) == [0, 1, 2]
    assert order_of([saving(5, None), saving(9, 0.5), None], [1, 1, 99]) == [1, 0, 2]
    assert order_of([None, None, saving(0, 0.0)], [5, 7, 1]) == [2, 1, 0]
    assert order_of([saving(5, 1.0), saving(5, 1.0)], [1, 2]) == [1, 0]


def test_the_base_is_what_the_case_replayed() -> None:
    case = case_of(*pair(["clock"])[0], engine="sglang", capacity="4000")
    bench = Bench(case, None)
    assert bench.base.computed == computed(case)
    assert bench.base.prompt == int(np.sum(case.work.prompt_tokens))
