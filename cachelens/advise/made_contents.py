"""Contents that rewriting adds to those of a trace. In: contents of a trace. Out: the same and new ones, numbered on.

Each is made once, whatever asks for it how often.
"""

from __future__ import annotations

import numpy as np

from cachelens.model.trace import Contents

#: Tokens of the stub that stands for a cleared segment, beside its framing.
STUB_TOKENS = 8
#: Its token ids: above every vocabulary and below the ids of framing, so that it is no text of the trace.
_STUB_ID = 0xFFFF0000


class MadeContents:
    """Contents of a trace and those that rewriting adds, each made once."""

    def __init__(self, contents: Contents) -> None:
        self.old = contents
        self._made: dict[tuple[int, ...], int] = {}
        self._ids: list[np.ndarray] = []
        self._like: list[int] = []
        self._framing: list[int] = []

    def shortened(self, content: int, tokens: int) -> int:
        """`content` with the first `tokens` of its text; itself where it has no more, or no parts."""
        framing = int(self.old.framing[content])
        if int(self.old.tokens[content]) <= framing + tokens or not len(self.old.token_ids(content)):
            return content
        return self._add(
            (0, content, tokens), content, self.old.token_ids(content)[: framing + tokens], framing
        )

    def stub(self, content: int) -> int:
        """What stands in place of a cleared content: its framing and a few tokens that are the same for all."""
        old = content if content < len(self.old) else self._like[content - len(self.old)]
        framing = int(self.old.framing[old])
        ids = np.full(framing + STUB_TOKENS, _STUB_ID, dtype=np.uint32)
        ids[:framing] = self.old.token_ids(old)[:framing] if len(self.old.token_ids(old)) else _STUB_ID
        return self._add((1, old), old, ids, framing)

    def middle(self, content: int, head: int, tail: int) -> int | None:
        """The part of `content` between `head` and `tail` tokens; None when nothing is there."""
        ids = self.old.token_ids(content)
        part = ids[head : len(ids) - tail]
        return self._add((2, content, head, tail), content, part, 0) if len(part) else None

    def _add(self, key: tuple[int, ...], like: int, ids: np.ndarray, framing: int) -> int:
        number = self._made.get(key)
        if number is None:
            number = self._made[key] = len(self.old) + len(self._ids)
            self._ids.append(ids)
            self._like.append(like)
            self._framing.append(framing)
        return number

    def finish(self) -> Contents:
        """All contents, the new ones last."""
        old = self.old
        if not self._ids:
            return old
        lengths = np.array([len(ids) for ids in self._ids], dtype=np.int64)
        return Contents(
            kind=np.concatenate([old.kind, old.kind[self._like]]),
            bytes=np.concatenate([old.bytes, lengths * 4]),
            tokens=np.concatenate([old.tokens, lengths]),
            framing=np.concatenate([old.framing, np.array(self._framing, dtype=np.int32)]),
            offsets=np.concatenate([old.offsets, old.offsets[-1] + np.cumsum(lengths)]),
            ids=np.concatenate([old.ids, *self._ids]),
        )
