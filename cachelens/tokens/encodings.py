"""The token encodings shipped in the package. In: a name. Out: a ready `tiktoken.Encoding`.

tiktoken fetches its rank tables from the network and deletes cached copies that fail their checksum;
here they come from `data/` beside this module and from nowhere else. A packed table is one zstd
frame: the length of every token (one byte each, in rank order), then the bytes of all tokens. Patterns
and special tokens are those of `tiktoken_ext/openai_public.py` in tiktoken 0.14.
"""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from cachelens.registry import Entry, Registry

if TYPE_CHECKING:
    import tiktoken

#: Name to encoding. Third parties cannot add to it: the cuts of `guards` are proven for these patterns alone.
ENCODINGS = Registry(
    "encoding",
    {
        "o200k_base": Entry("cachelens.tokens.encodings:O200K_BASE", "GPT-4o and later; 200k tokens"),
        "cl100k_base": Entry("cachelens.tokens.encodings:CL100K_BASE", "GPT-4 and GPT-3.5; 100k tokens"),
    },
)
DEFAULT_ENCODING = "o200k_base"


@dataclass(frozen=True)
class EncodingSpec:
    """One shipped encoding.

    `tokens` is the number of ranks, `table_bytes` and `table_sha256` describe the unpacked table,
    `tiktoken_sha256` is the hash OpenAI publishes for the same ranks as a `.tiktoken` file. `pattern`
    splits text into the pieces within which tokens merge; `special` maps control tokens to ids.
    """

    name: str
    tokens: int
    table_bytes: int
    table_sha256: str
    tiktoken_sha256: str
    pattern: str
    special: Mapping[str, int]


O200K_BASE = EncodingSpec(
    name="o200k_base",
    tokens=199_998,
    table_bytes=1_597_668,
    table_sha256="440741350e7cfa1c0f4869ce742d1b043550adbda5187adcac9e787edac6fba9",
    tiktoken_sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    pattern="|".join(
        [
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        ]
    ),
    special=MappingProxyType({"<|endoftext|>": 199_999, "<|endofprompt|>": 200_018}),
)

CL100K_BASE = EncodingSpec(
    name="cl100k_base",
    tokens=100_256,
    table_bytes=744_086,
    table_sha256="18288f996f452d44e0e65996176591a4b712a3eb1b42afd6f0511e735c099480",
    tiktoken_sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    pattern=(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    special=MappingProxyType(
        {
            "<|endoftext|>": 100_257,
            "<|fim_prefix|>": 100_258,
            "<|fim_middle|>": 100_259,
            "<|fim_suffix|>": 100_260,
            "<|endofprompt|>": 100_276,
        }
    ),
)


def load_encoding(name: str) -> tiktoken.Encoding:
    """The encoding `name`, built from the table in the package; takes about 0.2 s.

    Raises UsageError for an unknown name and RuntimeError when the table in the package is damaged.
    """
    import tiktoken

    spec: EncodingSpec = ENCODINGS.load(name)
    return tiktoken.Encoding(
        spec.name,
        pat_str=spec.pattern,
        mergeable_ranks=token_ranks(spec),
        special_tokens=dict(spec.special),
    )


def token_ranks(spec: EncodingSpec) -> dict[bytes, int]:
    """Every ordinary token of `spec` with its rank, in rank order. RuntimeError when the table is damaged."""
    table = _table(spec)
    ends = list(accumulate(table[: spec.tokens], initial=spec.tokens))
    if ends[-1] != len(table):
        raise RuntimeError(f"token table {spec.name} is damaged: lengths do not add up")
    return dict(zip([table[start:end] for start, end in pairwise(ends)], range(spec.tokens), strict=True))


def _table(spec: EncodingSpec) -> bytes:
    import zstandard

    packed = pkgutil.get_data(__name__, f"data/{spec.name}.zst")
    if packed is None:
        raise RuntimeError(f"token table {spec.name} is missing from the installation")
    try:
        table = zstandard.ZstdDecompressor().decompress(packed, max_output_size=spec.table_bytes)
    except zstandard.ZstdError as error:
        raise RuntimeError(f"token table {spec.name} is damaged: {error}") from error
    if hashlib.sha256(table).hexdigest() != spec.table_sha256:
        raise RuntimeError(f"token table {spec.name} is damaged: checksum mismatch")
    return table
