"""Page numbers agree with the tokens they stand for; forests grow without changing what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.prefix.grow import cut, hang
from cachelens.prefix.paths import Paths, common_pages, page_ids
from tests.simulate.workloads import Call, calls, work_of


def built(given_calls: list[Call]):  # type: ignore[no-untyped-def]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return work_of(given_calls, Path(folder))


@settings(max_examples=60, deadline=None)
@given(calls(), st.integers(1, 5))
def test_pages_have_one_number_exactly_when_all_tokens_up_to_their_end_are_equal(
    given_calls: list[Call], page: int
) -> None:
    work = built(given_calls)
    paths = Paths(work.forest, page)
    texts = [
        [*call.prompt, *call.output][: int(k)] for call, k in zip(given_calls, work.kept_tokens, strict=True)
    ]
    numbers: dict[tuple[str, tuple[int, ...]], int] = {}
    for call, text, node in zip(given_calls, texts, work.kept.tolist(), strict=True):
        ids = page_ids(paths.ranges(node, len(text) // page)).tolist()
        assert len(ids) == len(text) // page
        for at, number in enumerate(ids):
            key = (call.namespace, tuple(text[: (at + 1) * page]))
            assert numbers.setdefault(key, number) == number
    assert len(set(numbers.values())) == len(numbers)
    assert all(0 <= number < paths.size for number in numbers.values())


@settings(max_examples=60, deadline=None)
@given(calls(), st.integers(1, 5))
def test_common_pages_are_the_longest_common_prefix(given_calls: list[Call], page: int) -> None:
    work = built(given_calls)
    paths = Paths(work.forest, page)
    ranges = [
        paths.ranges(node, int(n) // page)
        for node, n in zip(work.prompt.tolist(), work.prompt_tokens, strict=True)
    ]
    for a, one in enumerate(given_calls):
        for b, two in enumerate(given_calls):
            same = 0
            while (
                one.namespace == two.namespace
                and same < min(len(one.prompt), len(two.prompt))
                and one.prompt[same] == two.prompt[same]
            ):
                same += 1
            assert common_pages(ranges[a], ranges[b]) == same // page


@settings(max_examples=60, deadline=None)
@given(calls(), st.data())
def test_cut_gives_nodes_that_end_where_asked_and_leaves_common_depths_alone(
    given_calls: list[Call], data: st.DataObject
) -> None:
    work = built(given_calls)
    depths = np.array([data.draw(st.integers(0, int(n))) for n in work.prompt_tokens], dtype=np.int64)
    forest, nodes = cut(work.forest, work.prompt, depths)
    assert forest.end[nodes].tolist() == depths.tolist()
    assert bool(np.all((forest.start < forest.end) | (forest.parent < 0) | (forest.end == 0)))
    for a in range(len(nodes)):
        assert forest.common_depth(int(nodes[a]), int(work.prompt[a])) == depths[a]
        for b in range(len(nodes)):
            before = work.forest.common_depth(int(work.prompt[a]), int(work.prompt[b]))
            assert forest.common_depth(int(work.prompt[a]), int(work.prompt[b])) == before


def test_what_hangs_below_a_node_is_shared_with_nobody(tmp_path: Path) -> None:
    work = work_of([Call([1, 2, 3]), Call([1, 2, 3])], tmp_path)
    forest, ends = hang(work.forest, work.prompt, np.array([4, 0]))
    assert forest.end[ends].tolist() == [7, 3]
    assert forest.common_depth(int(ends[0]), int(ends[1])) == 3


def test_what_is_kept_is_the_prompt_and_all_generated_tokens_but_the_last(tmp_path: Path) -> None:
    work = work_of([Call([1, 2], [7, 8, 9]), Call([1, 2, 7, 8, 9]), Call([5])], tmp_path)
    assert work.kept_tokens.tolist() == [4, 5, 1]
    assert work.reusable().tolist() == [0, 4, 0]
    assert work.reusable(keeps_output=False).tolist() == [0, 2, 0]
    assert work.working_set() == 6
    assert work.working_set(keeps_output=False) == 6


def test_generated_text_that_was_only_counted_takes_room_and_matches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "counted.jsonl"
    path.write_text('{"tokens": [1, 2], "output_tokens": 5}\n{"tokens": [1, 2, 3], "output_tokens": 1}\n')
    from cachelens.model.options import IngestOptions
    from cachelens.pipeline.loading import load
    from cachelens.simulate.workload import workload

    work = workload(load([str(path)], IngestOptions()))
    assert work.kept_tokens.tolist() == [6, 3]
    assert work.working_set() == 7
    assert work.reusable().tolist() == [0, 2]
