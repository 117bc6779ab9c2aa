"""Cache sizes as options take them. In: `200k`, `8m`, `131_072`, `inf`, `10%`. Out: tokens or shares.

The grammar is that of `cachelens.simulate.capacity`; here are the two forms for verbs that know neither a model
nor, yet, the working set.
"""

from __future__ import annotations

from cachelens.errors import UsageError
from cachelens.simulate.capacity import (
    LARGEST,
    Kind,
    Size,
    at_least_a_page,
    auto_sizes,
    parse_size,
    parse_sizes,
)

__all__ = ["LARGEST", "parse_capacities", "parse_tokens"]

_TOKENS = "tokens such as 200k, 8m, 131_072 (k is a thousand, m a million), or inf"
_SHARES = (
    "tokens such as 200k or 8m; shares of the working set such as 0.1 or 10%; auto; inf; several with commas"
)


def parse_tokens(text: str, page_size: int = 1) -> int | None:
    """A capacity in tokens, None for `inf`. Raises UsageError for anything else, and below one page."""
    size = parse_size(text, _TOKENS)
    if size.kind is Kind.INFINITE:
        return None
    if size.kind is not Kind.TOKENS:
        what = {Kind.SHARE: "a share of the working set", Kind.BYTES: "in bytes"}.get(
            size.kind, "several sizes"
        )
        raise UsageError(f"capacity {size.text!r} is {what}", f"accepted here: {_TOKENS}")
    return at_least_a_page(int(size.amount), size.text, page_size)


def parse_capacities(text: str, page_size: int = 1) -> tuple[int | float, ...]:
    """Capacities with commas between: ints in tokens, floats as shares; `inf` is the whole working set.

    Raises UsageError for anything else, for bytes, and for tokens below one page.
    """
    sizes = [
        part
        for size in parse_sizes(text, _SHARES)
        for part in (auto_sizes() if size.kind is Kind.AUTO else (size,))
    ]
    return tuple(dict.fromkeys(_tokens_or_share(size, page_size) for size in sizes))


def _tokens_or_share(size: Size, page_size: int) -> int | float:
    if size.kind is Kind.BYTES:
        raise UsageError(f"a capacity in bytes needs --model: {size.text!r}", f"accepted here: {_SHARES}")
    if size.kind is Kind.TOKENS:
        return at_least_a_page(int(size.amount), size.text, page_size)
    return 1.0 if size.kind is Kind.INFINITE else float(size.amount)
