"""From runs to a verdict. In: results, budgets, levels of rules, a baseline. Out: a `Verdict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import cachelens
from cachelens.advise.rules import RULES
from cachelens.errors import UsageError
from cachelens.gate.baseline import medians, require_same
from cachelens.gate.budgets import Budget, Regression, check_budget, check_regression
from cachelens.gate.levels import Level
from cachelens.gate.metrics import METRICS, median_of, shown
from cachelens.model.findings import Finding
from cachelens.model.result import Result
from cachelens.model.verdict import (
    STATUSES,
    Baseline,
    BaselineFinding,
    Check,
    JudgedFinding,
    RunFacts,
    Verdict,
)

_STATUS_OF = {"error": "failed", "warn": "warned", "note": "noted"}


@dataclass(frozen=True)
class GateOptions:
    """What is asked of the runs. `levels` by code of rule.

    A finding has grown when it is about more tokens than the baseline accepts by more than `grown_share` of them and
    by more than `grown_tokens`: runs of one harness are never quite the same.
    """

    budgets: tuple[Budget, ...] = ()
    regressions: tuple[Regression, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)
    grown_share: Fraction = Fraction(1, 10)
    grown_tokens: int = 256

    @property
    def empty(self) -> bool:
        """Whether nothing is asked that could fail without a baseline."""
        severe = any(level.severity in ("error", "warn") for level in self.levels.values())
        return not (self.budgets or self.regressions or severe)


def judge(runs: Sequence[Result], options: GateOptions, baseline: Baseline | None = None) -> Verdict:
    """Whether `runs` pass. Several are runs of the same thing: their medians are judged.

    Raises UsageError when there is nothing to judge by, and where runs or baseline cannot be compared.
    """
    if not runs:
        raise UsageError("there is no run to judge")
    if baseline is None and options.empty:
        raise UsageError(
            "there is nothing to check against",
            "a budget such as --min-hit-rate 80%, a rule such as --rule CL101=error, or --baseline FILE, which "
            "--update-baseline writes",
        )
    if options.regressions and baseline is None:
        raise UsageError("max-regression needs a baseline", "--baseline FILE, which --update-baseline writes")
    require_same(runs, baseline)
    findings = _judged(runs, options, baseline)
    worst = _culprit(findings)
    accepted = baseline.metrics if baseline is not None else {}
    checks = [check_budget(budget, runs, accepted, worst) for budget in options.budgets]
    if baseline is not None:
        checks += [check_regression(one, runs, baseline.metrics, worst) for one in options.regressions]
    checks += _rule_checks(findings, options)
    if baseline is not None and not any(
        one.state in ("new", "grown") and one.status in ("failed", "warned") for one in findings
    ):
        checks.append(
            Check(
                kind="rule",
                name="baseline",
                title="no new findings",
                status="passed",
                expected="none new, none grown",
                found="none",
            )
        )
    checks.sort(key=lambda check: STATUSES.index(check.status))
    findings.sort(key=lambda one: (STATUSES.index(one.status), -_amount(one.finding), one.finding.code))
    seen = {one.finding.fingerprint for one in findings if one.tokens}
    values = {name: median_of([metric.value(run) for run in runs]) for name, metric in METRICS.items()}
    return Verdict(
        cachelens=cachelens.__version__,
        passed=all(check.status != "failed" for check in checks),
        runs=tuple(_run(run) for run in runs),
        engine=runs[0].engine,
        encoding=runs[0].trace.encoding,
        compared=baseline is not None,
        checks=tuple(checks),
        findings=tuple(findings),
        fixed=tuple(kept for kept in (baseline.findings if baseline else ()) if kept.fingerprint not in seen),
        metrics={name: shown(METRICS[name], value) for name, value in values.items() if value is not None},
        next_command=_next(checks, findings, runs),
        shows_text=any(run.shows_text for run in runs),
    )


def _judged(runs: Sequence[Result], options: GateOptions, baseline: Baseline | None) -> list[JudgedFinding]:
    kept: dict[str, BaselineFinding] = {
        one.fingerprint: one for one in (baseline.findings if baseline is not None else ())
    }
    found = []
    for finding, tokens, having in medians(runs):
        level = options.levels.get(finding.code)
        if level is not None and level.severity == "off":
            continue
        known = kept.get(finding.fingerprint)
        state = _state(tokens, known, options) if baseline is not None else ""
        status, why = _status(finding, tokens, state, level)
        source_file, record = _source(runs, finding)
        found.append(
            JudgedFinding(
                finding=finding,
                state=state,
                status=status,
                why=why,
                tokens=tokens,
                runs=having,
                baseline_tokens=None if known is None else known.tokens,
                source_file=source_file,
                source_record=record,
            )
        )
    return found


def _state(tokens: int, known: BaselineFinding | None, options: GateOptions) -> str:
    if known is None:
        return "new" if tokens else ""
    if not tokens:
        return "fixed"
    more = tokens - known.tokens
    grown = more > options.grown_tokens and more > options.grown_share * known.tokens
    return "grown" if grown else "known"


def _status(finding: Finding, tokens: int, state: str, level: Level | None) -> tuple[str, str]:
    """What becomes of a finding, and why.

    Without a level of its own, one that is new or has grown against the baseline fails when it can be avoided without
    changing what the model sees, and is worth a warning when avoiding it would.
    """
    if not tokens:
        return "noted", "in less than half of the runs"
    if state == "known":
        return "passed", "accepted in the baseline"
    if level is not None:
        if level.exceeded(finding, tokens):
            return _STATUS_OF[level.severity], str(level)
        return "passed", f"within {level}"
    if finding.verdict != "avoidable":
        return "noted", finding.verdict
    if state in ("new", "grown"):
        why = f"{state} against the baseline"
        return ("warned" if finding.changes_input else "failed"), why
    return "noted", "no level is set for this rule"


def _rule_checks(findings: Sequence[JudgedFinding], options: GateOptions) -> list[Check]:
    """A check for each rule that has a level, and for each finding that fails or warns without one."""
    checks = []
    for code, level in options.levels.items():
        own = [one for one in findings if one.finding.code == code]
        if level.severity not in ("error", "warn") or any(one.status in ("failed", "warned") for one in own):
            continue
        checks.append(
            Check(
                kind="rule",
                name=code,
                title=RULES.load(code).name,
                status="passed",
                expected=str(level),
                found=f"{len(own)} accepted or within" if own else "none found",
            )
        )
    for one in findings:
        if one.status not in ("failed", "warned"):
            continue
        asked = options.levels.get(one.finding.code)
        checks.append(
            Check(
                kind="rule",
                name=one.finding.code,
                title=one.finding.name,
                status=one.status,
                expected=str(asked) if asked is not None else f"not {one.state}",
                found=f"{one.state or 'found'}: {one.tokens:,} tokens",
                baseline=None if one.baseline_tokens is None else f"{one.baseline_tokens:,} tokens",
                value=float(one.tokens),
                baseline_value=None if one.baseline_tokens is None else float(one.baseline_tokens),
                culprit=one.finding.fingerprint,
            )
        )
    return checks


def _amount(finding: Finding) -> int:
    return finding.saving.computed_tokens if finding.saving is not None else 0


def _culprit(findings: Sequence[JudgedFinding]) -> str | None:
    """The finding to look at first: what is new or has grown, then what can be avoided, then what saves most."""
    able = [one for one in findings if one.tokens and one.finding.verdict != "diagnostic"]
    best = max(
        able,
        key=lambda one: (
            one.state in ("new", "grown"),
            one.finding.verdict == "avoidable",
            not one.finding.changes_input,
            _amount(one.finding),
            one.tokens,
        ),
        default=None,
    )
    return None if best is None else best.finding.fingerprint


def _source(runs: Sequence[Result], finding: Finding) -> tuple[str | None, int | None]:
    """File and record of the request that a finding is worst in."""
    request = finding.location.request_id if finding.location is not None else None
    request = request or next(iter(finding.request_ids), None)
    for run in runs:
        if finding in run.findings:
            for row in run.requests:
                if row.request_id == request:
                    return row.source_file, row.source_record
    return None, None


def _run(run: Result) -> RunFacts:
    return RunFacts(
        sources=run.trace.sources,
        requests=run.trace.requests,
        sessions=run.trace.sessions,
        prompt_tokens=run.totals.prompt_tokens,
        prefilled_tokens=run.totals.prefilled_tokens,
        skipped_records=run.trace.skipped_records,
    )


def _next(checks: Sequence[Check], findings: Sequence[JudgedFinding], runs: Sequence[Result]) -> str | None:
    """The command that shows the culprit of the worst check."""
    bad = [check for check in checks if check.status in ("failed", "warned") and check.culprit]
    for check in bad:
        for one in findings:
            if one.finding.fingerprint == check.culprit:
                home = next((run for run in runs if one.finding in run.findings), runs[0])
                where = home.trace.sources[0] if len(home.trace.sources) == 1 else "TRACE"
                return f"cachelens inspect {where} --finding {one.finding.fingerprint}"
    return None
