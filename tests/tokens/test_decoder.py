"""Text of token ids without an encoder, against the encoder's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.tokens.decoder import Decoder
from cachelens.tokens.tokenizer import Tokenizer

ENCODINGS = ("o200k_base", "cl100k_base")
ENCODERS = {name: Tokenizer(name) for name in ENCODINGS}
DECODERS = {name: Decoder(name) for name in ENCODINGS}


@pytest.mark.parametrize("name", ENCODINGS)
@settings(deadline=None)
@given(text=st.text())
def test_texts_come_back(name: str, text: str) -> None:
    ids = ENCODERS[name].encode(text).tolist()
    assert DECODERS[name].decode(ids) == ENCODERS[name].decode(ids) == text


@pytest.mark.parametrize(("name", "special"), [("o200k_base", 200_018), ("cl100k_base", 100_257)])
def test_control_tokens_are_text_and_others_are_not(name: str, special: int) -> None:
    assert DECODERS[name].decode([special]).startswith("<|")
    for wrong in (special + 100_000, 0xFFFF0000, 199_998 if name == "o200k_base" else 100_256):
        assert DECODERS[name].decode([0, wrong, wrong, 1]) == '!\ufffd\ufffd"'
