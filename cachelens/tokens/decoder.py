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
    def _tokens(self) -> list[bytes | None]:
        spec: EncodingSpec = ENCODINGS.load(self.name)
        tokens: list[bytes | None] = list(token_ranks(spec))
        tokens += [None] * (max(spec.special.values(), default=0) + 1 - len(tokens))
        for text, number in spec.special.items():
            tokens[number] = text.encode()
        return tokens

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        tokens = self._tokens
        try:
            return b"".join(map(tokens.__getitem__, ids)).decode("utf-8", "replace")  # type: ignore[arg-type]
        except (IndexError, TypeError):
            known = (0 <= number < len(tokens) and tokens[number] is not None for number in ids)
            raise KeyError(next(number for number, ok in zip(ids, known, strict=True) if not ok)) from None
