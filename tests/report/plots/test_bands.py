from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.model.kinds import OUTCOMES
from cachelens.model.rows import RequestRow
from cachelens.report.plots.bands import CELLS, EMPTY, LOSSES, cells, shares
from tests.report import builders

RUNS = st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 40)), max_size=6)


def row(*runs: tuple[str, int]) -> RequestRow:
    outcomes: dict[str, int] = {}
    for name, tokens in runs:
        outcomes[name] = outcomes.get(name, 0) + tokens
    return builders.row(1, outcomes, runs=runs)


def test_every_outcome_has_a_code() -> None:
    assert sorted(CELLS) == sorted(OUTCOMES)


@given(RUNS, st.integers(1, 50), st.integers(0, 30))
def test_shares_are_those_counted_token_by_token(
    runs: list[tuple[str, int]], columns: int, more: int
) -> None:
    end = sum(tokens for _, tokens in runs) + more
    if not end:
        return
    found = shares(row(*runs), columns, end)
    names = [name for name, tokens in runs for _ in range(tokens)]
    # Each token is cut into as many equal parts as there are columns; each column gets `end` of them.
    parts = np.repeat([CELLS.index(name) for name in names] + [EMPTY] * more, columns).reshape(columns, end)
    for column in range(columns):
        for code in range(EMPTY + 1):
            assert found[code, column] == pytest.approx(np.count_nonzero(parts[column] == code) / end)


@given(st.lists(RUNS, min_size=1, max_size=12))
def test_a_line_for_each_request_shows_it_as_it_is(all_runs: list[list[tuple[str, int]]]) -> None:
    end = max(sum(tokens for _, tokens in runs) for runs in all_runs)
    if not end:
        return
    found = cells([[row(*runs)] for runs in all_runs], [0] * len(all_runs), end, end)
    for line, runs in zip(found, all_runs, strict=True):
        names = [name for name, tokens in runs for _ in range(tokens)]
        assert line.tolist() == [CELLS.index(name) for name in names] + [EMPTY] * (end - len(names))


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=120), st.integers(1, 12))
def test_no_loss_is_lost_and_none_is_made_up(lost: list[bool], each: int) -> None:
    rows = [row(("divergence" if one else "hit", 10)) for one in lost]
    lines = [rows[at : at + each] for at in range(0, len(rows), each)]
    found = cells(lines, [0] * len(lines), 5, 10)
    code = CELLS.index("divergence")
    shown = [bool(line[0] == code) for line in found]
    assert (found == found[:, :1]).all()
    for line, is_lost in zip(lines, shown, strict=True):
        if is_lost:
            assert any("divergence" in item.outcomes for item in line)
    # Whoever looks for a loss finds it on its line, or within so many lines above or on the line just after.
    for at, line in enumerate(lines):
        if any("divergence" in item.outcomes for item in line):
            assert any(shown[max(at - each, 0) : at + 1])
    true = sum(sum("divergence" in item.outcomes for item in line) / len(line) for line in lines)
    assert sum(shown) <= true + len(lines) / each + 2
    assert sum(shown) >= true - 1 - len(lines) / each


def test_a_lone_loss_among_thousands_shows_where_it_is() -> None:
    rows = [row(("hit", 100)) for _ in range(2000)]
    for at in (333, 1500):
        rows[at] = row(("hit", 10), ("divergence", 90))
    lines = [rows[at : at + 20] for at in range(0, 2000, 20)]
    found = cells(lines, [0] * 100, 50, 100)
    where = np.argwhere(found == CELLS.index("divergence"))
    assert sorted(set(where[:, 0].tolist())) == [16, 75]
    assert sorted(set(where[:, 1].tolist())) == list(range(5, 50))


def test_areas_hold_where_requests_differ() -> None:
    rows = [row(("hit", 60), ("fresh", 40)) if at % 3 else row(("fresh", 20)) for at in range(3000)]
    lines = [rows[at : at + 6] for at in range(0, 3000, 6)]
    found = cells(lines, [0] * 500, 100, 100)
    for name in ("hit", "fresh"):
        tokens = sum(item.outcomes.get(name, 0) for item in rows) / (3000 * 100)
        assert np.mean(found == CELLS.index(name)) == pytest.approx(tokens, abs=0.005)


def test_nothing_is_carried_from_block_to_block() -> None:
    lost, kept = row(("divergence", 10)), row(("hit", 10))
    lines = [[lost, kept, kept], [kept] * 3, [lost, kept, kept]]
    one = cells(lines, [0, 0, 0], 1, 10)[:, 0].tolist()
    two = cells(lines, [0, 0, 1], 1, 10)[:, 0].tolist()
    code = CELLS.index("divergence")
    assert one[0] == two[0] == two[2] == code
    assert one[2] != code
    assert len(LOSSES) == 6
