"""What changed, in words and short figures. In: a `Comparison` and its parts. Out: strings that every output shows.

Changes carry a sign; percentage points and relative changes never stand without their unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, TypeVar

from cachelens.model.comparison import Comparison, Delta, FindingDelta
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.units import count, exact, factor, money, percent, plural, points

#: How a judgment is headed.
JUDGMENTS: Final = {"better": "BETTER", "worse": "WORSE", "mixed": "MIXED", "same": "EQUAL"}
#: Ways of pairing sessions, in words.
PAIRED_BY: Final = {
    "id": "by their ids",
    "requests": "by the ids of their requests",
    "file": "by the file they stand in",
    "only": "as the only one of either side",
    "order": "by order, having the same lineages and requests",
}
#: What changed by less than this part of the largest change is no reason worth telling.
_NEGLIGIBLE: Final = 20
T = TypeVar("T")


def value(delta: Delta, number: float | None) -> str:
    """One side of a figure in its unit; a dash where it does not exist."""
    if number is None:
        return "-"
    if delta.unit == "rate":
        return percent(number)
    if delta.unit == "usd":
        return money(number)
    if delta.unit == "factor":
        ratio = Fraction(number)
        return factor(ratio.numerator, ratio.denominator)
    if delta.unit == "count":
        return exact(_whole(number))
    return count(_whole(number))


def change(delta: Delta) -> str:
    """`+12.3 pp` of rates, `-380 k` of tokens; `0` without a change, a dash where one side does not exist."""
    if delta.unit == "rate":
        if delta.change_pp is None:
            return "-"
        return (
            "0 pp"
            if not delta.change_pp
            else _sign(delta.change_pp) + points(Fraction(delta.change_pp) / 100)
        )
    if delta.change is None:
        return "-"
    if not delta.change:
        return "0"
    return _sign(delta.change) + _amount(delta, abs(delta.change))


def relative(delta: Delta) -> str:
    """`+38.2 %`, `-5.0 %`; a dash where there was nothing before."""
    if delta.relative is None:
        return "-"
    return "0 %" if not delta.relative else _sign(delta.relative) + percent(abs(Fraction(delta.relative)))


def signed(tokens: int) -> str:
    """`+12.6 k`, `-23.1 k`, `0`."""
    return f"+{count(tokens)}" if tokens > 0 else count(tokens)


def summary(comparison: Comparison) -> tuple[str, ...]:
    """How much better or worse, in a few phrases: what is judged first."""
    rate, computed, cost = (comparison.figure(name) for name in ("hit-rate", "computed-tokens", "cost"))
    said = [f"hit rate {_apart(rate)}"]
    if comparison.same_work:
        said = [f"computes {_times(computed, 'tokens')}", *said]
        if cost.change is not None:
            said.append(f"costs {_times(cost, 'USD')}")
        return tuple(said)
    amplification = comparison.figure("amplification")
    if amplification.change is not None:
        said.append(f"prefill amplification {_apart(amplification)}")
    return tuple(said)


def basis(comparison: Comparison) -> str:
    """What the judgment goes by, as a sentence without a full stop."""
    before, after = comparison.before.trace, comparison.after.trace
    if comparison.same_work:
        return (
            f"the same work: {plural(after.requests, 'request')} in {plural(after.sessions, 'session')}, each session "
            "paired with one of as many requests"
        )
    return (
        f"judged by rates: not known to be the same work ({plural(before.requests, 'request')} in "
        f"{plural(before.sessions, 'session')} before, {plural(after.requests, 'request')} in "
        f"{plural(after.sessions, 'session')} after)"
    )


def reasons(comparison: Comparison, outcomes: int = 2, causes: int = 2) -> tuple[str, ...]:
    """What the change in the hit rate is made of, largest first, then the causes whose savings changed most.

    Titles are as they stand in the comparison: not cleaned.
    """
    moved = _weightiest(
        [one for one in comparison.outcomes if one.name != "hit"], lambda one: abs(one.share.change_pp or 0)
    )
    told = _weightiest(
        [one for one in comparison.causes if one.verdict != "diagnostic"],
        lambda one: abs(one.change_saving or 0),
    )
    return (
        *(f"{OUTCOME_LOOKS[one.name].label} {change(one.share)}" for one in moved[:outcomes]),
        *(f"{one.code} {one.state}: {one.title}" for one in told[:causes]),
    )


def _weightiest(found: Sequence[T], weight: Callable[[T], float]) -> list[T]:
    """Those that changed, most first, without what is next to nothing beside the first."""
    ordered = sorted(found, key=lambda one: -weight(one))
    return [one for one in ordered if weight(one) and weight(one) * _NEGLIGIBLE >= weight(ordered[0])]


def states(comparison: Comparison) -> dict[str, int]:
    """How many causes there are of each state, those that do not occur left out."""
    found: dict[str, int] = {}
    for one in comparison.causes:
        found[one.state] = found.get(one.state, 0) + 1
    return found


def matched(one: FindingDelta) -> str:
    """What is to be said of a cause that was found again by its rule alone; empty for others. Not cleaned."""
    if one.matched_by != "rule" or one.before is None:
        return ""
    if one.before.title == one.title:
        return "same rule and title, elsewhere"
    return f"same rule, before: {one.before.title}"


def _apart(delta: Delta) -> str:
    """`-73.3 pp (14.8 %, was 88.1 %)`."""
    if delta.before is None or delta.after is None:
        return f"{value(delta, delta.after)}, was {value(delta, delta.before)}"
    if delta.before == delta.after:
        return f"{value(delta, delta.after)} as before"
    return f"{change(delta)} ({value(delta, delta.after)}, was {value(delta, delta.before)})"


def _times(delta: Delta, noun: str) -> str:
    """`38.2 % fewer tokens (3.50 k, was 16.1 k)`, `4.59x as many tokens (…)`."""
    less, more = ("fewer", "as many") if noun == "tokens" else ("less", "as much")
    if not delta.change:
        return f"{more} {noun} as before ({value(delta, delta.after)})"
    was = f"({value(delta, delta.after)}, was {value(delta, delta.before)})"
    if delta.relative is None or delta.before is None or delta.after is None:
        return f"{value(delta, delta.after)} {noun}, was none"
    if delta.relative >= 1:
        ratio = Fraction(delta.after) / Fraction(delta.before)
        return f"{factor(ratio.numerator, ratio.denominator)} {more} {noun} {was}"
    return f"{percent(abs(Fraction(delta.relative)))} {less if delta.relative < 0 else 'more'} {noun} {was}"


def _amount(delta: Delta, number: float) -> str:
    """A difference that is not 0, without its sign."""
    if delta.unit == "usd":
        return money(number)
    if delta.unit == "factor":
        hundredths = _whole(Fraction(number) * 100)
        return f"{hundredths // 100:,}.{hundredths % 100:02}" if hundredths else "<0.01"
    whole = _whole(number)
    if not whole:
        return "<1"
    return exact(whole) if delta.unit == "count" else count(whole)


def _whole(number: float | Fraction) -> int:
    """The nearest integer, halves up."""
    return int((2 * Fraction(number) + 1) // 2)


def _sign(number: float) -> str:
    return "+" if number > 0 else "-"
