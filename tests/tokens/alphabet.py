"""Texts that meet every branch of the split patterns: the characters they tell apart, and near misses."""

from __future__ import annotations

from hypothesis import strategies as st

_FRAGMENTS = [
    *"aZéßÅ09²Ⅷ٣ \t\n\r/'\"-_!.,()[]{}`~@^:;<|>\\",
    "don't", "it's", "I'M", "'s", "'T", "'LL", "'re", "'\u017f",  # contractions, one of them by case folding
    "\r\n", "  ", " \n", "\n\n", "//", "/\n",
    "\u00a0", "\u3000", "\u2028", "\u0085", "\x0b", "\x1c", "\x1f", "\u200b", "\ufeff", "\x00",  # blanks and not quite
    "\u0301", "\u0e33", "\u0903", "\u02b0", "\u01c5",  # marks, modifier and title-case letters
    "漢", "字", "か", "カ", "ー", "한", "。", "，", "ก", "ع", "😀", "\ufffd", "\U0001d7d8",
    "word", "WORD", "Word", "1234", "<|endoftext|>", "<|endofprompt|>", "<|endof", "prompt|>",
]  # fmt: skip

#: Well-formed texts of up to about 80 characters, dense in borders between character classes.
texts = st.lists(st.sampled_from(_FRAGMENTS), max_size=24).map("".join)
#: The same with lone surrogates and surrogate pairs in two halves.
broken_texts = st.lists(st.sampled_from([*_FRAGMENTS, "\ud83d", "\ude00"]), max_size=24).map("".join)
