"""Packs tiktoken rank files into the tables shipped in the package.

In: a folder with `<name>.tiktoken` files, each verified against tiktoken's published hash. Out: one
`<name>.zst` per encoding, and the sha256 of its table on stdout, to be copied into the spec.

    python tests/tokens/pack_encodings.py FOLDER [OUT_FOLDER]
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

import zstandard

from cachelens.tokens.encodings import ENCODINGS, EncodingSpec


def table_of(rank_file: bytes) -> bytes:
    """The table of a `.tiktoken` file: all lengths, then all tokens, in rank order."""
    tokens = []
    for rank, line in enumerate(rank_file.splitlines()):
        token, number = line.split()
        if int(number) != rank:
            raise ValueError(f"rank {int(number)} where {rank} was due")
        tokens.append(base64.b64decode(token))
    return bytes(map(len, tokens)) + b"".join(tokens)


def rank_file_of(ranks: dict[bytes, int]) -> bytes:
    """The `.tiktoken` file of a rank table: the inverse of `table_of`."""
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())


def pack(table: bytes) -> bytes:
    """The table as one zstd frame, as small as zstd makes it."""
    return zstandard.ZstdCompressor(level=22).compress(table)


def main(source: Path, target: Path) -> None:
    for name in ENCODINGS:
        spec: EncodingSpec = ENCODINGS.load(name)
        rank_file = (source / f"{name}.tiktoken").read_bytes()
        if hashlib.sha256(rank_file).hexdigest() != spec.tiktoken_sha256:
            raise ValueError(f"{name}.tiktoken is not the published file")
        table = table_of(rank_file)
        packed = pack(table)
        (target / f"{name}.zst").write_bytes(packed)
        print(name, len(table), hashlib.sha256(table).hexdigest(), len(packed))


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[2]
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else here / "cachelens/tokens/data")
