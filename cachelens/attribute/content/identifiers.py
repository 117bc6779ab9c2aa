"""Identifiers of contents. In: token ids, a decoder. Out: for each content the hashes of its identifiers.

An identifier is what is repeated when something is made use of: a long word, a symbol, a long number, a file name.
Words are runs of ASCII letters, digits and underscores; two of them around a full stop are a name when the second
is short (`money.py`, `store.save`). Other scripts separate words: they do not spell names in programs.

All of it is array arithmetic on bytes: a trace has a million words. Two words of one hash would make an output
referenced that is not, which errs on the safe side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.shingles import UInt64, mixed
from cachelens.attribute.texts import Decode
from cachelens.model.trace import Contents, Int64, UInt8, UInt32

#: Tokens looked at together: few enough for their arrays to stay in a cache of the processor.
_CHUNK: Final = 1 << 17
#: Ids at and above this are framing, not vocabulary.
_VOCABULARY: Final = 1 << 22
#: Longer words are data.
_LONGEST: Final = 128
#: Longest second half of a name with a full stop in it.
_LONGEST_ENDING: Final = 5
#: Odd, so that it has an inverse: the hash of a word is the same wherever it stands.
_FACTOR: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_FACTOR, -1, 1 << 64)

_LOWER, _UPPER, _DIGIT, _LINE = 1, 2, 4, 8
_BACKSLASH, _STOP, _UNICODE = ord("\\"), ord("."), ord("u")
_FILE_NAME: Final = re.compile(
    rf"[A-Za-z0-9_]+\.[A-Za-z][A-Za-z0-9_]{{0,{_LONGEST_ENDING - 1}}}$|^[A-Za-z0-9_]+$"
)


def _classes() -> UInt8:
    found = np.zeros(256, dtype=np.uint8)
    for characters, code in (("a-z", _LOWER), ("A-Z", _UPPER), ("0-9", _DIGIT), ("_-_", _LINE)):
        found[ord(characters[0]) : ord(characters[-1]) + 1] = code
    return found


_CLASS: Final = _classes()


class Words(NamedTuple):
    """Identifiers: content `owner[i]` holds the one whose hash is `hash[i]`, perhaps more than once."""

    owner: Int64
    hash: UInt64


class _Bytes(NamedTuple):
    """Text of tokens: that of id i is `blob[starts[i] : starts[i] + sizes[i]]`; what is not ASCII is `?`."""

    blob: UInt8
    starts: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]


def identifiers(
    contents: Contents, wanted: Sequence[int], escaped: frozenset[int], decode: Decode, options: LabelOptions
) -> Words:
    """The identifiers of the contents `wanted`, which ascend; `escaped` are those that spell their text as in JSON."""
    table = _table(contents.ids, decode)
    powers = _Powers()
    owners: list[Int64] = []
    hashes: list[UInt64] = []
    offsets = contents.offsets
    begin = 0
    while begin < len(wanted):
        end, tokens = begin, 0
        while end < len(wanted) and (end == begin or tokens < _CHUNK):
            tokens += int(offsets[wanted[end] + 1] - offsets[wanted[end]])
            end += 1
        found = _chunk(contents, wanted[begin:end], escaped, table, powers, options)
        owners.append(found.owner)
        hashes.append(found.hash)
        begin = end
    if not owners:
        return Words(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64))
    return Words(np.concatenate(owners), np.concatenate(hashes))


def name_hash(path: str) -> int | None:
    """The hash of a file's name, without its folders, as `identifiers` would find it; None when it has none."""
    name = _FILE_NAME.search(path.rpartition("/")[2])
    if name is None:
        return None
    found = 0
    for byte in reversed(name[0].encode("ascii")):
        found = (found * _FACTOR + byte) & 0xFFFFFFFFFFFFFFFF
    return int(mixed(np.array([found], dtype=np.uint64))[0])


def _table(ids: UInt32, decode: Decode) -> _Bytes:
    vocabulary = ids[ids < _VOCABULARY]
    size = int(vocabulary.max()) + 1 if len(vocabulary) else 0
    used = np.zeros(size + 1, dtype=bool)
    used[vocabulary] = True
    numbers = np.flatnonzero(used)
    texts = [decode([number]).encode("ascii", "replace") for number in numbers.tolist()]
    sizes = np.zeros(size + 1, dtype=np.int32)
    starts = np.zeros(size + 1, dtype=np.int32)
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    sizes[numbers] = lengths
    starts[numbers] = np.cumsum(lengths, dtype=np.int32) - lengths
    return _Bytes(np.frombuffer(b"".join(texts), dtype=np.uint8), starts, sizes)


