"""Last uses against a naive search, and gaps between starts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.attribute.misses import idle_us, last_use
from tests.simulate.workloads import Call, calls, work_of


@settings(max_examples=100, deadline=None)
@given(calls(), st.sampled_from([1, 1, 3]), st.booleans())
def test_last_use_is_the_last_earlier_request_that_had_the_token(
    given_calls: list[Call], page: int, keep: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(given_calls, Path(folder))
    left = [(call.namespace, [*call.prompt, *(call.output[:-1] if keep else ())]) for call in given_calls]
    asked: list[tuple[int, int]] = []
    expected: list[int] = []
    for number, call in enumerate(given_calls):
        for depth in range(len(call.prompt) + 2):
            end = (depth // page + 1) * page  # a page is used as a whole
            users = [
                at
                for at, (namespace, tokens) in enumerate(left[:number])
                if end <= len(call.prompt)
                and (namespace, tokens[:end]) == (call.namespace, call.prompt[:end])
            ]
            asked.append((number, depth))
            expected.append(users[-1] if users else -1)
    request, depth_ = np.array(asked).T
    assert last_use(work.runs(page, keep), request, depth_).tolist() == expected


def test_shapes_and_bounds(tmp_path: Path) -> None:
    work = work_of([Call([1, 2, 3]), Call([1, 2, 4])], tmp_path)
    runs = work.runs()
    assert last_use(runs, [0, 1, 1, 1], [0, 1, 2, 10**12]).tolist() == [-1, 0, -1, -1]
    assert last_use(runs, 1, [[0], [2]]).tolist() == [[0], [-1]]
    nothing = work_of([Call([1])], tmp_path).runs()
    assert last_use(nothing, [0], [0]).tolist() == [-1]
    with pytest.raises(ValueError, match="negative"):
        last_use(runs, 1, -1)


def test_gaps_run_from_start_to_start(tmp_path: Path) -> None:
    work = work_of([Call([1], start=0, duration=9), Call([1], start=100.5, duration=1)], tmp_path)
    gaps = idle_us(work, [0, 1], [-1, 0])
    assert gaps is not None
    assert gaps.tolist() == [-1, 100_500_000]
    assert idle_us(replace(work, start_us=None), [1], [0]) is None
    with pytest.raises(IndexError):
        idle_us(work, [5], [0])
