"""Chained block ids. In: token ids of prompts, a block size. Out: ids that are equal just where all before is equal."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import xxhash

from cachelens.errors import UsageError
from cachelens.model.trace import UInt32

#: Bits of a keyed id: what every JSON reader takes for a whole number.
_BITS = 53
_LONGEST_KEY = 64


class Blocks:
    """Gives ids to blocks of `size` tokens. An id stands for its block and all tokens before it in the namespace."""

    def __init__(self, size: int, salt: str | None = None) -> None:
        if size < 1:
            raise UsageError("a block has one token at least")
        self.size = size
        self._salt = None if salt is None else blake2b(salt.encode("utf-8", "surrogatepass")).digest()
        self._ids: dict[bytes, int] = {}

    def of(self, ids: UInt32, namespace: str, partial: bool) -> list[int]:
        """Ids of the blocks of one prompt; `partial`: the last one too when it is not full."""
        data = np.ascontiguousarray(ids, dtype="<u4").tobytes()
        step = self.size * 4
        end = len(data) if partial else len(data) // step * step
        chain = xxhash.xxh3_128_digest(namespace.encode("utf-8", "surrogatepass"))
        found = []
        for at in range(0, end, step):
            chain = xxhash.xxh3_128_digest(chain + data[at : at + step])
            found.append(self._id(chain))
        return found

    def _id(self, chain: bytes) -> int:
        known = self._ids.get(chain)
        if known is None:
            known = len(self._ids) if self._salt is None else self._keyed(self._salt, chain)
            self._ids[chain] = known
        return known

    def _keyed(self, salt: bytes, chain: bytes) -> int:
        digest = blake2b(chain, key=salt[:_LONGEST_KEY], digest_size=8).digest()
        return int.from_bytes(digest, "big") >> (64 - _BITS)
