"""Baselines. In: results of runs, or a file. Out: a `Baseline`, sorted and stable; its bytes; why it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

import msgspec

from cachelens.errors import InputError, UsageError
from cachelens.gate.metrics import METRICS, median_of
from cachelens.model.findings import Finding
from cachelens.model.result import Result
from cachelens.model.verdict import BASELINE_SCHEMA, Baseline, BaselineFinding


def baseline_of(runs: Sequence[Result]) -> Baseline:
    """How the median of several runs stands. Diagnostics are no findings to be accepted."""
    first = runs[0]
    values = {name: median_of([metric.value(run) for run in runs]) for name, metric in METRICS.items()}
    return Baseline(
        engine=first.engine.name,
        policy=first.engine.policy,
        capacity_tokens=first.engine.capacity_tokens,
        page_size=first.engine.page_size,
        options=dict(sorted(first.engine.options.items())),
        encoding=first.trace.encoding,
        render=first.trace.render,
        metrics={
            name: (value.numerator, value.denominator)
            for name, value in sorted(values.items())
            if value is not None
        },
        findings=tuple(
            BaselineFinding(
                code=finding.code,
                name=finding.name,
                fingerprint=finding.fingerprint,
                tokens=tokens,
                requests=finding.requests,
            )
            for finding, tokens, _ in sorted(
                medians(runs), key=lambda found: (found[0].code, found[0].fingerprint)
            )
            if finding.verdict != "diagnostic" and tokens
        ),
    )


def medians(runs: Sequence[Result]) -> list[tuple[Finding, int, int]]:
    """Each finding of any run, the median of the tokens it is about, and how many runs have it.

    The finding is that of the first run that has it. Two findings of a run may have one fingerprint: their tokens
    are summed.
    """
    found: dict[str, tuple[Finding, list[int]]] = {}
    for number, run in enumerate(runs):
        for finding in run.findings:
            _, tokens = found.setdefault(finding.fingerprint, (finding, [0] * len(runs)))
            tokens[number] += finding.tokens
    return [
        (finding, median_low(tokens), sum(amount > 0 for amount in tokens))
        for finding, tokens in found.values()
    ]


def encode(baseline: Baseline) -> bytes:
    """Indented JSON with a line for each figure and finding; the same baseline gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(baseline, order="deterministic"), indent=1) + b"\n"


def decode(data: bytes, place: str) -> Baseline:
    """A baseline from its file. Raises InputError where it is none, or of another version."""
    again = "write it anew with --update-baseline"
    try:
        head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        schema = msgspec.json.decode(head.get("schema", msgspec.Raw(b"null")))
        if schema != BASELINE_SCHEMA:
            raise InputError(f"{place}: no baseline of this version of cachelens", again)
        found = msgspec.json.decode(data, type=Baseline)
    except msgspec.MsgspecError as error:
        raise InputError(f"{place}: is no baseline", again) from error
    if any(denominator <= 0 for _, denominator in found.metrics.values()):
        raise InputError(f"{place}: is no baseline: a figure over nothing", again)
    return found


def require_same(runs: Sequence[Result], baseline: Baseline | None) -> None:
    """Raise UsageError unless all runs, and the baseline, were counted and replayed alike."""
    first = _conditions(runs[0])
    for run in runs[1:]:
        _refuse(_conditions(run), first, "runs", "replay all of them by the same engine and encoding")
    if baseline is not None:
        kept: dict[str, object] = {
            "engine": baseline.engine,
            "policy": baseline.policy,
            "capacity": baseline.capacity_tokens,
            "page size": baseline.page_size,
            "engine options": dict(baseline.options),
            "encoding": baseline.encoding,
            "render order": baseline.render,
        }
        _refuse(first, kept, "baseline", "choose the same, or write the baseline anew with --update-baseline")


def _conditions(run: Result) -> dict[str, object]:
    return {
        "engine": run.engine.name,
        "policy": run.engine.policy,
        "capacity": run.engine.capacity_tokens,
        "page size": run.engine.page_size,
        "engine options": dict(run.engine.options),
        "encoding": run.trace.encoding,
        "render order": run.trace.render,
    }


def _refuse(now: dict[str, object], before: dict[str, object], other: str, hint: str) -> None:
    apart = [name for name, value in now.items() if before[name] != value]
    if apart:
        said = "; ".join(f"{name} {_said(before[name])} there, {_said(now[name])} here" for name in apart)
        raise UsageError(f"cannot be compared with the {other}: {said}", hint)


def _said(value: object) -> str:
    if value is None:
        return "unlimited"
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in sorted(value.items())) or "none"
    return str(value)
