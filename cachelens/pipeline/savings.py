"""What remedies save, by replaying the trace as they would make it. In: a case, plans. Out: `Saving`s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cachelens.advise.case import Case
from cachelens.advise.plan import Plan, join
from cachelens.advise.rewrite import rewrite
from cachelens.model.findings import Saving
from cachelens.model.trace import Trace
from cachelens.pipeline.costs import cost_of
from cachelens.simulate.engine import Setup
from cachelens.simulate.models.cost import prefill_flops
from cachelens.simulate.models.shapes import Shape
from cachelens.simulate.system_messages import system_in_place
from cachelens.simulate.workload import Workload, workload


@dataclass(frozen=True)
class Bill:
    """What a replay comes to. `cost_usd` None: no price. `flops` None: no model."""

    computed: int
    prompt: int
    cost_usd: float | None
    flops: float | None


@dataclass
class Bench:
    """Replays plans on one case, each once. `shape`: of the model whose FLOPs are counted, None for none."""

    case: Case
    shape: Shape | None

    def __post_init__(self) -> None:
        self._bills: list[tuple[Plan, Bill]] = []
        self.base = self._bill(self.case.work, self.case.setup)

    def saving(self, plan: Plan) -> Saving:
        """What following `plan` saves."""
        bill = self.bill(plan)
        base = self.base
        computed = base.computed - bill.computed
        return Saving(
            computed_tokens=computed,
            prompt_tokens=base.prompt - bill.prompt,
            share=computed / base.computed if base.computed else 0.0,
            cost_usd=(cost := _less(base.cost_usd, bill.cost_usd)),
            cost_share=cost / base.cost_usd if cost is not None and base.cost_usd else None,
            flops=_less(base.flops, bill.flops),
        )

    def bill(self, plan: Plan) -> Bill:
        """What the trace comes to when `plan` is followed."""
        found = next((bill for known, bill in self._bills if known == plan), None)
        if found is None:
            work = workload(rewritten(self.case, plan), self.case.work) if plan.rewrites else self.case.work
            found = self._bill(work, setup_of(self.case.setup, plan))
            self._bills.append((plan, found))
        return found

    def left_out(self, plans: Sequence[Plan], at: int) -> int:
        """Tokens computed more when of all `plans` the one at `at` is left out."""
        whole = self.bill(join(plans))
        without = self.bill(join(plan for index, plan in enumerate(plans) if index != at))
        return without.computed - whole.computed

    def _bill(self, work: Workload, setup: Setup) -> Bill:
        case = self.case
        replay = (
            case.replay if work is case.work and setup == case.setup else case.engine(work, setup).replay()
        )
        prompt = work.prompt_tokens
        cost, _ = cost_of(work, case.engine_name, replay)
        flops = None if self.shape is None else float(prefill_flops(self.shape, replay.hit, prompt).sum())
        return Bill(int((prompt - replay.hit).sum()), int(prompt.sum()), cost, flops)


def rewritten(case: Case, plan: Plan) -> Trace:
    """The trace as it would be if `plan` were followed."""
    trace = rewrite(case.trace, case.past, plan)
    return system_in_place(trace) if plan.system_in_place else trace


def setup_of(setup: Setup, plan: Plan) -> Setup:
    """The setup as `plan` would have it."""
    options = {**setup.options, **plan.options}
    capacity = setup.capacity_tokens if plan.capacity_tokens is None else plan.capacity_tokens
    return replace(setup, capacity_tokens=capacity, options=options)


def _less(base: float | None, other: float | None) -> float | None:
    return None if base is None or other is None else base - other


def order_of(savings: Sequence[Saving | None], tokens: Sequence[int]) -> list[int]:
    """Indexes by what is saved, most first: money where every remedy has a price, else computed tokens."""
    priced = all(saving is None or saving.cost_usd is not None for saving in savings)

    def key(at: int) -> tuple[bool, float, int, int]:
        saving = savings[at]
        if saving is None:
            return (True, 0.0, -tokens[at], at)
        amount = saving.cost_usd if priced and saving.cost_usd is not None else saving.computed_tokens
        return (False, -float(np.float64(amount)), -tokens[at], at)

    return sorted(range(len(savings)), key=key)
