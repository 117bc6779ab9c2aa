"""The three buckets in figures. In: a case and its model. Out: `Bucket`s: tokens, money, FLOPs, KV held."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from cachelens.advise.case import Case
from cachelens.model.findings import Bucket
from cachelens.model.kinds import BUCKETS, OUTCOMES
from cachelens.pipeline.costs import request_costs
from cachelens.simulate.models.cost import prefill_flops
from cachelens.simulate.models.shapes import Shape
from cachelens.simulate.prices.table import price_of


def buckets(case: Case, shape: Shape | None, kv_bytes_per_token: float | None) -> dict[str, Bucket]:
    """Each bucket by name, in order of BUCKETS, without `none`."""
    ledger = case.ledger
    money = _money(case)
    found = {}
    for code, name in enumerate(BUCKETS):
        if code == 0:
            continue
        own = ledger.spans[ledger.spans[:, 0] == code]
        held = int(ledger.held[code])
        found[name] = Bucket(
            carried_tokens=int(ledger.carried[:, code].sum()),
            computed_tokens=int(ledger.computed[:, code].sum()),
            held_tokens=held,
            causes={o: int(t) for o, t in zip(OUTCOMES, ledger.causes[code], strict=True) if t},
            cost_usd=None if money is None else money[code],
            flops=None if shape is None else float(prefill_flops(shape, own[:, 1], own[:, 2]).sum()),
            held_bytes=None if kv_bytes_per_token is None else held * kv_bytes_per_token,
        )
    return found


def _money(case: Case) -> list[float] | None:
    """US dollars by bucket: served tokens at the price of reads, computed ones at what the request paid for them.

    None when the price of a request is not known.
    """
    costs = request_costs(case.work, case.engine_name, case.replay)
    if any(cost is None for cost in costs):
        return None
    frame = case.trace.requests
    columns = (frame["model"].to_list(), frame["provider"].to_list(), case.work.prompt_tokens.tolist())
    sums = [Decimal(0)] * len(BUCKETS)
    for request, (model, provider, prompt) in enumerate(zip(*columns, strict=True)):
        price, cost = price_of(model, prompt, provider), costs[request]
        if price is None or cost is None:
            return None
        read = (price.cache_read or Decimal(0)) / 1_000_000
        hit = int(case.replay.hit[request])
        computed = prompt - hit
        each = (Decimal(cost) - read * hit) / computed if computed else Decimal(0)
        for code in range(1, len(BUCKETS)):
            own = int(case.ledger.computed[request, code])
            served = int(case.ledger.carried[request, code]) - own
            sums[code] += own * each + served * read
    return [float(np.float64(total)) for total in sums]
