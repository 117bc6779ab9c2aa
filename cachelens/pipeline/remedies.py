"""Which remedies are told, and what they save together. In: candidates, a bench. Out: savings, `Remedies`.

Remedies overlap and can be in each other's way: clearing old output where a broken prefix is computed anyway
does harm once nothing breaks it. What is worse than leaving it out is not part of all together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan, join
from cachelens.model.findings import Remedies, Saving
from cachelens.pipeline.savings import Bench

#: Causes hide one another when the sum of what each saves alone is off what all save by this share.
_HIDDEN = 0.01
#: Most remedies for which leaving one out is replayed.
_LEFT_OUT = 24


@dataclass(frozen=True)
class Found:
    """A candidate of a rule, and what its remedy saves by itself (None: there is no remedy to replay)."""

    code: str
    name: str
    candidate: Candidate
    saving: Saving | None

    @property
    def plan(self) -> Plan:
        """Its remedy; an empty plan where there is none."""
        return self.candidate.plan if self.candidate.plan is not None else Plan()


def worth_telling(case: Case, found: Found) -> bool:
    """Whether a finding is large enough to take the time of whoever reads it: see `Thresholds`."""
    candidate, saving, limits = found.candidate, found.saving, case.thresholds
    if candidate.verdict is Verdict.DIAGNOSTIC:
        return True
    least = max(limits.min_tokens, limits.min_share * case.computed)
    if saving is not None and saving.computed_tokens >= least:
        return True
    if saving is not None and saving.cost_usd is not None and saving.cost_share is not None:
        return saving.cost_share >= limits.min_share
    if candidate.measure == "carried":
        prompt = int(case.work.prompt_tokens.sum())
        return saving is None and candidate.tokens >= max(limits.min_tokens, limits.carried_share * prompt)
    return candidate.tokens >= least


def left_out(bench: Bench, found: Sequence[Found]) -> list[int | None]:
    """Tokens computed more when of all remedies one is left out; None where that is what it saves alone."""
    active = [at for at, one in enumerate(found) if not one.plan.empty]
    missing: list[int | None] = [None] * len(found)
    if not 1 < len(active) <= _LEFT_OUT:
        return missing
    plans = [found[at].plan for at in active]
    alone = sum(saving.computed_tokens for at in active if (saving := found[at].saving) is not None)
    together = bench.base.computed - bench.bill(join(plans)).computed
    if abs(alone - together) <= _HIDDEN * max(together, 1):
        return missing
    for index, at in enumerate(active):
        missing[at] = bench.left_out(plans, index)
    return missing


def helpful(bench: Bench, found: Sequence[Found], missing: Sequence[int | None]) -> list[Found]:
    """The remedies that are followed all together: all, or where some are in the way of others those that help."""
    active = [one for one in found if not one.plan.empty]
    best = max((one.saving.computed_tokens for one in active if one.saving is not None), default=0)
    whole = _together(bench, active)
    harmful = any(tokens is not None and tokens < 0 for tokens in missing)
    if whole is not None and (harmful or whole.computed_tokens < best):
        return _helpful(bench, active)
    return active


def remedies(
    bench: Bench, found: Sequence[Found], chosen: Sequence[Found], what_if: Sequence[str]
) -> Remedies:
    """What `chosen` save in one replay, those of them that leave the model's input as it is, and those asked for."""
    asked = [one for one in found if one.code in what_if]
    return Remedies(
        all_together=_together(bench, chosen),
        same_input=_together(bench, [one for one in chosen if not one.candidate.changes_input]),
        excluded=tuple(dict.fromkeys(one.code for one in found if not one.plan.empty and one not in chosen)),
        what_if=_together(bench, asked) if what_if else None,
        what_if_codes=tuple(what_if),
    )


def _helpful(bench: Bench, found: Sequence[Found]) -> list[Found]:
    """Remedies that together save more than without any one that came later: most saved first, one by one."""
    chosen: list[Found] = []
    computed = bench.base.computed
    for one in found:
        bill = bench.bill(join([*(other.plan for other in chosen), one.plan]))
        if bill.computed < computed or (not chosen and bill.computed == computed):
            chosen.append(one)
            computed = bill.computed
    return chosen


def _together(bench: Bench, found: Sequence[Found]) -> Saving | None:
    plan = join(one.plan for one in found)
    return None if plan.empty else bench.saving(plan)
