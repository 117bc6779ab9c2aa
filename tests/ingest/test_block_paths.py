"""A growing prompt of token ids is one path, however its blocks were cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.block_paths import BlockPaths, whole_blocks
from cachelens.ingest.exchange import Block
from cachelens.ingest.intern import Contents, SegmentTrie
from tests.ingest.bytes_tokenizer import BytesTokenizer


def blocks(tokens: list[int], size: int) -> list[Block]:
    pieces = [tokens[at : at + size] for at in range(0, len(tokens), size)]
    packed = [np.array(piece, dtype="<u4").tobytes() for piece in pieces]
    return [Block(data, len(data) // 4, data) for data in packed]


def rows(trie: SegmentTrie, row: int) -> list[int]:
    path = []
    while row >= 0:
        path.append(row)
        row = trie.parent[row]
    return path[::-1]


@given(
    st.lists(st.integers(1, 700), min_size=1, max_size=5),
    st.lists(st.integers(1, 300), min_size=5, max_size=5),
)
def test_each_longer_prompt_goes_on_where_the_shorter_one_ended(grow: list[int], sizes: list[int]) -> None:
    contents, trie = Contents(BytesTokenizer()), SegmentTrie()
    paths = BlockPaths(contents, trie)
    tokens: list[int] = []
    before: list[int] = []
    for more, size in zip(grow, sizes, strict=False):
        tokens = tokens + list(range(len(tokens), len(tokens) + more))
        path = rows(trie, paths.follow(-1, blocks(tokens, size), "n"))
        assert path[: len(before)] == before
        held = b"".join(contents.ids[trie.parts[trie.part[row]].content] for row in path)
        assert np.frombuffer(held, dtype="<u4").tolist() == tokens
        before = path


def test_namespaces_share_nothing() -> None:
    trie = SegmentTrie()
    paths = BlockPaths(Contents(BytesTokenizer()), trie)
    one, other = (paths.follow(-1, blocks([1, 2, 3], 256), name) for name in ("a", "b"))
    assert not set(rows(trie, one)) & set(rows(trie, other))


def test_the_last_block_of_a_hash_prompt_counts_only_when_it_is_whole() -> None:
    full, part = Block(b"a", 512), Block(b"b", 100)
    assert [whole_blocks(given) for given in ([], [full], [full, part], [part], [full, full])] == [
        0,
        1,
        1,
        1,
        2,
    ]
