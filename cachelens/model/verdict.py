"""Verdict: what a gate says of one or several runs. In: filled by `cachelens.gate`. Out: JSON, and back.

Whether something passes is decided on exact numbers; `text` fields are for people and never round a failure into a
pass.
"""

from __future__ import annotations

import msgspec

from cachelens.model.findings import Finding
from cachelens.model.rows import EngineFacts

VERDICT_SCHEMA = "cachelens.verdict/1"
BASELINE_SCHEMA = "cachelens.baseline/1"

#: What becomes of a check or a finding, worst first: it fails the gate, is worth a warning, is told, or is fine.
STATUSES = ("failed", "warned", "noted", "passed")
#: A finding against the baseline; `` without one.
STATES = ("new", "grown", "known", "fixed", "")


class BaselineFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that is accepted. `tokens`: what it was about then."""

    code: str
    name: str
    fingerprint: str
    tokens: int
    requests: int


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand, to be compared with later. Holds no times, paths or prompt text; `findings` are sorted.

    `metrics`: numerator and denominator by name of metric, of the median run.
    """

    schema: str = BASELINE_SCHEMA
    engine: str
    policy: str
    capacity_tokens: int | None
    page_size: int
    options: dict[str, str]
    encoding: str
    render: str
    metrics: dict[str, tuple[int, int]]
    findings: tuple[BaselineFinding, ...]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer. `kind`: `budget`, `regression` or `rule`. `name`: of the metric, or the rule's code.

    `expected`, `found` and `baseline` are texts; `limit`, `value` and `baseline_value` the numbers, in the metric's own
    unit (shares from 0 to 1). `session`: the one that is worst, for checks of each session. `culprit`: fingerprint of
    the finding that costs most of what went wrong.
    """

    kind: str
    name: str
    title: str
    status: str
    expected: str
    found: str
    baseline: str | None = None
    limit: float | None = None
    value: float | None = None
    baseline_value: float | None = None
    session: str | None = None
    culprit: str | None = None


class JudgedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a run, or the median of several. `state` is one of STATES, `status` one of STATUSES.

    `tokens`: median over the runs, 0 where a run does not have it; `runs`: how many have it. `baseline_tokens`: what
    the baseline accepts. `why`: what made the status so. `source_file` and `source_record` say where the request is
    that it is worst in.
    """

    finding: Finding
    state: str
    status: str
    why: str
    tokens: int
    runs: int
    baseline_tokens: int | None = None
    source_file: str | None = None
    source_record: int | None = None


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One run that was judged. `skipped_records` could not be read."""

    sources: tuple[str, ...]
    requests: int
    sessions: int
    prompt_tokens: int
    prefilled_tokens: int
    skipped_records: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a gate is passed, and why not. `checks` are in the order of STATUSES, failures first; so are `findings`.

    `metrics`: text of each metric's value by its name. `fixed`: accepted in the baseline and gone. `compared`: there
    was a baseline. `next_command`: what shows more of the worst failure.
    """

    schema: str = VERDICT_SCHEMA
    cachelens: str
    passed: bool
    runs: tuple[RunFacts, ...]
    engine: EngineFacts
    encoding: str
    compared: bool
    checks: tuple[Check, ...]
    findings: tuple[JudgedFinding, ...]
    fixed: tuple[BaselineFinding, ...] = ()
    metrics: dict[str, str] = {}
    next_command: str | None = None
    shows_text: bool = False
