"""What changed between two results: exact figures and causes, the same both ways, and each cause found again."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.model.comparison import Comparison, Delta, FindingDelta
from cachelens.model.findings import Bucket, Finding
from cachelens.model.kinds import BUCKETS, OUTCOMES
from cachelens.model.result import LayoutRow, Result, check
from cachelens.model.rows import RequestRow
from cachelens.pipeline.comparison import compare
from tests.advise.sessions import Session, result_of, tool, words
from tests.report import builders

_OPPOSITE = {
    "appeared": "vanished",
    "vanished": "appeared",
    "grew": "shrank",
    "shrank": "grew",
    "unchanged": "unchanged",
    "better": "worse",
    "worse": "better",
    "same": "same",
    "mixed": "mixed",
    "": "",
}


# -- results at random: small, consistent, of every shape


@st.composite
def rows(draw: st.DrawFn) -> list[RequestRow]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        outcomes = draw(st.dictionaries(st.sampled_from(OUTCOMES), st.integers(1, 999), max_size=4))
        wasted = draw(st.integers(0, sum(outcomes.values()) - outcomes.get("hit", 0)))
        session = draw(st.integers(1, 3))
        made.append(
            builders.row(
                number,
                outcomes,
                session_id=draw(st.sampled_from([f"s{session}", f"own-{session}"])),
                lineage_id=f"l{draw(st.integers(1, 2))}",
                source_file=draw(st.sampled_from(["run/a.jsonl", "run/b.jsonl"])),
                reported_cached_tokens=draw(st.none() | st.integers(0, 50)),
                wasted_tokens=wasted,
                buckets={"retransmission": wasted} if wasted else {},
                break_=draw(st.none() | st.builds(builders.broken, st.integers(0, 99))),
            )
        )
    return made


@st.composite
def findings(draw: st.DrawFn) -> tuple[Finding, ...]:
    return tuple(
        builders.finding(
            draw(st.sampled_from(["CL101", "CL202", "CL406"])),
            title=draw(st.sampled_from(["one", "two"])),
            fingerprint=draw(st.sampled_from("abcd")),
            tokens=draw(st.integers(0, 3)),
            requests=draw(st.integers(1, 3)),
            saving=draw(st.none() | st.integers(-2, 2).map(lambda n: builders.saving(n, 10))),
        )
        for _ in range(draw(st.integers(0, 6)))
    )


@st.composite
def results(draw: st.DrawFn) -> Result:
    made = builders.result(draw(rows()), trace={"encoding": "o200k_base"})
    wasted = sum(row.wasted_tokens for row in made.requests)
    bucket = Bucket(
        carried_tokens=wasted,
        computed_tokens=wasted,
        held_tokens=0,
        causes={"fresh": wasted} if wasted else {},
    )
    engines = [
        LayoutRow(
            engine=name,
            order="as captured",
            prompt_tokens=10,
            hit_tokens=hit,
            prefilled_tokens=10 - hit,
            hit_rate=hit / 10,
        )
        for name, hit in draw(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 10))).items()
    ]
    cost = draw(st.none() | st.floats(0, 100, allow_nan=False))
    result = msgspec.structs.replace(
        made,
        totals=msgspec.structs.replace(made.totals, cost_usd=cost),
        buckets={"retransmission": bucket},
        findings=draw(findings()),
        engines=tuple(engines),
        labels={"live": made.totals.prompt_tokens},
    )
    check(result)
    return result


def deltas(found: Comparison) -> list[Delta]:
    """All deltas of a comparison."""
    every = list(found.figures)
    for part in (*found.outcomes, *found.labels):
        every += [part.tokens, part.share]
    for bucket in found.buckets:
        every += [bucket.carried, bucket.computed, bucket.share]
    for row in found.layouts:
        every += [row.hit_rate, row.computed, row.cost]
    for pair in found.sessions.pairs:
        every += [pair.requests, pair.prompt, pair.computed, pair.hit_rate]
    return every


@given(results())
def test_nothing_changes_between_a_result_and_itself(result: Result) -> None:
    found = compare(result, result)
    assert found.judgment == "same"
    for one in deltas(found):
        assert one.before == one.after
        assert not one.change
        assert not one.change_pp
        assert not one.relative
        assert one.effect in ("same", "")
    assert {cause.state for cause in found.causes} <= {"unchanged"}
    assert {cause.matched_by for cause in found.causes} <= {"fingerprint"}
    assert len(found.causes) == len(result.findings)
    assert found.sessions.paired + found.sessions.only_before.sessions == len(
        {r.session_id for r in result.requests}
    )
    assert found.across == ()


@given(results(), results())
def test_the_other_way_round_every_sign_is_the_other(one: Result, other: Result) -> None:
    there, back = compare(one, other), compare(other, one)
    assert back.judgment == _OPPOSITE[there.judgment]
    assert back.judged_by == there.judged_by
    for forward, backward in zip(deltas_sorted(there), deltas_sorted(back), strict=True):
        assert (forward.before, forward.after) == (backward.after, backward.before)
        assert backward.change == (None if forward.change is None else -forward.change)
        assert backward.change_pp == (None if forward.change_pp is None else -forward.change_pp)
        assert backward.effect == _OPPOSITE[forward.effect]
    assert sorted(map(_mirrored, there.causes)) == sorted(map(_plain, back.causes))
    assert (there.sessions.better, there.sessions.worse) == (back.sessions.worse, back.sessions.better)
    assert there.sessions.only_before == back.sessions.only_after
    assert there.sessions.why.count("known") == back.sessions.why.count("known")


def deltas_sorted(found: Comparison) -> list[Delta]:
    """Layouts stand in the order of the first side: sorted, so that both ways can be laid side by side."""
    ordered = msgspec.structs.replace(found, layouts=tuple(sorted(found.layouts, key=lambda row: row.engine)))
    pairs = tuple(
        sorted(ordered.sessions.pairs, key=lambda pair: tuple(sorted((pair.before_id, pair.after_id))))
    )
    return deltas(
        msgspec.structs.replace(ordered, sessions=msgspec.structs.replace(ordered.sessions, pairs=pairs))
    )


def _plain(one: FindingDelta) -> tuple[Any, ...]:
    sides = [repr(one.before), repr(one.after)]
    return (
        one.code,
        one.state,
        one.matched_by,
        one.change_tokens,
        one.change_requests,
        repr(one.change_saving),
        *sides,
    )


def _mirrored(one: FindingDelta) -> tuple[Any, ...]:
    saving = None if one.change_saving is None else -one.change_saving
    return (
        one.code,
        _OPPOSITE[one.state],
        one.matched_by,
        -one.change_tokens,
        -one.change_requests,
        repr(saving),
        repr(one.after),
        repr(one.before),
    )


@given(results(), results())
def test_changes_sum_up(one: Result, other: Result) -> None:
    found = compare(one, other)
    prompt, computed = (found.figure(name) for name in ("prompt-tokens", "computed-tokens"))
    assert prompt.change == other.totals.prompt_tokens - one.totals.prompt_tokens
    assert sum(part.tokens.change or 0 for part in found.outcomes) == prompt.change
    assert sum(part.tokens.change or 0 for part in found.labels) == prompt.change
    computed_parts = [part for part in found.outcomes if part.name != "hit"]
    assert sum(part.tokens.change or 0 for part in computed_parts) == computed.change
    if one.totals.prompt_tokens and other.totals.prompt_tokens:
        assert sum(part.share.change_pp or 0 for part in found.outcomes) == pytest.approx(0, abs=1e-9)
    own = found.sessions
    for name, listed, total in (
        ("prompt_tokens", sum(pair.prompt.change or 0 for pair in own.pairs), prompt.change),
        ("computed_tokens", sum(pair.computed.change or 0 for pair in own.pairs), computed.change),
    ):
        assert listed + getattr(own.only_after, name) - getattr(own.only_before, name) == total
    assert (
        sum(own.ways.values())
        == own.paired
        == own.better
        + own.worse
        + own.same
        + sum(not (pair.computed.effect or pair.hit_rate.effect) for pair in own.pairs)
    )


@given(findings(), findings())
def test_every_finding_of_either_side_stands_in_one_cause(
    one: tuple[Finding, ...], other: tuple[Finding, ...]
) -> None:
    base = builders.session()
    found = compare(*(msgspec.structs.replace(base, findings=side) for side in (one, other))).causes
    for side, given_findings in (("before", one), ("after", other)):
        have = sorted(
            (
                cause.code,
                getattr(cause, side).fingerprint,
                getattr(cause, side).tokens,
                getattr(cause, side).title,
            )
            for cause in found
            if getattr(cause, side) is not None
        )
        assert have == sorted((f.code, f.fingerprint, f.tokens, f.title) for f in given_findings)
    for cause in found:
        if cause.matched_by == "fingerprint":
            assert cause.before is not None
            assert cause.after is not None
            assert cause.before.fingerprint == cause.after.fingerprint
        if cause.matched_by == "rule":
            assert cause.before is not None
            assert cause.after is not None
            assert cause.before.fingerprint != cause.after.fingerprint
        assert (cause.matched_by == "") == (cause.state in ("appeared", "vanished"))


def _states(one: Sequence[Finding], other: Sequence[Finding]) -> list[tuple[str, str, str]]:
    base = builders.session()
    sides = (msgspec.structs.replace(base, findings=tuple(side)) for side in (one, other))
    return sorted((cause.state, cause.matched_by, cause.title) for cause in compare(*sides).causes)


def test_of_several_causes_of_a_rule_none_is_taken_for_another() -> None:
    def found(title: str, fingerprint: str, **changes: Any) -> Finding:
        return builders.finding(title=title, fingerprint=fingerprint, **changes)

    one, other = found("a", "1"), found("b", "2")
    assert _states([one], [other]) == [("unchanged", "rule", "b")], "one on either side: it has moved"
    assert _states([one, other], [found("c", "3")]) == [
        ("appeared", "", "c"),
        ("vanished", "", "a"),
        ("vanished", "", "b"),
    ]
    assert _states([one, other], [found("c", "3"), found("d", "4")]) == [
        ("appeared", "", "c"),
        ("appeared", "", "d"),
        ("vanished", "", "a"),
        ("vanished", "", "b"),
    ]
    assert _states([one, other], [found("b", "3", tokens=1), found("d", "4")]) == [
        ("shrank", "rule", "b"),
        ("unchanged", "rule", "d"),
    ], "of the same title is the same; then one is left on either side"
    assert _states([one], [found("a", "2", measure="carried")]) == [
        ("appeared", "", "a"),
        ("vanished", "", "a"),
    ]


# -- figures


def test_points_are_not_relative_changes() -> None:
    one = builders.result([builders.row(1, {"hit": 40, "fresh": 60})])
    other = builders.result([builders.row(1, {"hit": 60, "fresh": 40})])
    rate = compare(one, other).figure("hit-rate")
    assert (rate.before, rate.after, rate.change) == (0.4, 0.6, None)
    assert rate.change_pp == 20.0
    assert rate.relative == 0.5
    computed = compare(one, other).figure("computed-tokens")
    assert (computed.change, computed.change_pp) == (-20, None)
    assert computed.relative == float(Fraction(-1, 3))
    assert (rate.effect, computed.effect) == ("better", "better")


def test_what_does_not_exist_has_no_change() -> None:
    one = builders.result([builders.row(1, {"hit": 10})])
    other = builders.result([builders.row(1, {"hit": 5, "fresh": 5}, reported_cached_tokens=3)])
    found = compare(one, other)
    amplification, reported = (found.figure(name) for name in ("amplification", "reported-hit-rate"))
    assert (amplification.before, amplification.after) == (None, 1)
    assert (amplification.change, amplification.relative, amplification.effect) == (None, None, "")
    assert (reported.before, reported.after, reported.change_pp) == (None, 0.3, None)
    assert found.figure("computed-tokens").relative is None, "5 is no multiple of 0"
    with pytest.raises(KeyError):
        found.figure("no such figure")


def test_figures_are_those_of_the_results() -> None:
    result = builders.wasteful()
    found = compare(result, result)
    totals = result.totals
    values = {one.name: one.after for one in found.figures}
    assert values["wasted-tokens"] == sum(row.wasted_tokens for row in result.requests)
    assert values["waste"] == values["wasted-tokens"] / totals.prefilled_tokens  # type: ignore[operator]
    assert values["breaks"] == 7
    assert values["lost-tokens"] == totals.outcomes["divergence"]
    assert values["computed-again-tokens"] == totals.prefilled_tokens - totals.fresh_tokens
    assert values["ideal-hit-rate"] == pytest.approx(totals.ideal_hit_rate)
    assert values["hit-rate"] == pytest.approx(totals.hit_rate)
    assert values["amplification"] == pytest.approx(totals.prefill_amplification)
    assert values["prompt-per-request"] == totals.prompt_tokens / 84
    assert [bucket.name for bucket in found.buckets] == list(BUCKETS[1:])


# -- the real thing: a clock is added


def _talk(clock: bool) -> Session:
    session = Session(name="a", tools=[tool("look_up", what="string")])
    session.messages.append({"role": "system", "content": ""})
    for turn in range(6):
        time = f"The time is 10:31:{turn:02}." if clock else "Be brief."
        session.messages[0]["content"] = f"{words('plain head', 80)}\n{time}\n{words('plain rest', 80)}"
        if turn == 0:
            session.user(words("plain question", 20))
        session.use("look_up", {"what": str(turn)}, words(f"plain output {turn}", 100), text=f"step {turn}")
    return session


def test_a_clock_is_added_and_taken_out() -> None:
    plain, clocked = result_of(_talk(False)), result_of(_talk(True))
    found = compare(plain, clocked)
    assert (found.judgment, found.same_work) == ("worse", True)
    appeared = [cause.code for cause in found.causes if cause.state == "appeared"]
    assert "CL101" in appeared
    diverged = next(part for part in found.outcomes if part.name == "divergence")
    assert diverged.tokens.before == 0
    assert diverged.tokens.after == clocked.totals.outcomes["divergence"] > 0
    again = found.figure("computed-again-tokens")
    assert (again.before, again.change) == (0, diverged.tokens.after)
    saving = next(cause for cause in found.causes if cause.code == "CL101").change_saving
    assert saving == diverged.tokens.after, "all of it, and the replay says so"
    back = compare(clocked, plain)
    assert [cause.code for cause in back.causes if cause.state == "vanished"] == appeared
    assert back.judgment == "better"


def test_one_trace_by_two_engines() -> None:
    small, large = (result_of(_talk(False), engine="lru", capacity=size) for size in ("1k", "100k"))
    found = compare(small, large, allow=("capacity",))
    assert [(one.name, one.before, one.after) for one in found.across] == [
        ("capacity", "1,000 tokens", "100,000 tokens")
    ]
    assert (found.judgment, found.same_work) == ("better", True)
    gone = next(part for part in found.outcomes if part.name == "capacity")
    assert gone.tokens.change == -(small.totals.outcomes["capacity"])
    assert found.figure("prompt-tokens").change == 0
    assert found.sessions.ways == {"only": 1}
