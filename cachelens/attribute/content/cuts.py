"""Which tokens of a content lie inside a stretch of its text. In: contents, characters. Out: token numbers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from cachelens.attribute.texts import Texts

#: Most tokens that one character is cut into.
_TOKENS_OF_A_CHARACTER = 4


@dataclass(eq=False)
class Cuts:
    """Token boundaries of contents in characters, found when they are asked for."""

    texts: Texts
    _ends: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)

    def tokens(self, content: int, start: int, end: int) -> tuple[int, int]:
        """The tokens `[lo, hi)` that lie wholly in characters `[start, end)` of the text; empty when none does.

        Tokens are counted from the start of the content, framing included.
        """
        known = self._ends.get(content)
        if known is None:
            known = self._ends[content] = self._boundaries(content)
        characters, tokens = known
        first, last = bisect_left(characters, start), bisect_right(characters, end) - 1
        if first >= len(characters) or last < first:
            return 0, 0
        return tokens[first], tokens[last]

    def _boundaries(self, content: int) -> tuple[list[int], list[int]]:
        """Characters before which a token begins or the text ends, and the number of that token."""
        text, decode, contents = self.texts(content), self.texts.decode, self.texts.contents
        if text is None or decode is None:
            return [], []
        framing = int(contents.framing[content])
        characters, tokens, at = [0], [framing], 0
        pending: list[int] = []
        for number, token in enumerate(contents.token_ids(content)[framing:].tolist(), framing + 1):
            pending.append(token)
            piece = decode(pending)
            # A character cut into several tokens reads as other characters until its last one.
            if text.startswith(piece, at):
                at += len(piece)
                characters.append(at)
                tokens.append(number)
                pending = []
            elif len(pending) > 2 * _TOKENS_OF_A_CHARACTER:
                break
        return characters, tokens
