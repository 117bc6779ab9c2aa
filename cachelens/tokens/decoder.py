"""Text of token ids, without an encoder. In: the name of an encoding, ids. Out: strings.

Reports of traces that were read from tables need no encoder, and its construction takes longer than most
of them; the packed table of tokens is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cachelens.tokens.encodings import ENCODINGS, EncodingSpec, token_ranks


@dataclass(frozen=True)
class Decoder:
    """`decode(ids)` is their text under the encoding `name`; bytes that are no UTF-8 become U+FFFD.

    Raises UsageError for an unknown encoding, when the first ids are decoded, and KeyError for an id that is
    no token.
    """

    name: str

    @cached_property
    def _tokens(self) -> dict[int, bytes]:
        spec: EncodingSpec = ENCODINGS.load(self.name)
        tokens = dict(enumerate(token_ranks(spec)))
        tokens.update({number: text.encode() for text, number in spec.special.items()})
        return tokens

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        tokens = self._tokens
        return b"".join([tokens[number] for number in ids]).decode("utf-8", "replace")
