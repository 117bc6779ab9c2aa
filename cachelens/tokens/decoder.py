"""Text of token ids, without an encoder. In: the name of an encoding, ids. Out: strings.

Reports of traces that were read from tables need no encoder, and its construction takes longer than most
of them; the packed table of tokens is enough. Tables may hold ids that are no tokens: a remedied trace has them
where something was cleared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cachelens.tokens.encodings import ENCODINGS, EncodingSpec, token_ranks

#: What an id that is no token is read as.
_NO_TOKEN = "\ufffd".encode()


@dataclass(frozen=True)
class Decoder:
    """`decode(ids)` is their text under the encoding `name`.

    Bytes that are no UTF-8 become U+FFFD, and so does an id that is no token. Raises UsageError for an unknown
    encoding, when the first ids are decoded.
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
            found = (tokens[number] if 0 <= number < len(tokens) else None for number in ids)
            return b"".join(_NO_TOKEN if token is None else token for token in found).decode(
                "utf-8", "replace"
            )
