"""What the input of a replay costs: some remedies trade writes for reads. In: a workload, a replay. Out: dollars."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from cachelens.simulate.engine import Replay
from cachelens.simulate.prices.table import amount, price_of
from cachelens.simulate.workload import Workload


def input_cost(work: Workload, replay: Replay) -> Decimal | None:
    """US dollars for all input tokens; None where a price is not known."""
    none = np.zeros(len(work), dtype=np.int64)
    short, long = (none if tokens is None else tokens for tokens in (replay.written_5m, replay.written_1h))
    frame = work.trace.requests
    columns = (array.tolist() for array in (work.prompt_tokens, replay.hit, short, long))
    total = Decimal(0)
    for model, provider, prompt, hit, five, hour in zip(
        frame["model"].to_list(), frame["provider"].to_list(), *columns, strict=True
    ):
        price = price_of(model, prompt, provider)
        cost = None if price is None else amount(price, prompt - hit - five - hour, hit, five, hour)
        if not isinstance(cost, Decimal):
            return None
        total += cost
    return total
