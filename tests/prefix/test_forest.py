"""The forest against naive comparison of the token sequences it was built from."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.prefix.forest import Forest, ForestBuilder, place

from .workloads import Request, Tables, Token, of, payloads, pieces_of, tables, trie, untimed, workloads


def common(a: tuple[Token, ...], b: tuple[Token, ...]) -> int:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def ends_of(requests: list[Request]) -> list[tuple[str, tuple[Token, ...]]]:
    return [(r.namespace, r.looked) for r in requests] + [(r.namespace, r.touched) for r in requests]


def check_shape(forest: Forest) -> None:
    for node in range(len(forest)):
        above = int(forest.parent[node])
        if above < 0:
            assert node in forest.roots
            assert forest.start[node] == forest.end[node] == 0
        else:
            assert forest.start[node] == forest.end[above]
            assert forest.end[node] > forest.start[node]


@untimed
@given(workloads())
def test_common_depth_is_the_longest_common_prefix(requests: list[Request]) -> None:
    forest, lookup, touch = tables(requests).place()
    check_shape(forest)
    nodes = [*lookup.tolist(), *touch.tolist()]
    ends = ends_of(requests)
    for a, (space_a, tokens_a) in zip(nodes, ends, strict=True):
        assert forest.end[a] == len(tokens_a)
        for b, (space_b, tokens_b) in zip(nodes, ends, strict=True):
            expected = common(tokens_a, tokens_b) if space_a == space_b else 0
            assert forest.common_depth(a, b) == expected
            assert (a == b) == ((space_a, tokens_a) == (space_b, tokens_b))


@untimed
@given(workloads())
def test_unique_tokens_are_the_distinct_prefixes(requests: list[Request]) -> None:
    forest, _, _ = tables(requests).place()
    prefixes = {(space, tokens[:i]) for space, tokens in ends_of(requests) for i in range(1, len(tokens) + 1)}
    assert int((forest.end - forest.start).sum()) == len(prefixes)


@untimed
@given(st.data())
def test_cuts_do_not_matter(data: st.DataObject) -> None:
    requests = data.draw(workloads(atomic=False))
    again = [
        Request(
            r.namespace,
            data.draw(pieces_of(tuple(t for t in r.looked if isinstance(t, int)))),
            data.draw(pieces_of(tuple(t for piece in r.output for t in piece if isinstance(t, int)))),
        )
        for r in requests
    ]
    one, _, _ = first = tables(requests).place()
    two, _, _ = second = tables(again).place()
    nodes = np.concatenate(first[1:]), np.concatenate(second[1:])
    depths = [
        [forest.common_depth(a, b) for a in ends.tolist() for b in ends.tolist()]
        for forest, ends in zip((one, two), nodes, strict=True)
    ]
    assert depths[0] == depths[1]
    assert (one.end - one.start).sum() == (two.end - two.start).sum()


@untimed
@given(workloads())
def test_heavy_paths_are_chains_and_few(requests: list[Request]) -> None:
    forest, _, _ = tables(requests).place()
    heads = forest.heads.tolist()
    on_path = [node for node in range(len(forest)) if heads[node] != node]
    assert all(heads[node] == heads[forest.parent[node]] for node in on_path)
    assert len({int(forest.parent[node]) for node in on_path}) == len(on_path)  # one heavy child at most
    for node in range(len(forest)):
        crossed, at = 0, node
        while at >= 0:
            crossed += 1
            at = int(forest.parent[heads[at]])
        assert 2 ** (crossed - 1) <= len(forest)


def test_positions_survive_a_split_above_them() -> None:
    contents = payloads([(1, 2, 3, 4), (1, 2, 9), (5,)], [4, 3, 1])
    builder = ForestBuilder(contents)
    root = builder.root("m")
    deep = builder.extend(root, 0)
    tail = builder.extend(deep, 2)
    before = builder.build()
    other = builder.extend(root, 1)
    forest = builder.build()
    assert builder.extend(root, 0) == deep
    assert builder.extend(deep, 2) == tail
    assert (forest.end[deep], forest.end[tail]) == (4, 5)
    assert forest.common_depth(tail, other) == 2
    assert before.common_depth(deep, tail) == 4
    assert len(forest) == len(before) + 2


@untimed
@given(workloads(), st.integers(0, 8))
def test_a_forest_built_on_is_the_same_as_one_built_anew(requests: list[Request], known: int) -> None:
    """Whatever was read before stays out of every answer about what is read now."""
    whole = tables(requests)
    builder = ForestBuilder(whole.contents)
    some = slice(None, known)
    earlier = [whole.prompt_rows[some], whole.output_rows[some]]
    place(whole.segments, whole.contents, earlier, whole.namespaces[some], builder)
    before = len(builder.build())
    one, placed = place(
        whole.segments,
        whole.contents,
        [whole.prompt_rows[known:], whole.output_rows[known:]],
        whole.namespaces[known:],
        builder.fork(whole.contents),
    )
    assert len(builder.build()) == before
    check_shape(one)
    nodes = np.concatenate(placed).tolist()
    ends = ends_of(requests[known:])
    for a, (space_a, tokens_a) in zip(nodes, ends, strict=True):
        for b, (space_b, tokens_b) in zip(nodes, ends, strict=True):
            expected = common(tokens_a, tokens_b) if space_a == space_b else 0
            assert one.common_depth(a, b) == expected


def test_a_fork_goes_on_with_more_contents_only() -> None:
    builder = ForestBuilder(payloads([(1, 2), (1, 3)], [2, 2]))
    deep = builder.extend(builder.root("m"), 0)
    other = builder.fork(payloads([(1, 2), (1, 3), (1, 2, 4)], [2, 2, 3]))
    more = other.extend(other.root("m"), 2)
    assert other.build().parent[more] == deep
    with pytest.raises(ValueError, match="goes on with the contents"):
        builder.fork(payloads([(1,), (1, 3)], [1, 2]))


def test_atomic_contents_equal_only_themselves() -> None:
    builder = ForestBuilder(payloads([(), (), (7, 7, 7), ()], [3, 3, 3, 0]))
    root = builder.root("m")
    one, two, ids = (builder.extend(root, content) for content in range(3))
    assert builder.extend(root, 3) == root
    assert builder.extend(root, 0) == one
    forest = builder.build()
    assert [forest.common_depth(a, b) for a, b in ((one, two), (one, ids), (one, one))] == [0, 0, 3]


@pytest.mark.parametrize("length", [31, 32, 33, 160, 161, 100_000, 250_000])
@pytest.mark.parametrize("back", [0, 1, 2, 40])
def test_long_equal_runs(length: int, back: int) -> None:
    """The first difference is found wherever it lies against the chunks of the comparison."""
    row = [i % 1000 for i in range(length)]
    other = row.copy()
    differ = length - back
    if back and differ > 0:
        other[differ] = 5000 if differ < length else 0
    if differ <= 0:
        differ = length
    builder = ForestBuilder(payloads([row, [*other, 1]], [length, length + 1]))
    a, b = (builder.extend(builder.root("m"), content) for content in (0, 1))
    assert builder.build().common_depth(a, b) == differ


def test_deep_chains_need_no_recursion() -> None:
    n = 30_000
    forest, (nodes,) = place(
        trie(range(-1, n - 1), [i % 2 for i in range(n)]),
        payloads([(1,), (2,)], [1, 1]),
        [np.arange(n, dtype=np.int64)],
        ["m"] * n,
    )
    assert forest.end[nodes].tolist() == list(range(1, n + 1))
    assert forest.common_depth(int(nodes[-1]), int(nodes[17])) == 18


def test_large_random_forest_against_pairs_of_neighbors() -> None:
    rng = random.Random(7)
    texts = [""]
    for _ in range(600):
        base = rng.choice(texts)
        texts.append(base[: rng.randint(0, len(base))] + "".join(rng.choices("ab", k=rng.randint(1, 40))))
    forest, lookup, _ = tables(of(*texts)).place()
    nodes = lookup.tolist()
    for (a, b), (x, y) in zip(pairwise(nodes), pairwise(texts), strict=True):
        assert forest.common_depth(a, b) == common(tuple(map(ord, x)), tuple(map(ord, y)))


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="as many token ids"):
        ForestBuilder(payloads([(1, 2)], [3]))
    contents = payloads([(1,)], [1])
    builder = ForestBuilder(contents)
    with pytest.raises(IndexError, match="no position 5"):
        builder.extend(5, 0)
    with pytest.raises(IndexError, match="no content -1"):
        builder.extend(builder.root("m"), -1)
    ends = np.array([0], np.int64)
    with pytest.raises(ValueError, match="earlier row"):
        place(trie([0], [0]), contents, [ends], ["m"])
    with pytest.raises(ValueError, match="one entry per request"):
        place(trie([-1], [0]), contents, [ends], ["m", "m"])
    with pytest.raises(IndexError, match="no segment row 3"):
        place(trie([-1], [0]), contents, [np.array([3], np.int64)], ["m"])


def test_an_empty_trace_is_an_empty_forest() -> None:
    nothing = Tables(trie([], []), payloads([], []), np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    forest, lookup, _ = nothing.place()
    assert len(forest) == len(lookup) == 0
    assert len(forest.heads) == 0
