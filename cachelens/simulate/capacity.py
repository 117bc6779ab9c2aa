"""Cache sizes as people write them. In: `200k`, `10%`, `8gib`, `auto`, `inf`. Out: `Size`, then tokens.

`k` and `m` are thousands and millions of tokens; a share is of the working set, what an infinite cache would
hold; bytes are of a model's KV cache, and GiB (2**30) is not GB (10**9); `auto` is a handful of sizes up to the
working set. Reading a size needs nothing but its text; `resolve` needs the working set and, for bytes, a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from cachelens.errors import UsageError

if TYPE_CHECKING:
    from cachelens.simulate.models.shapes import Shape

#: Larger than any cache; keeps sums inside 64-bit integers.
LARGEST = 10**15
#: What is accepted, for messages.
ACCEPTED = (
    "tokens such as 200k or 8m; shares of the working set such as 0.1 or 10%; memory such as 8gib; auto; inf; "
    "several with commas"
)
#: Bytes by unit, in lower case.
BYTE_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **{f"{letter}ib": 2 ** (10 * power) for power, letter in enumerate("kmgt", 1)},
        **{f"{letter}b": 10 ** (3 * power) for power, letter in enumerate("kmgt", 1)},
    }
)
#: Shares of the working set that `auto` stands for: a third of a decade apart, cube roots of 10 to six digits.
AUTO: Final = ("1", "2.15443", "4.64159", "10", "21.5443", "46.4159", "100")

_TOKEN_UNITS: Final = MappingProxyType({"": 1, "k": 1_000, "m": 1_000_000})
_NUMBER = re.compile(r"(?P<digits>\d+(?:_\d+)*(?:\.\d+)?|\.\d+)(?P<unit>%|[km]|| ?[kmgt]i?b)", re.ASCII)
#: Longer texts are no sizes; bounds the digits that are read.
_LONGEST_TEXT = 40


class Kind(Enum):
    """What a written size counts."""

    TOKENS = "tokens"
    SHARE = "share"
    BYTES = "bytes"
    AUTO = "auto"
    INFINITE = "infinite"


@dataclass(frozen=True)
class Size:
    """One size as written: `amount` tokens, bytes, or share of the working set (0 to 1); 0 for the others."""

    kind: Kind
    amount: Fraction
    text: str


class Capacity(NamedTuple):
    """A size as it was written, and in tokens; None: unlimited."""

    label: str
    tokens: int | None


def parse_sizes(text: str, accepted: str = ACCEPTED) -> tuple[Size, ...]:
    """Sizes with commas between, in the order written, none twice. Raises UsageError for what is no size."""
    return tuple(dict.fromkeys(parse_size(part, accepted) for part in text.split(",")))


def parse_size(text: str, accepted: str = ACCEPTED) -> Size:
    """One size. Raises UsageError, naming `accepted`, for what is no size, nothing, or larger than any cache."""
    text = text.strip()
    lower, hint = text.lower(), f"accepted: {accepted}"
    if lower in ("inf", "auto"):
        return Size(Kind.INFINITE if lower == "inf" else Kind.AUTO, Fraction(0), lower)
    match = _NUMBER.fullmatch(lower) if len(lower) <= _LONGEST_TEXT else None
    if match is None:
        raise UsageError(f"capacity {text[:_LONGEST_TEXT]!r} is not understood", hint)
    unit = match["unit"].strip()
    number = Fraction(match["digits"].replace("_", ""))
    if number == 0:
        raise UsageError(f"capacity {text!r} holds nothing", hint)
    if unit in BYTE_UNITS:
        return Size(Kind.BYTES, Fraction(int(number * BYTE_UNITS[unit])), text)
    if unit == "%" or (unit == "" and number < 1):
        share = number / 100 if unit == "%" else number
        if share > 1:
            raise UsageError(f"capacity {text!r} is more than the working set", hint)
        return Size(Kind.SHARE, share, text)
    tokens = number * _TOKEN_UNITS[unit]
    if tokens.denominator != 1:
        raise UsageError(f"capacity {text!r} is not a whole number of tokens", hint)
    if tokens > LARGEST:
        raise UsageError(f"capacity {text!r} is too large", "inf means unlimited")
    return Size(Kind.TOKENS, tokens, text)


def parse_bytes(text: str) -> int | None:
    """Bytes, rounded down, for `8gib` or `640 GB`; None when the text has no unit of memory or is no size."""
    try:
        size = parse_size(text)
    except UsageError:
        return None
    return int(size.amount) if size.kind is Kind.BYTES else None


def auto_sizes() -> tuple[Size, ...]:
    """What `auto` stands for: shares from a hundredth of the working set to all of it, evenly log-spaced."""
    return tuple(Size(Kind.SHARE, Fraction(share) / 100, f"{float(share):.3g}%") for share in AUTO)


def at_least_a_page(tokens: int, text: str, page: int) -> int:
    """`tokens` again. Raises UsageError when they are less than one page."""
    if tokens < page:
        raise UsageError(
            f"capacity {text!r} is less than one page of {page:,} tokens",
            "give a larger --capacity or a smaller --page-size",
        )
    return tokens


def resolve(
    sizes: Sequence[str | Size],
    working_set: int,
    page: int = 1,
    shape: Shape | None = None,
    kv_dtype: str = "bf16",
    tp: int = 1,
) -> list[Capacity]:
    """Sizes in tokens, each once, in the order written; shares and `auto` hold at least one page.

    `sizes` may be texts of one size each. Bytes are those of all `tp` ranks together. Raises UsageError for
    what is no size, below one page, or in bytes without a `shape`.
    """
    read = [parse_size(size) if isinstance(size, str) else size for size in sizes]
    spread = [part for size in read for part in (auto_sizes() if size.kind is Kind.AUTO else (size,))]
    found: dict[int | None, Capacity] = {}
    for size in spread:
        tokens = _tokens(size, working_set, page, shape, kv_dtype, tp)
        found.setdefault(tokens, Capacity(size.text, tokens))
    return list(found.values())


def _tokens(
    size: Size, working_set: int, page: int, shape: Shape | None, kv_dtype: str, tp: int
) -> int | None:
    if size.kind is Kind.INFINITE:
        return None
    if size.kind is Kind.SHARE:
        return max(int(size.amount * working_set), page)
    if size.kind is Kind.TOKENS:
        return at_least_a_page(int(size.amount), size.text, page)
    if shape is None:
        raise UsageError(
            f"a capacity in bytes needs --model: how many tokens {size.text!r} holds depends on it",
            "add --model NAME (`cachelens list models`)",
        )
    tokens = int(size.amount) // shape.kv_bytes_per_token(kv_dtype, tp)
    if tokens > LARGEST:
        raise UsageError(f"capacity {size.text!r} is too large", "inf means unlimited")
    return at_least_a_page(tokens, size.text, page)
