"""Cache sizes as people write them. In: `200k`, `8m`, `131_072`, `inf`, `10%`. Out: tokens or shares.

`k` is a thousand and `m` a million tokens; a share is of the working set, what an infinite cache would hold.
"""

from __future__ import annotations

import re
from decimal import Decimal

from cachelens.errors import UsageError

#: Larger than any cache; keeps sums inside 64-bit integers.
LARGEST = 10**15
_NUMBER = re.compile(r"(?P<digits>\d+(?:_\d+)*(?:\.\d+)?|\.\d+)(?P<unit>[km%]?)", re.ASCII)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000}
_TOKENS = "tokens such as 200k, 8m, 131_072 (k is a thousand, m a million), or inf"
_SHARES = "tokens such as 200k or 8m; shares of the working set such as 0.1 or 10%; inf; several with commas"


def parse_tokens(text: str, page_size: int = 1) -> int | None:
    """A capacity in tokens, None for `inf`. Raises UsageError for anything else, and below one page."""
    if text.strip().lower() == "inf":
        return None
    value = _value(text, _TOKENS)
    if isinstance(value, float):
        raise UsageError(f"capacity {text!r} is a share of the working set", f"accepted here: {_TOKENS}")
    return _at_least_a_page(value, text, page_size)


def parse_capacities(text: str, page_size: int = 1) -> tuple[int | float, ...]:
    """Capacities with commas between: ints in tokens, floats as shares; `inf` is the whole working set.

    Raises UsageError for anything else, and for tokens below one page.
    """
    found: list[int | float] = []
    for part in text.split(","):
        value = 1.0 if part.strip().lower() == "inf" else _value(part, _SHARES)
        found.append(value if isinstance(value, float) else _at_least_a_page(value, part, page_size))
    return tuple(dict.fromkeys(found))


def _value(text: str, accepted: str) -> int | float:
    """Tokens as an int, a share above 0 and up to 1 as a float."""
    wrong = UsageError(f"capacity {text.strip()!r} is not understood", f"accepted: {accepted}")
    match = _NUMBER.fullmatch(text.strip().lower())
    if match is None:
        raise wrong
    number, unit = Decimal(match["digits"].replace("_", "")), match["unit"]
    if number == 0:
        raise UsageError(f"capacity {text.strip()!r} holds nothing", f"accepted: {accepted}")
    if unit == "%" or (unit == "" and number < 1):
        share = float(number / 100) if unit == "%" else float(number)
        if not 0 < share <= 1:
            raise UsageError(
                f"capacity {text.strip()!r} is more than the working set", f"accepted: {accepted}"
            )
        return share
    tokens = number * _SCALE[unit]
    if tokens != tokens.to_integral_value():
        raise UsageError(
            f"capacity {text.strip()!r} is not a whole number of tokens", f"accepted: {accepted}"
        )
    if tokens > LARGEST:
        raise UsageError(f"capacity {text.strip()!r} is too large", "inf means unlimited")
    return int(tokens)


def _at_least_a_page(tokens: int, text: str, page_size: int) -> int:
    if tokens < page_size:
        raise UsageError(
            f"capacity {text.strip()!r} is less than one page of {page_size:,} tokens",
            "give a larger --capacity or a smaller --page-size",
        )
    return tokens
