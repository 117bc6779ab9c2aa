"""Both planes in one: running sums against a reading token by token, over trees, overlapping facts and outcomes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.attribute.ledger import Ledger, ledger
from cachelens.model.kinds import BUCKETS, KIND_CODE, LABEL_CODE, LABELS, OUTCOME_CODE, OUTCOMES
from cachelens.model.labels import Labels
from cachelens.model.outcomes import Outcomes
from cachelens.model.trace import Trace
from tests.truth.tables import Ask, Seg, table, word

Fact = tuple[int, int, int, int, int, int]
REPEATED = {"dup_exact", "dup_call", "echo"}
STALE = {"superseded_read", "superseded_write", "failed_rerun", "unreferenced"}


def bucket(outcome: str, label: str, is_result: bool) -> str:
    """The definition, in order: tool-output reparsing, stale history, retransmission."""
    again = outcome not in ("hit", "fresh")
    if is_result and (again or label in REPEATED):
        return "tool_output_reparsing"
    if label in STALE:
        return "stale_history"
    return "retransmission" if again else "none"


@st.composite
def forks(draw: st.DrawFn) -> Trace:
    """Requests over a small tree of segments: they go on, go back, begin anew, or are empty."""
    paths: list[list[Seg]] = [[]]
    asks = []
    for number in range(draw(st.integers(1, 8))):
        base = draw(st.sampled_from(paths))
        base = base[: draw(st.integers(0, len(base)))]
        more = [
            Seg(
                word(draw(st.integers(0, 5)), draw(st.integers(0, 6))),
                draw(st.sampled_from(["user", "tool_result", "tool_result", "assistant"])),
                draw(st.booleans()),
            )
            for _ in range(draw(st.integers(0, 4)))
        ]
        paths.append([*base, *more])
        reply = [Seg(word(50 + number, 3), "assistant")] if draw(st.booleans()) else []
        asks.append(Ask(paths[-1], reply))
    return table(asks)


@st.composite
def books(draw: st.DrawFn) -> tuple[Trace, Outcomes, list[Fact]]:
    """A trace, random outcomes of its tokens, and random facts: overlapping, and since any row below."""
    trace = draw(forks())
    segments, tokens = trace.segments, trace.contents.tokens
    facts: list[Fact] = []
    count = len(segments)
    for _ in range(draw(st.integers(0, 12)) if count else 0):
        since = draw(st.integers(0, count - 1))
        path = segments.path(since).tolist()
        row = draw(st.sampled_from(path))
        size = int(tokens[segments.content[row]])
        lo = draw(st.integers(0, size))
        hi = draw(st.integers(lo, size))
        label = draw(st.integers(1, len(LABELS) - 1))
        facts.append((row, lo, hi, label, since, draw(st.sampled_from([-1, *path]))))
    rows = []
    for request, end in enumerate(trace.requests["prompt_tokens"].to_list()):
        cuts = sorted({0, end, *draw(st.lists(st.integers(0, end), max_size=5))})
        last = -1
        for lo, hi in pairwise(cuts):
            code = draw(st.sampled_from([one for one in range(len(OUTCOMES)) if one != last]))
            rows.append((request, lo, hi, code))
            last = code
    cells = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return trace, Outcomes(cells[:, 0], cells[:, 1], cells[:, 2], cells[:, 3].astype(np.uint8)), facts


def literal(
    trace: Trace, outcomes: Outcomes, facts: list[Fact], request: int
) -> list[tuple[str, str, int, str, int]]:
    """(outcome, label, cause, bucket, row) of every token of a prompt, each looked at on its own."""
    found = []
    path = trace.segments.path(int(trace.last_segment[request])).tolist()
    outcome = {
        at: OUTCOMES[code]
        for r, lo, hi, code in zip(outcomes.request, outcomes.lo, outcomes.hi, outcomes.outcome, strict=True)
        if r == request
        for at in range(lo, hi)
    }
    depth = 0
    for row in path:
        is_result = int(trace.segments.kind[row]) == KIND_CODE["tool_result"]
        for at in range(int(trace.contents.tokens[trace.segments.content[row]])):
            own = [
                (label, since, cause)
                for r, lo, hi, label, since, cause in facts
                if r == row and lo <= at < hi and since in path
            ]
            label, _, cause = min(own, default=(0, 0, -1))
            name = LABELS[label]
            found.append((outcome[depth], name, cause, bucket(outcome[depth], name, is_result), row))
            depth += 1
    return found


@settings(max_examples=200, deadline=None)
@given(books())
def test_rows_hold_every_token_once_as_a_literal_reading_has_it(
    given_books: tuple[Trace, Outcomes, list[Fact]],
) -> None:
    trace, outcomes, facts = given_books
    made = ledger(trace, outcomes, Labels.of(facts))
    for request in range(len(trace)):
        rows = made.rows(request)
        assert all(a.hi == b.lo for a, b in pairwise(rows))
        found = [
            (OUTCOMES[row.outcome], LABELS[row.label], BUCKETS[row.bucket], row.row)
            for row in rows
            for _ in range(row.lo, row.hi)
        ]
        expected = literal(trace, outcomes, facts, request)
        assert found == [(o, label, b, row) for o, label, _, b, row in expected]
        # Of facts that are alike in label and row either may be named.
        causes = [row.label_cause for row in rows for _ in range(row.lo, row.hi)]
        for cause, (_, label, _, _, row) in zip(causes, expected, strict=True):
            named = {f[5] for f in facts if f[0] == row and LABELS[f[3]] == label}
            assert cause in (named if label != "live" else {-1})


@settings(max_examples=300, deadline=None)
@given(books())
def test_sums_are_those_of_the_rows(given_books: tuple[Trace, Outcomes, list[Fact]]) -> None:
    trace, outcomes, facts = given_books
    made = ledger(trace, outcomes, Labels.of(facts))
    causes = np.zeros((len(BUCKETS), len(OUTCOMES)), dtype=np.int64)
    computed_at: set[tuple[int, int, int]] = set()
    for request in range(len(trace)):
        labels, carried = dict.fromkeys(LABELS, 0), dict.fromkeys(BUCKETS, 0)
        computed = dict.fromkeys(BUCKETS, 0)
        for at, (outcome, label, _, of, _) in enumerate(literal(trace, outcomes, facts, request)):
            labels[label] += 1
            carried[of] += 1
            if of != "none":
                causes[BUCKETS.index(of), OUTCOME_CODE[outcome]] += 1
                if outcome != "hit":
                    computed[of] += 1
                    computed_at.add((BUCKETS.index(of), request, at))
        assert dict(zip(LABELS, made.labels[request].tolist(), strict=True)) == labels
        assert dict(zip(BUCKETS, made.carried[request].tolist(), strict=True)) == carried
        assert dict(zip(BUCKETS, made.computed[request].tolist(), strict=True)) == computed
    assert made.causes.tolist() == causes.tolist()
    assert (made.carried.sum(axis=1) == trace.requests["prompt_tokens"].to_numpy()).all()
    # Spans say which places of prompts they were, and each once.
    places = sorted((b, at) for b, lo, hi in made.spans.tolist() for at in range(lo, hi))
    assert places == sorted((b, at) for b, _, at in computed_at)


@settings(max_examples=150, deadline=None)
@given(books())
def test_held_counts_labeled_tokens_of_each_position_once(
    given_books: tuple[Trace, Outcomes, list[Fact]],
) -> None:
    trace, outcomes, facts = given_books
    made = ledger(trace, outcomes, Labels.of(facts))
    held = dict.fromkeys(BUCKETS, 0)
    for row in range(len(trace.segments)):
        is_result = int(trace.segments.kind[row]) == KIND_CODE["tool_result"]
        for at in range(int(trace.contents.tokens[trace.segments.content[row]])):
            label = min((f[3] for f in facts if f[0] == row and f[1] <= at < f[2]), default=0)
            of = bucket("hit", LABELS[label], is_result)
            held[of] += of != "none"
    for request in range(len(trace)):
        for outcome, name, _, of, _ in literal(trace, outcomes, facts, request):
            held[of] += outcome == "divergence" and name == "live"
    assert dict(zip(BUCKETS, made.held.tolist(), strict=True)) == held


def test_a_result_that_is_stale_is_stale_until_it_is_computed_again() -> None:
    user, result = Seg(word(1, 10), "user"), Seg(word(2, 8), "tool_result", call="c")
    trace = table([Ask([user, result]), Ask([user, result, user], (), 0), Ask([user, result, user], (), 1)])
    hit, fresh, capacity = (OUTCOME_CODE[name] for name in ("hit", "fresh", "capacity"))
    rows = [(0, 0, 18, fresh), (1, 0, 18, hit), (1, 18, 28, fresh), (2, 0, 28, capacity)]
    cells = np.array(rows, dtype=np.int64)
    outcomes = Outcomes(cells[:, 0], cells[:, 1], cells[:, 2], cells[:, 3].astype(np.uint8))
    since = int(trace.last_segment[1])
    facts = Labels.of([(int(trace.last_segment[0]), 0, 8, LABEL_CODE["superseded_read"], since, since)])
    made: Ledger = ledger(trace, outcomes, facts)
    assert made.carried.tolist() == [[18, 0, 0, 0], [20, 0, 0, 8], [0, 20, 8, 0]]
    assert made.computed.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 20, 8, 0]]
    assert made.held.tolist() == [0, 0, 0, 8]
