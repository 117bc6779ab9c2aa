"""The gate. In: reports of one or several runs, what is asked of them. Out: a `CheckReport`; a baseline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cachelens.api.analyses import Report
from cachelens.api.document import View
from cachelens.errors import InputError
from cachelens.gate.baseline import baseline_of, decode, encode, require_same
from cachelens.gate.budgets import parse_budget, parse_regression
from cachelens.gate.judge import GateOptions, judge
from cachelens.gate.levels import parse_rules
from cachelens.model.verdict import Baseline, Verdict
from cachelens.report.renderers.base import DocumentKind

if TYPE_CHECKING:
    import polars as pl


class CheckReport(View):
    """What a gate says. `verdict` holds everything that an output may show; true when the gate is passed."""

    kind: ClassVar[DocumentKind] = "verdict"

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.verdict.passed

    @property
    def checks(self) -> pl.DataFrame:
        """A row per check, failures first; shares are from 0 to 1."""
        import polars as pl

        names = ("kind", "name", "title", "status", "expected", "found", "baseline", "session", "culprit")
        numbers = ("limit", "value", "baseline_value")
        schema = dict.fromkeys(names, pl.String()) | dict.fromkeys(numbers, pl.Float64())
        rows = [{name: getattr(check, name) for name in schema} for check in self.verdict.checks]
        return pl.DataFrame(rows, schema=schema)

    def __bool__(self) -> bool:
        return self.passed


def check(
    reports: Report | Sequence[Report],
    *,
    budgets: Sequence[str] = (),
    max_regression: Sequence[str] = (),
    rules: Mapping[str, Any] | None = None,
    baseline: str | os.PathLike[str] | Baseline | None = None,
    per_session: bool = False,
) -> CheckReport:
    """Judge one run, or the median of several runs of the same thing.

    `budgets`: such as `hit-rate>=80%` or `computed-tokens<=2M`; `per_session`: each session has to meet them.
    `rules`: levels by code or name, such as `{"CL101": "error", "CL301": ["warn", {"max-tokens": 50_000}]}`.
    `baseline`: what is accepted, or the file it stands in; `max_regression`: how much worse figures may be than there
    (`2pp`, `computed-tokens=5%`). Raises UsageError when nothing is asked, and for what cannot be compared.
    """
    options = GateOptions(
        budgets=tuple(parse_budget(text, per_session) for text in budgets),
        regressions=tuple(map(parse_regression, max_regression)),
        levels=parse_rules(rules or {}),
    )
    accepted = baseline if baseline is None or isinstance(baseline, Baseline) else _read(os.fspath(baseline))
    return CheckReport(judge([one.result for one in _several(reports)], options, accepted))


def write_baseline(reports: Report | Sequence[Report], path: str | os.PathLike[str]) -> Baseline:
    """Accept how one run, or the median of several, stands: write it to `path`, for `check` and `cachelens check`.

    Raises UsageError when the runs were not counted and replayed alike.
    """
    results = [one.result for one in _several(reports)]
    require_same(results, None)
    found = baseline_of(results)
    Path(path).write_bytes(encode(found))
    return found


def _several(reports: Report | Sequence[Report]) -> Sequence[Report]:
    return [reports] if isinstance(reports, Report) else reports


def _read(name: str) -> Baseline:
    try:
        return decode(Path(name).read_bytes(), name)
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror or 'cannot be read'}", "write_baseline writes it"
        ) from error
