from __future__ import annotations

import hashlib
import pkgutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
from tiktoken_ext import openai_public

from cachelens.errors import UsageError
from cachelens.tokens.encodings import DEFAULT_ENCODING, ENCODINGS, O200K_BASE, load_encoding, token_ranks
from tests.tokens.pack_encodings import pack, rank_file_of, table_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "tokenizers"


@pytest.mark.parametrize("name", list(ENCODINGS))
def test_packed_table_is_the_published_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ENCODINGS.load(name)
    published: dict[str, str] = {}

    def no_download(url: str, expected_hash: str) -> dict[bytes, int]:
        published[Path(url).name] = expected_hash
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", no_download)
    theirs = openai_public.ENCODING_CONSTRUCTORS[name]()
    ranks = token_ranks(spec)
    assert list(ranks.values()) == list(range(spec.tokens))
    assert hashlib.sha256(rank_file_of(ranks)).hexdigest() == published[f"{name}.tiktoken"]
    assert spec.tiktoken_sha256 == published[f"{name}.tiktoken"]
    assert spec.pattern == theirs["pat_str"]
    assert spec.special == theirs["special_tokens"]


@pytest.mark.parametrize("name", list(ENCODINGS))
def test_packing_script_reproduces_the_table(name: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/tokenizers")
    spec = ENCODINGS.load(name)
    table = table_of((SHARED / f"{name}.tiktoken").read_bytes())
    assert (len(table), hashlib.sha256(table).hexdigest()) == (spec.table_bytes, spec.table_sha256)


def test_known_ids(encoding: tiktoken.Encoding) -> None:
    known = {
        "cl100k_base": ([15339, 1917], [100257]),
        "o200k_base": ([24912, 2375], [199999]),
    }
    assert encoding.encode_ordinary("hello world") == known[encoding.name][0]
    assert encoding.encode("<|endoftext|>", allowed_special="all") == known[encoding.name][1]


def test_default_is_shipped() -> None:
    assert DEFAULT_ENCODING in ENCODINGS


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown encoding 'o200k'") as caught:
        load_encoding("o200k")
    assert caught.value.hint == "did you mean 'o200k_base'?"


def test_loading_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(tiktoken.load, "read_file", forbidden)
    assert load_encoding("cl100k_base").n_vocab == 100_277


GOOD = pkgutil.get_data("cachelens.tokens.encodings", "data/o200k_base.zst") or b""


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (None, "missing"),
        (b"", "damaged"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:5000] + bytes([GOOD[5000] ^ 1]) + GOOD[5001:], "damaged"),
        (pack(b"\1" * O200K_BASE.table_bytes), "checksum"),
        (pack(bytes(64 << 20)), "damaged"),  # would unpack to more than a table
    ],
)
def test_damaged_table_is_refused(
    packed: bytes | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pkgutil, "get_data", lambda package, resource: packed)
    with pytest.raises(RuntimeError, match=message):
        token_ranks(O200K_BASE)


def test_listing_encodings_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cachelens.tokens.encodings import ENCODINGS; list(ENCODINGS);"
        "print([m for m in ('tiktoken', 'numpy', 'zstandard') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
