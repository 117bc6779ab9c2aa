"""Text of contents, decoded from their token ids when it is asked for.

In: contents and a decoder of token ids. Out: strings. A trace holds no text beside the ids, so a report
that shows none needs none to be kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cachelens.model.trace import Contents

#: Text of token ids.
Decode = Callable[[Sequence[int]], str]

#: Characters of decoded text that are kept, the latest used.
_KEPT_CHARACTERS = 1 << 26


@dataclass(eq=False)
class Texts:
    """`texts(content)` is the text of a content without its framing; None where it has none (pictures, hashes).

    `decode` None: the trace holds no text at all (token ids of an unknown vocabulary, block hashes).
    """

    contents: Contents
    decode: Decode | None
    _kept: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _characters: int = 0

    @property
    def known(self) -> bool:
        """Whether the trace holds text."""
        return self.decode is not None

    def __call__(self, content: int) -> str | None:
        """The text of one content."""
        kept = self._kept.get(content)
        if kept is not None:
            self._kept.move_to_end(content)
            return kept
        if self.decode is None:
            return None
        ids = self.contents.token_ids(content)
        if len(ids) == 0 and int(self.contents.tokens[content]) > 0:
            return None
        text = self.decode(ids[int(self.contents.framing[content]) :].tolist())
        self._kept[content] = text
        self._characters += len(text)
        while self._characters > _KEPT_CHARACTERS and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._characters -= len(dropped)
        return text
