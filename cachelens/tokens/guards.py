"""Cuts texts that an encoder cannot swallow whole. In: a text of any size. Out: pieces, and whether they are exact.

tiktoken first splits a text into words by a pattern, then merges bytes within each word. The pattern
engine gives up at a run of 1,000,000 blanks (ValueError in tiktoken 0.14, a `PanicException`, which is
no Exception, before 0.13), and one call should not hold a whole 100 MB text. So long texts are cut.
Most cuts are exact: no word spans them, and no word before them looks at what comes after, so the ids
of the pieces, put together, are those of the text. Only a stretch without any such place for
`PIECE_LIMIT - PIECE_TARGET` characters, in practice one run of blanks, of letters or of signs, is cut
at a fixed length; the few tokens beside that cut may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Characters after which the next exact place is taken.
PIECE_TARGET = 1 << 16
#: Characters no piece exceeds; about half of what the pattern engine survives.
PIECE_LIMIT = 1 << 19

# Letters of scripts written without blanks, and their punctuation: without them a long text in such
# a script would have no exact place. All are of general category Lo and Po.
_HAN = "\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_HAN_SIGNS = "\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f"

#: A place no word of o200k_base or cl100k_base spans. Python's \s holds all that is \s to the pattern, and more.
_EXACT_PLACE = re.compile(
    # before a space that follows a word: only line ends and slashes may follow signs within one word
    r"(?<=\S)(?= )"
    # after a line end: a word that holds one goes on with line ends, slashes or blanks at most
    r"|(?<=\n)(?=[^\s/])"
    # between letters and signs: of the signs only an apostrophe may continue a word of letters
    rf"|(?<=[A-Za-z{_HAN}])(?=[!-&(-/:-@\[-`{{-~{_HAN_SIGNS}])"
    # around digits: a word with digits holds nothing else
    r"|(?<=[A-Za-z!-/:-@\[-`{-~])(?=[0-9])|(?<=[0-9])(?=[A-Za-z!-/:-@\[-`{-~])"
)


class Piece(NamedTuple):
    """Part of a text. `exact`: ids before and after its end are those of the whole text."""

    text: str
    exact: bool


def pieces(text: str) -> Iterator[Piece]:
    """`text` in pieces of at most PIECE_LIMIT characters, in order.

    A short text is one piece, uncopied and unchecked; surrogates of a longer one are repaired, as
    `well_formed` does, before it is cut.
    """
    if len(text) <= PIECE_TARGET:
        yield Piece(text, True)
        return
    text = well_formed(text)
    start = 0
    while len(text) - start > PIECE_TARGET:
        limit = start + PIECE_LIMIT
        place = _EXACT_PLACE.search(text, start + PIECE_TARGET, limit)
        if place is None and len(text) <= limit:
            break
        end = limit if place is None else place.start()
        yield Piece(text[start:end], place is not None)
        start = end
    yield Piece(text[start:], True)


def well_formed(text: str) -> str:
    """`text` with surrogate pairs joined and lone ones replaced by U+FFFD, as tiktoken's `encode_ordinary` does."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
