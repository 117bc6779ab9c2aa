"""What all tests share: token tables are unpacked once in a process, not once in each test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from cachelens.tokens import decoder, encodings, tokenizer
from cachelens.tokens.encodings import ENCODINGS, EncodingSpec


@cache
def _ranks(name: str) -> dict[bytes, int]:
    return encodings.token_ranks(ENCODINGS.load(name))


def _token_ranks(spec: EncodingSpec) -> dict[bytes, int]:
    shipped = spec.name in ENCODINGS and ENCODINGS.load(spec.name) is spec
    return _ranks(spec.name) if shipped else encodings.token_ranks(spec)


@pytest.fixture(autouse=True, scope="session")
def _tables_unpacked_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "load_encoding", cache(encodings.load_encoding))
        patch.setattr(decoder, "token_ranks", _token_ranks)
        yield
