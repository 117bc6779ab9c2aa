"""Figures before and after. In: two Results. Out: `Delta`s, computed from exact counts.

A rate is compared in percentage points and, apart from that, relative to the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cachelens.model.comparison import Better, BucketDelta, Delta, Effect, LayoutDelta, PartDelta, Unit
from cachelens.model.findings import Bucket
from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.result import LayoutRow, Result
from cachelens.model.rows import RequestRow

#: An exact figure; None where it does not exist.
Value = Fraction | int | None


def delta(
    name: str, title: str, unit: Unit, better: Better, before: Value, after: Value, same_work: bool = True
) -> Delta:
    """How `after` differs from `before`. Whole numbers stay whole.

    Of work that is not known to be the `same_work`, amounts are neither better nor worse, whatever they are.
    """
    change = None if before is None or after is None else Fraction(after) - Fraction(before)
    relative = None if change is None or not before else change / Fraction(before)
    rate = unit == "rate"
    return Delta(
        name=name,
        title=title,
        unit=unit,
        before=_number(before, rate),
        after=_number(after, rate),
        change=None if rate else _number(change),
        change_pp=None if change is None or not rate else _float(change * 100),
        relative=None if relative is None else _float(relative),
        better=better,
        effect=_effect(change, better if same_work or unit in ("rate", "factor") else ""),
    )


def ratio(part: int, whole: int) -> Fraction | None:
    """`part` of `whole`; None of nothing."""
    return Fraction(part, whole) if whole else None


def tokens(name: str, title: str, better: Better, before: int, after: int, same_work: bool = True) -> Delta:
    """A number of tokens before and after."""
    return delta(name, title, "tokens", better, before, after, same_work)


def _number(value: Value, rate: bool = False) -> int | float | None:
    if value is None:
        return None
    whole = Fraction(value)
    return whole.numerator if whole.denominator == 1 and not rate else _float(whole)


def _float(value: Fraction) -> float | None:
    """The nearest float; None beyond all of them, which no trace comes to."""
    try:
        return float(value)
    except OverflowError:
        return None


def _effect(change: Fraction | None, better: Better) -> Effect:
    if change is None or not better:
        return ""
    if not change:
        return "same"
    return "better" if (change > 0) == (better == "more") else "worse"


@dataclass(frozen=True)
class _Sums:
    """What the headline is made of, of one side."""

    result: Result
    wasted: int
    broken: int
    lost: int

    @classmethod
    def of(cls, result: Result) -> _Sums:
        breaks = [row.break_ for row in result.requests if row.break_ is not None]
        return cls(
            result,
            sum(row.wasted_tokens for row in result.requests),
            len(breaks),
            sum(found.lost_tokens for found in breaks),
        )

    def values(self) -> dict[str, Value]:
        """Exact values by name."""
        totals, trace = self.result.totals, self.result.trace
        prompt, computed, fresh = totals.prompt_tokens, totals.prefilled_tokens, totals.fresh_tokens
        cached, told = totals.reported_cached_tokens, totals.reported_prompt_tokens
        return {
            "hit-rate": ratio(totals.hit_tokens, prompt),
            "computed-tokens": computed,
            "cost": _exact(totals.cost_usd),
            "prompt-tokens": prompt,
            "hit-tokens": totals.hit_tokens,
            "fresh-tokens": fresh,
            "computed-again-tokens": computed - fresh,
            "amplification": ratio(computed, fresh),
            "requests": trace.requests,
            "prompt-per-request": ratio(prompt, trace.requests),
            "computed-per-request": ratio(computed, trace.requests),
            "mean-hit-ratio": _exact(totals.mean_hit_ratio) if trace.requests else None,
            "ideal-hit-rate": ratio(totals.reusable_tokens, prompt),
            "optimal-hit-rate": _exact(totals.optimal_hit_rate) if prompt else None,
            "reported-hit-rate": None if cached is None or told is None else ratio(cached, told),
            "wasted-tokens": self.wasted,
            "waste": ratio(self.wasted, computed),
            "breaks": self.broken,
            "lost-tokens": self.lost,
            "working-set-tokens": trace.working_set_tokens,
            "output-tokens": trace.output_tokens,
        }


#: Name, title, unit and which way is better of each headline figure. A longer prompt may be more work or more waste,
#: and what an infinite cache hits is a property of the trace: those have no better way.
_FIGURES: tuple[tuple[str, str, Unit, Better], ...] = (
    ("hit-rate", "hit rate", "rate", "more"),
    ("computed-tokens", "computed", "tokens", "less"),
    ("cost", "cost of prompt tokens", "usd", "less"),
    ("prompt-tokens", "prompt tokens", "tokens", ""),
    ("hit-tokens", "served from cache", "tokens", ""),
    ("fresh-tokens", "fresh", "tokens", ""),
    ("computed-again-tokens", "computed again", "tokens", "less"),
    ("amplification", "prefill amplification", "factor", "less"),
    ("requests", "requests", "count", ""),
    ("prompt-per-request", "prompt tokens a request", "tokens", ""),
    ("computed-per-request", "computed a request", "tokens", "less"),
    ("mean-hit-ratio", "mean hit rate of requests", "rate", "more"),
    ("ideal-hit-rate", "hit rate of an infinite cache", "rate", ""),
    ("optimal-hit-rate", "hit rate of perfect eviction", "rate", ""),
    ("reported-hit-rate", "hit rate the server reported", "rate", "more"),
    ("wasted-tokens", "wasted", "tokens", "less"),
    ("waste", "wasted, of computed", "rate", "less"),
    ("breaks", "prompts that break their prefix", "count", "less"),
    ("lost-tokens", "lost by breaks", "tokens", "less"),
    ("working-set-tokens", "working set", "tokens", "less"),
    ("output-tokens", "output tokens", "tokens", ""),
)


def figures(before: Result, after: Result, same_work: bool) -> tuple[Delta, ...]:
    """The headline figures, in the order of their weight."""
    first, second = _Sums.of(before).values(), _Sums.of(after).values()
    return tuple(
        delta(name, title, unit, better, first[name], second[name], same_work)
        for name, title, unit, better in _FIGURES
    )


#: Outcomes that are nobody's fault, or no fault at all: more of them is neither better nor worse by itself.
_NEUTRAL = ("hit", "fresh", "live")


def outcomes(before: Result, after: Result, same_work: bool) -> tuple[PartDelta, ...]:
    """Every outcome that occurs on either side; the changes sum to the change of the prompt tokens."""
    first, second = before.totals.outcomes, after.totals.outcomes
    return _parts(OUTCOMES, before, first, after, second, same_work)


def labels(before: Result, after: Result, same_work: bool) -> tuple[PartDelta, ...]:
    """Every label that occurs on either side; the changes sum to the change of the prompt tokens."""
    return _parts(LABELS, before, before.labels, after, after.labels, same_work)


def _parts(
    names: Sequence[str],
    before: Result,
    first: Mapping[str, int],
    after: Result,
    second: Mapping[str, int],
    same_work: bool,
) -> tuple[PartDelta, ...]:
    found = []
    for name in names:
        one, other = first.get(name, 0), second.get(name, 0)
        if one or other:
            better: Better = "" if name in _NEUTRAL else "less"
            wholes = (before.totals.prompt_tokens, after.totals.prompt_tokens)
            shares = (ratio(one, wholes[0]), ratio(other, wholes[1]))
            found.append(
                PartDelta(
                    name=name,
                    tokens=tokens(name, name, better, one, other, same_work),
                    share=delta(name, name, "rate", "more" if name == "hit" else better, *shares),
                )
            )
    return tuple(found)


_EMPTY = Bucket(carried_tokens=0, computed_tokens=0, held_tokens=0)


def buckets(before: Result, after: Result, same_work: bool) -> tuple[BucketDelta, ...]:
    """Every kind of waste that either side has."""
    found = []
    for name in BUCKETS:
        if name not in before.buckets and name not in after.buckets:
            continue
        one, other = before.buckets.get(name, _EMPTY), after.buckets.get(name, _EMPTY)
        shares = (
            ratio(one.computed_tokens, before.totals.prefilled_tokens),
            ratio(other.computed_tokens, after.totals.prefilled_tokens),
        )
        carried = (one.carried_tokens, other.carried_tokens)
        computed = (one.computed_tokens, other.computed_tokens)
        found.append(
            BucketDelta(
                name=name,
                carried=tokens("carried-tokens", "carried", "less", *carried, same_work),
                computed=tokens("computed-tokens", "computed", "less", *computed, same_work),
                share=delta("share", "of computed", "rate", "less", *shares),
            )
        )
    return tuple(found)


def layouts(before: Result, after: Result, same_work: bool) -> tuple[LayoutDelta, ...]:
    """Both traces under each other cache that both were replayed under."""
    others = {(row.engine, row.order): row for row in after.engines}
    return tuple(
        _layout(row, others[row.engine, row.order], same_work)
        for row in before.engines
        if (row.engine, row.order) in others
    )


def _layout(one: LayoutRow, other: LayoutRow, same_work: bool) -> LayoutDelta:
    rates = (ratio(one.hit_tokens, one.prompt_tokens), ratio(other.hit_tokens, other.prompt_tokens))
    computed = (one.prefilled_tokens, other.prefilled_tokens)
    costs = (_exact(one.cost_usd), _exact(other.cost_usd))
    return LayoutDelta(
        engine=one.engine,
        order=one.order,
        hit_rate=delta("hit-rate", "hit rate", "rate", "more", *rates),
        computed=tokens("computed-tokens", "computed", "less", *computed, same_work),
        cost=delta("cost", "input USD", "usd", "less", *costs, same_work),
    )


def of_rows(rows: Sequence[RequestRow]) -> tuple[int, int, int]:
    """Number of requests, their prompt tokens and how many of these were computed."""
    prompt = sum(row.prompt_tokens for row in rows)
    return len(rows), prompt, prompt - sum(row.outcomes.get("hit", 0) for row in rows)


def _exact(value: float | None) -> Fraction | None:
    """The decimal number that a float is written as."""
    return None if value is None else Fraction(repr(value))
