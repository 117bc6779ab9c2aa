"""Encodings built once a run: loading one takes longer than most tests."""

from __future__ import annotations

import pytest
import tiktoken

from cachelens.tokens.encodings import ENCODINGS, load_encoding


@pytest.fixture(scope="session", params=list(ENCODINGS))
def encoding(request: pytest.FixtureRequest) -> tiktoken.Encoding:
    return load_encoding(request.param)


@pytest.fixture(scope="session")
def o200k() -> tiktoken.Encoding:
    return load_encoding("o200k_base")
