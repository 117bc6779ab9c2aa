"""Headline figures a budget can be set on. In: a Result. Out: exact fractions, and texts that hide no failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Final, Literal

from cachelens.errors import UsageError, unknown_name
from cachelens.model.result import Result
from cachelens.model.rows import RequestRow

Unit = Literal["share", "tokens", "factor", "usd", "count"]
#: Numerator and denominator; None where the figure does not exist.
Value = Fraction | None


@dataclass(frozen=True)
class Metric:
    """One figure. `more_is_better` says which way is a regression. `of` computes it from requests, None: of a whole
    result only, by `whole`."""

    name: str
    title: str
    unit: Unit
    more_is_better: bool
    of: Callable[[Sequence[RequestRow]], Value] | None = None
    whole: Callable[[Result], Value] | None = None

    def value(self, result: Result) -> Value:
        """Of all requests."""
        if self.whole is not None:
            return self.whole(result)
        assert self.of is not None
        return self.of(result.requests)

    def by_session(self, result: Result) -> dict[str, Value]:
        """Of the requests of each session. Raises UsageError for a figure that sessions do not have."""
        if self.of is None:
            raise UsageError(
                f"{self.name} is known for the whole trace only", "leave --per-session out for it"
            )
        rows: dict[str, list[RequestRow]] = {}
        for row in result.requests:
            rows.setdefault(row.session_id, []).append(row)
        return {session: self.of(own) for session, own in rows.items()}

    def worse(self, one: Fraction, other: Fraction) -> bool:
        """Whether `one` is worse than `other`."""
        return one < other if self.more_is_better else one > other


def _ratio(part: int, whole: int) -> Value:
    return Fraction(part, whole) if whole else None


def _prompt(rows: Sequence[RequestRow]) -> int:
    return sum(row.prompt_tokens for row in rows)


def _outcome(rows: Sequence[RequestRow], name: str) -> int:
    return sum(row.outcomes.get(name, 0) for row in rows)


def _computed(rows: Sequence[RequestRow]) -> int:
    return _prompt(rows) - _outcome(rows, "hit")


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(
            "hit-rate", "hit rate", "share", True, lambda rows: _ratio(_outcome(rows, "hit"), _prompt(rows))
        ),
        Metric(
            "waste",
            "waste, of computed tokens",
            "share",
            False,
            lambda rows: _ratio(sum(row.wasted_tokens for row in rows), _computed(rows)),
        ),
        Metric("computed-tokens", "computed tokens", "tokens", False, lambda rows: Fraction(_computed(rows))),
        Metric("prompt-tokens", "prompt tokens", "tokens", False, lambda rows: Fraction(_prompt(rows))),
        Metric(
            "amplification",
            "prefill amplification",
            "factor",
            False,
            lambda rows: _ratio(_computed(rows), _outcome(rows, "fresh")),
        ),
        Metric(
            "breaks",
            "prompts that break their prefix",
            "count",
            False,
            lambda rows: Fraction(sum(row.break_ is not None for row in rows)),
        ),
        Metric(
            "cost",
            "cost of prompt tokens",
            "usd",
            False,
            whole=lambda result: (
                None if result.totals.cost_usd is None else Fraction(repr(result.totals.cost_usd))
            ),
        ),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of that name. Raises UsageError, with a suggestion, when there is none."""
    if name not in METRICS:
        raise unknown_name("metric", name, METRICS)
    return METRICS[name]


def median_of(values: Sequence[Value]) -> Value:
    """The median of several runs, exact; None unless all of them have the figure."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Fraction(median(known))


_NUMBER: Final = re.compile(
    r"\$?\s*([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*(%|pp|k|m|g|x|usd|\$)?", re.IGNORECASE
)
_SCALES: Final = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_SUFFIXES: Final[dict[Unit, tuple[str, ...]]] = {
    "share": ("%",),
    "tokens": ("k", "m", "g"),
    "factor": ("x",),
    "usd": ("usd", "$"),
    "count": (),
}
_EXAMPLES: Final[dict[Unit, str]] = {
    "share": "80% or 0.8",
    "tokens": "2M, 500k or 2_000_000",
    "factor": "1.5",
    "usd": "3usd",
    "count": "0",
}


def parse_value(metric: Metric, text: str, difference: bool = False) -> Fraction:
    """`text` as an exact number in the unit of `metric`. `difference`: shares may be in percentage points (`2pp`).

    Raises UsageError for a text that is none.
    """
    found = _NUMBER.fullmatch(text.strip())
    suffix = (found.group(2) or "").lower() if found else ""
    allowed = (*_SUFFIXES[metric.unit], "", *(("pp",) if difference and metric.unit == "share" else ()))
    if found is None or suffix not in allowed:
        raise UsageError(
            f"{metric.name}: {text!r} is no amount", f"an amount such as {_EXAMPLES[metric.unit]}"
        )
    number = Fraction(found.group(1).replace("_", "").replace(",", "")) * _SCALES.get(suffix, 1)
    if suffix in ("%", "pp"):
        number /= 100
    if metric.unit == "share" and number > 1:
        raise UsageError(
            f"{metric.name}: {text!r} is more than all", f"an amount such as {_EXAMPLES['share']}"
        )
    return number


def shown(metric: Metric, value: Value, against: Value = None) -> str:
    """`value` for people: with as many digits as it takes to tell it from `against`, and at most 12.

    Numbers are cut toward the worse side, so that 99.96 % of something that must be 100 % never reads 100 %.
    """
    if value is None:
        return "-"
    for digits in range(1, 13):
        text = _text(metric, value, digits)
        if against is None or value == against or text != _text(metric, against, digits):
            return text
    return text


def _text(metric: Metric, value: Fraction, digits: int) -> str:
    if metric.unit == "count" or (metric.unit == "tokens" and value.denominator == 1):
        return f"{int(value):,}" if value.denominator == 1 else _decimal(value, digits, metric)
    if metric.unit == "share":
        return _decimal(value * 100, digits, metric) + " %"
    if metric.unit == "factor":
        return _decimal(value, digits + 1, metric) + "x"
    if metric.unit == "usd":
        return _decimal(value, digits + 3, metric) + " USD"
    return _decimal(value, digits, metric)


def _decimal(value: Fraction, digits: int, metric: Metric) -> str:
    """With so many digits behind the point, cut toward the worse side; zeros at the end left out."""
    scaled = value * 10**digits
    cut = scaled.numerator // scaled.denominator
    if not metric.more_is_better and cut != scaled:
        cut += 1
    return f"{cut // 10**digits:,}.{cut % 10**digits:0{digits}d}".rstrip("0").rstrip(".")
