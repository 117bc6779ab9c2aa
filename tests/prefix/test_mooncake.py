"""Published hash-block traces: the numbers that plain block LRU gives on them, to the last printed digit.

In: the two traces beside the repository; without them these tests skip.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard

from cachelens.model.trace import Int64
from cachelens.prefix.forest import Forest, place
from cachelens.prefix.minimum import min_hits
from cachelens.prefix.queries import block_lru_hits, hits_at, infinite_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs

from .workloads import payloads, trie

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "public" / "mooncake"
BLOCK = 512

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs ../shared/public/mooncake")


class Record(msgspec.Struct):
    """One request: block hashes of its prompt, the last of which may be partial."""

    input_length: int
    hash_ids: list[int]


@cache
def records(name: str) -> list[Record]:
    with (FOLDER / f"{name}_trace.jsonl.zst").open("rb") as packed:
        lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    return [msgspec.json.decode(line, type=Record) for line in lines if line.strip()]


@cache
def blocks(name: str, weighted: bool = False) -> tuple[Forest, Int64, ReuseRuns]:
    """Every hash is an atomic content: one token long, or as long as its block."""
    sizes: dict[int, int] = {}
    rows: dict[tuple[int, int], int] = {}
    ends = []
    for record in records(name):
        at = -1
        for i, block in enumerate(record.hash_ids):
            size = min(BLOCK, record.input_length - i * BLOCK) if weighted else 1
            assert sizes.setdefault(block, size) == size
            at = rows.setdefault((at, block), len(rows))
        ends.append(at)
    tokens = [sizes.get(i, 0) for i in range(max(sizes) + 1)]
    segments = trie([parent for parent, _ in rows], [block for _, block in rows])
    forest, (nodes,) = place(
        segments, payloads([()] * len(tokens), tokens), [np.array(ends, np.int64)], ["m"] * len(ends)
    )
    return forest, nodes, reuse_runs(forest, nodes)


def literal_block_lru(name: str, capacity: int) -> list[int]:
    """Hits as the leading run of resident blocks; then each block in turn becomes the most recent."""
    cache: dict[int, None] = {}
    hits = []
    for record in records(name):
        count = 0
        while count < len(record.hash_ids) and record.hash_ids[count] in cache:
            count += 1
        hits.append(count)
        for block in record.hash_ids:
            cache.pop(block, None)
            cache[block] = None
            if len(cache) > capacity:
                del cache[next(iter(cache))]
    return hits


TABLE = {
    "conversation": (182_790, 0.3664, (0.0523, 0.1954, 0.2784, 0.3535, 0.3631)),
    "synthetic": (43_924, 0.6396, (0.0343, 0.1548, 0.2598, 0.4434, 0.5888)),
}
FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5)


@pytest.mark.parametrize("name", TABLE)
def test_block_lru_table(name: str) -> None:
    unique, infinite, expected = TABLE[name]
    forest, nodes, runs = blocks(name)
    n = len(nodes)
    references = int(forest.end[nodes].sum())
    assert int((forest.end - forest.start).sum()) == unique
    assert round(infinite_hits(runs, n).sum() / references, 4) == infinite
    for fraction, share in zip(FRACTIONS, expected, strict=True):
        capacity = int(fraction * unique)
        hits = block_lru_hits(runs, n, capacity)
        assert round(hits.sum() / references, 4) == share
        assert hits.sum() <= hits_at(runs, n, capacity).sum() <= min_hits(runs, n, capacity).sum()


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("fraction", [0.01, 0.1])
def test_block_lru_equals_a_literal_replay(name: str, fraction: float) -> None:
    unique = TABLE[name][0]
    _, nodes, runs = blocks(name)
    capacity = int(fraction * unique)
    assert block_lru_hits(runs, len(nodes), capacity).tolist() == literal_block_lru(name, capacity)


@pytest.mark.parametrize(("name", "share"), [("conversation", 0.3736), ("synthetic", 0.6512)])
def test_token_weighted(name: str, share: float) -> None:
    """Partial last blocks count as many tokens as they hold."""
    forest, nodes, runs = blocks(name, weighted=True)
    prompts = [record.input_length for record in records(name)]
    assert forest.end[nodes].tolist() == prompts
    assert round(infinite_hits(runs, len(nodes)).sum() / sum(prompts), 4) == share


@pytest.mark.parametrize(
    ("name", "any_over_full", "full_over_full"), [("conversation", 0.382, 0.382), ("synthetic", 0.661, 0.659)]
)
def test_full_blocks_only(name: str, any_over_full: float, full_over_full: float) -> None:
    """Per full block sent. To get .661, hits on partial last blocks count as well; without, it is .659."""
    _, nodes, runs = blocks(name)
    hits = infinite_hits(runs, len(nodes))
    full = np.array([record.input_length // BLOCK for record in records(name)])
    assert round(hits.sum() / full.sum(), 3) == any_over_full
    assert round(np.minimum(hits, full).sum() / full.sum(), 3) == full_over_full
