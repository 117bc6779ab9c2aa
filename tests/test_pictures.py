"""What pictures are drawn from, against a walk over every token of every request."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.case import Case
from cachelens.model.inspection import SegmentRow
from cachelens.model.kinds import KINDS, OUTCOMES
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result, check, decode, encode
from cachelens.pipeline import analyze, examine, inspect, load
from cachelens.pipeline.analysis import Analysis
from cachelens.pipeline.findings import advise
from cachelens.pipeline.pictures.bridge import bridge
from cachelens.pipeline.pictures.groups import groups
from cachelens.pipeline.pictures.placed import placed
from cachelens.pipeline.pictures.tree import stretches
from cachelens.pipeline.pictures.views import fate, shortened
from cachelens.pipeline.savings import Bench
from cachelens.prefix.queries import curve_at

SAMPLES = sorted(
    path for path in (Path(__file__).parents[1] / "sample_traces").iterdir() if path.suffix != ".md"
)
#: Engines that hit everything, evict, and serve whole pages only.
CACHES = {
    "ideal": AnalyzeOptions(pictures=True, engine="ideal"),
    "sglang": AnalyzeOptions(pictures=True, engine="sglang", capacity="3000"),
    "vllm": AnalyzeOptions(pictures=True, engine="vllm", capacity="6000"),
}


@cache
def analysis(path: Path, engine: str = "sglang") -> Analysis:
    return examine(load([str(path)], IngestOptions()), CACHES[engine])


def walked(case: Case) -> tuple[Counter[int], Counter[int], Counter[int]]:
    """Requests, served tokens and tokens sent before, by segment row: one request after the other."""
    requests: Counter[int] = Counter()
    hit: Counter[int] = Counter()
    repeated: Counter[int] = Counter()
    for request in range(len(case)):
        start = 0
        served, again = int(case.replay.hit[request]), int(case.reusable[request])
        for row in case.path(request).tolist():
            tokens = case.tokens(row)
            requests[row] += 1
            hit[row] += max(0, min(served - start, tokens))
            repeated[row] += max(0, min(again - start, tokens))
            start += tokens
    return requests, hit, repeated


@pytest.mark.parametrize("engine", CACHES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_positions_hold_what_a_walk_finds(path: Path, engine: str) -> None:
    case = analysis(path, engine).case
    where, (requests, hit, repeated) = placed(case), walked(case)
    for row in range(len(case.trace.segments)):
        found = [int(column[row]) for column in (where.requests, where.sent, where.hit, where.repeated)]
        sent = requests[row] * case.tokens(row)
        # A segment of no tokens is in prompts, but no token of a prompt is in it.
        assert found[1:] == [sent, hit[row], repeated[row]]
        assert found[0] == requests[row] or not case.tokens(row)


@pytest.mark.parametrize("most", [0, 1, 3, 10, 1000])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_tree_is_whole_whatever_is_folded(path: Path, most: int) -> None:
    case = analysis(path).case
    where = placed(case)
    rows = stretches(case, where, most)
    assert sum(row.sent_tokens for row in rows) == int(case.work.prompt_tokens.sum())
    assert sum(row.hit_tokens for row in rows) == int(case.replay.hit.sum())
    assert sum(row.repeated_tokens for row in rows) == int(case.reusable.sum())
    assert sum(not row.folded for row in rows) <= most
    tokens = sum(row.tokens for row in rows)
    assert tokens == sum(row.tokens for row in stretches(case, where, 10**6))
    for at, row in enumerate(rows):
        assert row.parent < at
        assert row.hit_tokens <= row.sent_tokens
        assert row.sent_tokens == row.tokens * row.requests or row.folded
        if row.parent >= 0:
            above = rows[row.parent]
            assert not above.folded
            assert above.requests >= row.requests
            assert above.depth + above.tokens == row.depth
        else:
            assert row.depth == 0


def test_siblings_of_the_tree_come_heaviest_first() -> None:
    case = analysis(SAMPLES[-2]).case
    rows = stretches(case, placed(case))
    weight = [row.sent_tokens for row in rows]
    for at in range(len(rows) - 1, -1, -1):
        if rows[at].parent >= 0:
            weight[rows[at].parent] += weight[at]
    for parent in range(-1, len(rows)):
        own = [weight[at] for at, row in enumerate(rows) if row.parent == parent and not row.folded]
        assert own == sorted(own, reverse=True)


@pytest.mark.parametrize("most", [0, 2, 9, 1000])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_groups_are_whole_whatever_is_folded(path: Path, most: int) -> None:
    case = analysis(path).case
    where = placed(case)
    found = groups(case, where, most)
    assert sum(group.sent_tokens for group in found) == int(case.work.prompt_tokens.sum())
    assert sum(group.hit_tokens for group in found) == int(case.replay.hit.sum())
    by_kind: Counter[str] = Counter()
    for request in range(len(case)):
        for row in case.path(request).tolist():
            by_kind[KINDS[case.trace.segments.kind[row]]] += case.tokens(row)
    drawn: Counter[str] = Counter()
    for group in found:
        drawn[group.kind] += group.sent_tokens
    assert +drawn == +by_kind
    assert len({(group.kind, group.name, group.item) for group in found}) == len(found)
    everything = len(groups(case, where, 10**6))
    assert sum(max(group.folded, 1) for group in found) == everything or any(
        group.folded and group.item is None for group in found
    )
    assert len(found) <= max(most, len({group.kind for group in found}) + most // 2)


def test_a_read_is_grouped_by_its_file() -> None:
    case = analysis(Path(__file__).parents[1] / "sample_traces" / "append-only.jsonl").case
    found = [group for group in groups(case, placed(case)) if group.kind == "tool_result" and group.item]
    assert found
    assert {group.item for group in found} <= {
        touch.path for call in case.content.calls.at.values() for touch in call.deed.touches
    }


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_runs_say_where_outcomes_stand(path: Path) -> None:
    found = analysis(path)
    for request, row in enumerate(found.result.requests):
        spelled = [name for name, tokens in row.runs for _ in range(tokens)]
        ledger = found.case.ledger.rows(request)
        assert spelled == [OUTCOMES[part.outcome] for part in ledger for _ in range(part.hi - part.lo)]
        assert all(one[0] != two[0] for one, two in zip(row.runs, row.runs[1:], strict=False))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_bridge_ends_at_all_remedies_together(path: Path) -> None:
    result = analysis(path).result
    assert result.pictures is not None
    together = result.remedies.all_together
    steps = result.pictures.bridge
    assert bool(steps) == (together is not None)
    if together is not None:
        assert steps[-1].computed_tokens == result.totals.prefilled_tokens - together.computed_tokens
        assert steps[-1].prompt_tokens == result.totals.prompt_tokens - together.prompt_tokens
        first = next(one for one in result.findings if one.fingerprint == steps[0].fingerprints[0])
        assert first.saving is not None
        assert steps[0].computed_tokens == result.totals.prefilled_tokens - first.saving.computed_tokens


def test_many_remedies_end_in_one_step() -> None:
    found = analysis(Path(__file__).parents[1] / "sample_traces" / "clock.jsonl")
    bench = Bench(found.case, None)
    chosen = advise(found.case, bench).chosen
    assert len(chosen) > 1
    (only,) = bridge(bench, chosen, 1)
    assert len(only.fingerprints) == len(chosen)
    assert found.result.pictures is not None
    assert only.computed_tokens == found.result.pictures.bridge[-1].computed_tokens


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_curve_is_the_exact_one_at_its_points(path: Path) -> None:
    found = analysis(path)
    assert found.result.pictures is not None
    line = found.result.pictures.curve
    runs = found.case.work.runs(line.page_size)
    sizes = [point.capacity_tokens for point in line.points]
    assert sizes == sorted(set(sizes))
    assert [point.lru_hit_tokens for point in line.points] == curve_at(runs, sizes).tolist()
    assert all(
        point.lru_hit_tokens <= point.optimal_hit_tokens <= line.ideal_hit_tokens
        for point in line.points
        if point.optimal_hit_tokens is not None
    )
    assert line.today == (3000, found.result.totals.hit_tokens)
    assert any(
        point.capacity_tokens == 3000 and point.optimal_hit_tokens is not None for point in line.points
    )
    own = line.series[0]
    assert (own.engine, own.policy) == (found.result.engine.name, found.result.engine.policy)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_views_are_what_inspect_shows(path: Path) -> None:
    trace = load([str(path)], IngestOptions())
    result = analysis(path).result
    assert result.pictures is not None
    views = result.pictures.views
    assert [view.request_id for view in views] == [
        row.request_id for row in result.requests if row.request_id in {view.request_id for view in views}
    ]
    looked_at = {view.request_id for view in views}
    named = [one.location.request_id for one in result.findings if one.location is not None]
    assert set(named) <= looked_at
    view = views[-1]
    whole = inspect(trace, CACHES["sglang"], view.request_id)
    assert all(row == whole.segments[row.position] for row in view.segments)
    assert (view.edits, view.divergence_edit, view.break_, view.echo) == (
        whole.edits,
        whole.divergence_edit,
        whole.break_,
        whole.echo,
    )


@cache
def segments() -> tuple[SegmentRow, ...]:
    trace = load([str(Path(__file__).parents[1] / "sample_traces" / "append-only.jsonl")], IngestOptions())
    return inspect(trace, AnalyzeOptions(), "10").segments


@given(st.integers(1, 60))
@settings(deadline=None)
def test_a_shortened_view_keeps_ends_and_changes(most: int) -> None:
    rows = segments()
    kept = shortened(rows, most)
    assert len(kept) <= max(most, 6)
    assert (kept[0], kept[-1]) == (rows[0], rows[-1])
    assert [row.position for row in kept] == sorted({row.position for row in kept})
    changes = [at for at in range(1, len(rows)) if fate(rows[at - 1]) != fate(rows[at])]
    if most >= 6 + 2 * len(changes):
        assert {rows[at].position for at in changes} <= {row.position for row in kept}


def test_only_when_asked_for() -> None:
    trace = load([str(SAMPLES[0])], IngestOptions())
    plain, drawn = analyze(trace, AnalyzeOptions()), analyze(trace, AnalyzeOptions(pictures=True))
    assert plain.pictures is None
    assert all(not row.runs for row in plain.requests)
    assert plain.findings == drawn.findings
    assert decode(encode(drawn)) == drawn


def test_what_does_not_sum_is_refused() -> None:
    import msgspec

    result: Result = analysis(SAMPLES[0]).result
    assert result.pictures is not None
    pictures = msgspec.structs.replace(result.pictures, groups=result.pictures.groups[1:])
    with pytest.raises(ValueError, match="picture"):
        check(msgspec.structs.replace(result, pictures=pictures))
    row = msgspec.structs.replace(result.requests[0], runs=(("hit", 1),))
    with pytest.raises(ValueError, match="runs"):
        check(msgspec.structs.replace(result, requests=(row, *result.requests[1:])))
