"""Two results as one comparison. In: Results, short names, what may differ. Out: a `Comparison`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cachelens
from cachelens.model.comparison import Comparison, Delta, Illustrated, Judgment, Sessions, Side
from cachelens.model.result import Result
from cachelens.pipeline.comparison.causes import causes
from cachelens.pipeline.comparison.conditions import permitted
from cachelens.pipeline.comparison.figures import buckets, figures, labels, layouts, outcomes
from cachelens.pipeline.comparison.pairing import sessions

#: What is judged where both sides did the same work, and where they did not: totals of different work say nothing.
_BY_WHOLE = ("computed-tokens", "cost")
_BY_RATES = ("hit-rate", "amplification")


def compare(
    before: Result,
    after: Result,
    names: tuple[str, str] = ("before", "after"),
    allow: Collection[str] = (),
    notes: Sequence[str] = (),
) -> Comparison:
    """What changed from `before` to `after`. `allow`: conditions that may differ, by names of ALLOWABLE.

    `notes` are told with those of the comparison itself. Raises UsageError, with every reason and what to do, when
    the two were not counted and replayed under the same conditions.
    """
    across = permitted(before, after, allow)
    paired = sessions(before.requests, after.requests)
    same_work = _same_work(paired)
    found = figures(before, after, same_work)
    judgment, judged_by = _judged(found, same_work)
    return Comparison(
        cachelens=cachelens.__version__,
        before=_side(names[0], before),
        after=_side(names[1], after),
        across=across,
        judgment=judgment,
        judged_by=judged_by,
        same_work=same_work,
        figures=found,
        outcomes=outcomes(before, after, same_work),
        labels=labels(before, after, same_work),
        buckets=buckets(before, after, same_work),
        causes=causes(before.findings, after.findings),
        layouts=layouts(before, after, same_work),
        sessions=paired,
        notes=(*notes, *_notes(before, after)),
    )


def illustrated(comparison: Comparison, before: Result, after: Result) -> Illustrated:
    """The comparison of these two results, with both of them for renderers that draw pictures."""
    own = {name: getattr(comparison, name) for name in Comparison.__struct_fields__}
    return Illustrated(**own, results=(before, after))


def _side(name: str, result: Result) -> Side:
    return Side(name=name, cachelens=result.cachelens, trace=result.trace, engine=result.engine)


def _same_work(found: Sessions) -> bool:
    """Whether all sessions are paired, each with one of as many requests."""
    left = found.only_before.sessions + found.only_after.sessions
    return not left and found.same_length == found.paired


def _judged(found: Sequence[Delta], same_work: bool) -> tuple[Judgment, tuple[str, ...]]:
    names = _BY_WHOLE if same_work else _BY_RATES
    known = [one for one in found if one.name in names and one.effect]
    effects = {one.effect for one in known} - {"same"}
    judgment: Judgment = "same"
    if len(effects) == 2:
        judgment = "mixed"
    elif effects:
        judgment = "better" if "better" in effects else "worse"
    return judgment, tuple(one.name for one in known)


def _notes(before: Result, after: Result) -> list[str]:
    notes = []
    if before.cachelens != after.cachelens:
        notes.append(
            f"before was analyzed by cachelens {before.cachelens}, after by {after.cachelens}: engines and rules may "
            "have changed in between"
        )
    if before.trace.encoding == "exact":
        notes.append(
            "token ids are compared as they were captured: whether one tokenizer made them is not known"
        )
    for name, result in (("before", before), ("after", after)):
        if result.trace.skipped_records:
            notes.append(
                f"{result.trace.skipped_records:,} records of {name} could not be read and are missing"
            )
    if set(before.trace.models) != set(after.trace.models):
        notes.append(
            f"models called: {_names(before.trace.models)} before, {_names(after.trace.models)} after"
        )
    return notes


def _names(found: Sequence[str]) -> str:
    more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    return (", ".join(found[:3]) or "none named") + more
