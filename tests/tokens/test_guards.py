from __future__ import annotations

import sys
from unittest import mock

import numpy as np
import pytest
import regex
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.tokens import guards
from cachelens.tokens.encodings import ENCODINGS
from cachelens.tokens.guards import PIECE_LIMIT, PIECE_TARGET, pieces, well_formed
from cachelens.tokens.tokenizer import Tokenizer
from tests.tokens.alphabet import broken_texts, texts

EVERY_CHARACTER = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))


def ids_of(encoding: tiktoken.Encoding, text: str) -> tuple[list[int], bool]:
    """Ids of all pieces put together, and whether every cut was said to be exact."""
    parts = list(pieces(text))
    assert well_formed("".join(part.text for part in parts)) == well_formed(text)
    return [i for part in parts for i in encoding.encode_ordinary(part.text)], all(
        part.exact for part in parts
    )


@given(text=texts, target=st.integers(1, 4))
@settings(max_examples=1500, deadline=None)
def test_exact_cuts_change_no_id(encoding: tiktoken.Encoding, text: str, target: int) -> None:
    with mock.patch.object(guards, "PIECE_TARGET", target):
        assert ids_of(encoding, text) == (encoding.encode_ordinary(text), True)


@given(text=texts, target=st.integers(1, 4))
@settings(max_examples=1500, deadline=None)
def test_exact_cuts_change_no_word(encoding: tiktoken.Encoding, text: str, target: int) -> None:
    """Stronger than equal ids, which two different splits often share; on the engine of the `regex` package."""
    pattern = ENCODINGS.load(encoding.name).pattern
    with mock.patch.object(guards, "PIECE_TARGET", target):
        words = [word for part in pieces(text) for word in regex.findall(pattern, part.text)]
    assert words == regex.findall(pattern, text)


@given(text=texts, target=st.integers(1, 3), slack=st.integers(1, 6))
@settings(max_examples=500, deadline=None)
def test_forced_cuts_bound_every_piece_and_are_told(
    encoding: tiktoken.Encoding, text: str, target: int, slack: int
) -> None:
    with mock.patch.multiple(guards, PIECE_TARGET=target, PIECE_LIMIT=target + slack):
        ids, exact = ids_of(encoding, text)
        assert all(len(part.text) <= target + slack for part in pieces(text))
    assert encoding.decode(ids) == text
    if exact:
        assert ids == encoding.encode_ordinary(text)


@given(text=broken_texts, target=st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_surrogates_are_repaired_before_the_cut(o200k: tiktoken.Encoding, text: str, target: int) -> None:
    with mock.patch.object(guards, "PIECE_TARGET", target):
        assert ids_of(o200k, text) == (o200k.encode_ordinary(text), True)


def test_no_forced_cut_parts_a_surrogate_pair(o200k: tiktoken.Encoding) -> None:
    with mock.patch.multiple(guards, PIECE_TARGET=1, PIECE_LIMIT=3):
        ids, exact = ids_of(o200k, "\ud83d\ude00" * 6)
    assert (o200k.decode(ids), exact) == ("😀" * 6, False)


@given(broken_texts)
def test_well_formed_is_what_tiktoken_does(o200k: tiktoken.Encoding, text: str) -> None:
    assert o200k.encode_ordinary(well_formed(text)) == o200k.encode_ordinary(text)


def matched(pattern: str, text: str) -> str:
    """The characters of `text` that tiktoken's own pattern engine finds to match `pattern`."""
    single_bytes = {bytes([byte]): byte for byte in range(256)}
    engine = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=single_bytes, special_tokens={})
    return engine.decode(engine.encode_ordinary(text))


def test_every_blank_of_the_engine_is_a_blank_here() -> None:
    not_blank_here = guards.re.sub(r"\s", "", EVERY_CHARACTER)
    assert matched(r"\s", not_blank_here) == ""
    assert matched(r"\s", EVERY_CHARACTER) != ""


def test_character_sets_are_of_the_class_they_stand_for() -> None:
    letters = "".join(guards.re.findall(f"[{guards._HAN}]", EVERY_CHARACTER))
    assert len(letters) > 30_000
    assert matched(r"\p{Lo}", letters) == letters
    assert matched(r"[\p{L}\p{N}\p{M}\s]", guards._HAN_SIGNS) == ""
    signs = "".join(guards.re.findall(r"[!-/:-@\[-`{-~]", EVERY_CHARACTER))
    assert len(signs) == 32
    assert matched(r"[\p{L}\p{N}\p{M}\s]", signs) == ""


def test_short_texts_are_not_copied() -> None:
    text = "x" * PIECE_TARGET
    (part,) = pieces(text)
    assert part.text is text


LONG_EXACT = {
    "prose": "It was the best of tokens, it was the worst of tokens.\n" * 5000,
    "code": '{"key":[1,2,"three"],\n\t\t"path":"/a/b\\n"}\r\n' * 5000,
    "base64": "iVBORw0KGgoAAAANSUhEUgAAB9AAAAfQCAYAAACaOMR5" * 12000,
    "one line of Chinese": "缓存命中率下降，因为系统提示里有时间。" * 12000,
    "blanks below the limit": "a" + " " * (PIECE_LIMIT - 2) + "b",
    "one word below the limit": "ab" * (PIECE_LIMIT // 2),
}


@pytest.mark.parametrize("name", LONG_EXACT)
def test_long_texts_are_exact_at_real_sizes(o200k: tiktoken.Encoding, name: str) -> None:
    assert ids_of(o200k, LONG_EXACT[name]) == (o200k.encode_ordinary(LONG_EXACT[name]), True)


@pytest.mark.parametrize("run", [" ", "\t", "\u3000", "-"])
def test_runs_the_encoder_gives_up_on_are_encoded(run: str) -> None:
    text = "start" + run * 1_000_000 + "end"
    tokenizer = Tokenizer("cl100k_base", threads=1)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.guarded_texts == 1


def test_the_encoder_does_give_up(o200k: tiktoken.Encoding) -> None:
    """Should this fail, tiktoken has learnt to swallow such runs and the limit may go."""
    with pytest.raises(ValueError, match=r"[Rr]egex"):
        o200k.encode_to_numpy(" " * 1_000_001 + "x", disallowed_special=())


def test_forced_cut_costs_few_tokens() -> None:
    """A run of one character is approximate, but not by much: one cut adds at most two tokens."""
    tokenizer = Tokenizer("o200k_base", threads=1)
    whole = len(tokenizer.encode("=" * (PIECE_LIMIT // 2)))
    cut = len(tokenizer.encode("=" * (2 * PIECE_LIMIT)))
    assert tokenizer.guarded_texts == 1
    assert abs(cut - 4 * whole) <= 2 * 3
    assert np.all(tokenizer.encode("") == [])
