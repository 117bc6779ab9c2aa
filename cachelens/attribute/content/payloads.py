"""Which contents say the same. In: contents. Out: the first content of the same text, for each."""

from __future__ import annotations

import itertools

import numpy as np
from xxhash import xxh3_128_digest

from cachelens.model.trace import Contents, Int64


def payloads(contents: Contents) -> Int64:
    """For each content the first of the same token ids, framing left out; itself where it has no ids.

    A text is the same in whatever message it stands.
    """
    found = np.arange(len(contents), dtype=np.int64)
    first: dict[bytes, int] = {}
    offsets, framing = contents.offsets.tolist(), contents.framing.tolist()
    for content, (start, end) in enumerate(itertools.pairwise(offsets)):
        if end - start > framing[content]:
            digest = xxh3_128_digest(contents.ids[start + framing[content] : end].tobytes())
            found[content] = first.setdefault(digest, content)
    return found
