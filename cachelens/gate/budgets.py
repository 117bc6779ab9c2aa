"""Budgets on headline figures. In: results of runs, budgets, a baseline. Out: `Check`s."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from cachelens.errors import UsageError
from cachelens.gate.metrics import METRICS, Metric, Value, median_of, metric_named, parse_value, shown
from cachelens.model.result import Result
from cachelens.model.verdict import Check

_BUDGET: Final = re.compile(r"\s*([a-z-]+)\s*(<=|>=)\s*(\S.*)")


@dataclass(frozen=True)
class Budget:
    """A figure that may not be below (`at_least`) or above `limit`. `per_session`: nor that of any session."""

    metric: Metric
    at_least: bool
    limit: Fraction
    per_session: bool = False

    @property
    def title(self) -> str:
        """As it is asked for on the command line."""
        return f"{'min' if self.at_least else 'max'}-{self.metric.name}"

    def met(self, value: Fraction) -> bool:
        """Whether `value` is within, exactly."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Regression:
    """How much worse than the baseline a figure may be. `relative`: as a share of the baseline's value."""

    metric: Metric
    allowed: Fraction
    relative: bool = False


def parse_budget(text: str, per_session: bool = False) -> Budget:
    """`hit-rate >= 80%` or `computed-tokens <= 2M`. Raises UsageError for anything else."""
    found = _BUDGET.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no budget", "such as 'hit-rate>=80%' or 'computed-tokens<=2M'")
    metric = metric_named(found.group(1))
    return Budget(metric, found.group(2) == ">=", parse_value(metric, found.group(3)), per_session)


def named_budget(name: str, text: str, per_session: bool = False) -> Budget:
    """`min-hit-rate` or `max-waste` with its amount. Raises UsageError for anything else."""
    direction, _, metric = name.partition("-")
    if direction not in ("min", "max"):
        raise UsageError(f"{name!r} is no budget", "a budget begins with min- or max-")
    known = metric_named(metric)
    return Budget(known, direction == "min", parse_value(known, text), per_session)


def parse_regression(text: str) -> Regression:
    """`2pp` of the hit rate, or `computed-tokens=5%`: of a metric, relative where it is no share. Raises UsageError."""
    name, equals, amount = text.partition("=")
    metric = metric_named(name.strip()) if equals else METRICS["hit-rate"]
    amount = amount.strip() if equals else name.strip()
    if metric.unit == "share":
        if amount.endswith("%"):
            raise UsageError(
                f"max-regression {text!r}: of a share it is in percentage points", f"such as {amount[:-1]}pp"
            )
        return Regression(metric, parse_value(metric, amount, difference=True))
    if amount.endswith("%"):
        return Regression(metric, parse_value(METRICS["hit-rate"], amount), relative=True)
    return Regression(metric, parse_value(metric, amount))


def check_budget(
    budget: Budget, runs: Sequence[Result], baseline: Mapping[str, tuple[int, int]], culprit: str | None
) -> Check:
    """One budget on the median of several runs; what the baseline had is told beside it."""
    metric = budget.metric
    session = None
    if budget.per_session:
        worst = [_worst(metric, metric.by_session(run)) for run in runs]
        value = median_of([found for found, _ in worst])
        session = next((name for found, name in worst if found == value), None)
    else:
        value = median_of([metric.value(run) for run in runs])
    # What does not exist is not too much, and not enough.
    passed = budget.met(value) if value is not None else not budget.at_least
    if value is None and metric.unit == "usd":
        raise UsageError(
            f"{budget.title}: this engine has no prices", "choose an API engine, or another budget"
        )
    sign = ">=" if budget.at_least else "<="
    known = metric.name in baseline and not budget.per_session
    before = Fraction(*baseline[metric.name]) if known else None
    return Check(
        kind="budget",
        name=metric.name,
        title=f"{budget.title} of each session" if budget.per_session else budget.title,
        status="passed" if passed else "failed",
        expected=f"{sign} {shown(metric, budget.limit, value)}",
        found=shown(metric, value, budget.limit),
        baseline=None if before is None else shown(metric, before, value),
        baseline_value=None if before is None else float(before),
        limit=float(budget.limit),
        value=None if value is None else float(value),
        session=session,
        culprit=None if passed else culprit,
    )


def check_regression(
    regression: Regression,
    runs: Sequence[Result],
    baseline: Mapping[str, tuple[int, int]],
    culprit: str | None,
) -> Check:
    """One figure against the baseline."""
    metric = regression.metric
    value = median_of([metric.value(run) for run in runs])
    if metric.name not in baseline or value is None:
        raise UsageError(
            f"max-regression: there is no {metric.name} to compare",
            "write the baseline anew (--update-baseline)",
        )
    before = Fraction(*baseline[metric.name])
    slack = regression.allowed * before if regression.relative else regression.allowed
    limit = max(before - slack, Fraction(0)) if metric.more_is_better else before + slack
    passed = not metric.worse(value, limit)
    sign = ">=" if metric.more_is_better else "<="
    return Check(
        kind="regression",
        name=metric.name,
        title=f"max-regression of {metric.name}",
        status="passed" if passed else "failed",
        expected=f"{sign} {shown(metric, limit, value)}",
        found=shown(metric, value, limit),
        baseline=shown(metric, before, value),
        limit=float(limit),
        value=float(value),
        baseline_value=float(before),
        culprit=None if passed else culprit,
    )


def _worst(metric: Metric, values: Mapping[str, Value]) -> tuple[Value, str | None]:
    """The worst of several sessions, and which it is."""
    known = [(value, session) for session, value in values.items() if value is not None]
    if not known:
        return None, None
    pick = min if metric.more_is_better else max
    return pick(known, key=lambda pair: pair[0])