def _chunk(
    contents: Contents,
    wanted: Sequence[int],
    escaped: frozenset[int],
    table: _Bytes,
    powers: _Powers,
    options: LabelOptions,
) -> Words:
    ids = np.concatenate([contents.token_ids(content) for content in wanted])
    lengths = np.diff(contents.offsets)[np.array(wanted, dtype=np.int64)]
    # The last entry of the table stands for framing: it has no text.
    tokens = np.where(ids < _VOCABULARY, ids, len(table.sizes) - 1).astype(np.int32)
    sizes = table.sizes[tokens]
    ends = np.cumsum(sizes, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if total == 0:
        return Words(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64))
    places = np.repeat((table.starts[tokens] - (ends - sizes)).astype(np.int32), sizes)
    places += np.arange(total, dtype=np.int32)
    text = table.blob[places]
    byte_ends = np.concatenate(([0], ends))[np.cumsum(lengths)]
    classes = _CLASS[text]
    _unescape(text, classes, byte_ends, np.array([content in escaped for content in wanted], dtype=bool))
    starts, stops = _runs(classes > 0, byte_ends)
    starts, stops = _names(text, classes, starts, stops, byte_ends, options)
    up, down = powers.of(total)
    sums = np.zeros(total + 1, dtype=np.uint64)
    np.cumsum(text * up, out=sums[1:])
    hashes = mixed((sums[stops] - sums[starts]) * down[starts])
    owner = np.searchsorted(byte_ends, starts, side="right")
    return Words(np.array(wanted, dtype=np.int64)[owner], hashes)


class _Powers:
    """Powers of the factor of the hash and of its inverse, as many as were needed so far."""

    def __init__(self) -> None:
        self._known = [np.zeros(0, dtype=np.uint64)] * 2

    def of(self, size: int) -> tuple[UInt64, UInt64]:
        """The first `size` powers of both."""
        if size > len(self._known[0]):
            bases = np.full((2, size), np.array([[_FACTOR], [_INVERSE]], dtype=np.uint64))
            bases[:, 0] = 1
            self._known = list(np.cumprod(bases, axis=1, dtype=np.uint64))
        return self._known[0][:size], self._known[1][:size]


def _unescape(text: UInt8, classes: UInt8, byte_ends: Int64, escaped: npt.NDArray[np.bool_]) -> None:
    """Take the characters of JSON escapes for separators: `\\ndef` is no word."""
    at = np.flatnonzero(text == _BACKSLASH)
    at = at[escaped[np.searchsorted(byte_ends, at, side="right")]]
    if not len(at):
        return
    new_run = np.concatenate(([True], at[1:] != at[:-1] + 1))
    first_of_run = np.maximum.accumulate(np.where(new_run, np.arange(len(at)), 0))
    # Of backslashes in a row every other one is itself escaped.
    begins = at[(np.arange(len(at)) - first_of_run) % 2 == 0]
    following = np.minimum(begins + 1, len(text) - 1)
    classes[following] = 0
    for step in range(1, 5):
        classes[np.minimum(following[text[following] == _UNICODE] + step, len(text) - 1)] = 0


def _runs(word: npt.NDArray[np.bool_], byte_ends: Int64) -> tuple[Int64, Int64]:
    """Where words begin and end; no word goes on from one content into the next."""
    before = np.concatenate(([False], word[:-1]))
    after = np.concatenate((word[1:], [False]))
    cuts = byte_ends[byte_ends < len(word)]
    before[cuts] = False
    after[byte_ends[byte_ends > 0] - 1] = False
    return np.flatnonzero(word & ~before), np.flatnonzero(word & ~after) + 1


def _names(
    text: UInt8,
    classes: UInt8,
    starts: Int64,
    stops: Int64,
    byte_ends: Int64,
    options: LabelOptions,
) -> tuple[Int64, Int64]:
    """The words that are identifiers, and the names made of two words and a full stop."""
    sizes = stops - starts
    digits = np.concatenate(([0], np.cumsum(classes == _DIGIT, dtype=np.int32)))
    digits = digits[stops] - digits[starts]
    number = digits == sizes
    short = ~number & (sizes >= options.symbol_characters) & (sizes < options.word_characters)
    symbol = np.zeros(len(sizes), dtype=bool)
    symbol[short] = _symbols(classes, starts[short], sizes[short])
    kept = np.where(number, sizes >= options.number_digits, (sizes >= options.word_characters) | symbol)
    kept &= sizes <= _LONGEST
    if len(starts) < 2:
        return starts[kept], stops[kept]
    joined = (starts[1:] == stops[:-1] + 1) & (text[stops[:-1]] == _STOP)
    joined &= (sizes[1:] <= _LONGEST_ENDING) & (classes[starts[1:]] & (_LOWER | _UPPER) > 0)
    joined &= (stops[1:] - starts[:-1] >= options.symbol_characters) & (sizes[:-1] <= _LONGEST)
    pairs = np.flatnonzero(joined)
    owner = np.searchsorted(byte_ends, starts, side="right")
    pairs = pairs[owner[pairs] == owner[pairs + 1]]
    return np.concatenate((starts[kept], starts[pairs])), np.concatenate((stops[kept], stops[pairs + 1]))


def _symbols(classes: UInt8, starts: Int64, sizes: Int64) -> npt.NDArray[np.bool_]:
    """Which short words are written as only names in programs are: `_sum`, `ofx2`, `toMap`."""
    if not len(starts):
        return np.zeros(0, dtype=bool)
    width = int(sizes.max())
    at = np.minimum(starts[:, None] + np.arange(width), len(classes) - 1)
    inside = np.arange(width) < sizes[:, None]
    letters = np.where(inside, classes[at], 0)
    capitals = ((letters == _UPPER) & (np.arange(width) > 0)).any(axis=1)
    mixed = capitals & (letters == _LOWER).any(axis=1)
    found: npt.NDArray[np.bool_] = mixed | ((letters == _LINE) | (letters == _DIGIT)).any(axis=1)
    return found
