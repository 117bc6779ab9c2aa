"""What one token costs at list price, output included. In: a case and a request. Out: a `TokenCost`, or None."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from cachelens.advise.case import Case
from cachelens.simulate.prices.table import price_of


class TokenCost(NamedTuple):
    """Exact US dollars per million tokens of one request.

    `computed`: prompt tokens that were not served, at the price of writes if the request wrote to the cache;
    `served`: those read from cache; `generated`: output.
    """

    computed: Decimal
    served: Decimal
    generated: Decimal


def token_cost(case: Case, request: int) -> TokenCost | None:
    """The price of a token of `request`, None when one of the three, or the input of any request, has no price."""
    if case.prices is None:
        return None
    frame = case.trace.requests
    row = price_of(frame["model"][request], int(case.work.prompt_tokens[request]), frame["provider"][request])
    if row is None or row.cache_read is None or row.output is None:
        return None
    replay, computed = case.replay, row.input
    if replay.written_1h is not None and int(replay.written_1h[request]):
        computed = row.write_1h or row.input
    elif replay.written_5m is not None and int(replay.written_5m[request]):
        computed = row.write_5m or row.input
    return TokenCost(computed, row.cache_read, row.output)
