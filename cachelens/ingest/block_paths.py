"""Prompts of token and hash traces as rows of the segment trie.

In: blocks of token ids or hashes. Out: the row that ends them. A growing prompt must be a path that goes on
where the shorter one ended, although the blocks of the two are cut at other places: ids are cut anew, at
the ends of earlier prompts and every BLOCK_TOKENS tokens. Hash blocks cannot be cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cachelens.ingest.exchange import Block
from cachelens.ingest.intern import Contents, PartFacts, SegmentTrie
from cachelens.model.kinds import KIND_CODE, ROLE_CODE

#: Tokens of a full block of ids.
BLOCK_TOKENS = 256
_ID_BYTES = 4


@dataclass
class BlockPaths:
    """Follows blocks through a trie whose contents are interned in `contents`."""

    contents: Contents
    trie: SegmentTrie
    _short: dict[tuple[str, int], dict[bytes, int]] = field(default_factory=dict)  # short blocks after a row

    def follow(self, row: int, blocks: Sequence[Block], namespace: str) -> int:
        """The row after `blocks` when they follow `row`."""
        if blocks and all(block.ids for block in blocks):
            return self._follow_ids(row, b"".join(block.ids for block in blocks), namespace)
        for block in blocks:
            row = self._step(row, block, namespace)
        return row

    def _follow_ids(self, row: int, data: bytes, namespace: str) -> int:
        at = 0
        while at < len(data):
            short = self._short.get((namespace, row), {})
            sizes = sorted({len(ids) for ids in short}, reverse=True)
            found = next((size for size in sizes if data[at : at + size] in short), 0)
            if found:
                row = short[data[at : at + found]]
                at += found
                continue
            piece = data[at : at + BLOCK_TOKENS * _ID_BYTES]
            before, row = row, self._step(row, Block(piece, len(piece) // _ID_BYTES, piece), namespace)
            if len(piece) < BLOCK_TOKENS * _ID_BYTES:
                self._short.setdefault((namespace, before), {})[piece] = row
            at += len(piece)
        return row

    def _step(self, row: int, block: Block, namespace: str) -> int:
        content = self.contents.of_block(namespace, block)
        facts = PartFacts(content, KIND_CODE["other"], ROLE_CODE["none"], -1, -1, 0, -1)
        return self.trie.follow(row, (self.trie.intern(facts),), -1)


def whole_blocks(blocks: Sequence[Block]) -> int:
    """How many of a hash trace's blocks are whole: the last one changes when the prompt grows into it."""
    return len(blocks) - (len(blocks) > 0 and blocks[-1].tokens < blocks[0].tokens)
