"""What a replay costs in money. In: a workload and what its requests got. Out: US dollars, or why not."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from cachelens.pipeline.provider_engines import engine_of
from cachelens.simulate.engine import Replay
from cachelens.simulate.prices.table import Price, amount, price_of
from cachelens.simulate.workload import Workload


def cost_of(work: Workload, engine: str, replay: Replay) -> tuple[float | None, str | None]:
    """The price of all input tokens of `replay`, and of none of the output; else None and why.

    With a price, the sentence beside it says what must be known about it, such as times of day.

    A model has the price of the provider that sells it: under another provider's cache there is none. One
    request without a price leaves the sum unknown: part of a sum would look like all of it.
    """
    nothing = np.zeros(len(work), dtype=np.int64)
    five, hour = (nothing if tokens is None else tokens for tokens in (replay.written_5m, replay.written_1h))
    uncached = work.prompt_tokens - replay.hit - five - hour
    models = work.trace.requests["model"].to_list()
    providers = work.trace.requests["provider"].to_list()
    for request in work.order.tolist():
        if engine_of(providers[request], models[request]) != engine:
            return None, f"no price: {models[request] or 'an unnamed model'} was not called there"
    sums: dict[Price, list[int]] = {}
    prompts = work.prompt_tokens.tolist()
    columns = (work.order, *(tokens[work.order] for tokens in (uncached, replay.hit, five, hour)))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for request, *tokens in rows:
        price = price_of(models[request], prompts[request], providers[request])
        if price is None:
            return None, f"no price of {models[request] or 'an unnamed model'}"
        sums[price] = [a + b for a, b in zip(sums.get(price, [0, 0, 0, 0]), tokens, strict=True)]
    total = Decimal(0)
    for price, (fresh, hit, written_5m, written_1h) in sums.items():
        part = amount(price, fresh, hit, written_5m, written_1h)
        if isinstance(part, str):
            return None, part
        total += part
    remarks = dict.fromkeys(f"{price.model}: {price.remark}" for price in sums if price.remark)
    return float(total), "; ".join(remarks) or None


def request_costs(work: Workload, engine: str, replay: Replay) -> list[float | None]:
    """The price of each request's input tokens, None where it is not known."""
    frame = work.trace.requests
    nothing = np.zeros(len(work), dtype=np.int64)
    five, hour = (nothing if tokens is None else tokens for tokens in (replay.written_5m, replay.written_1h))
    columns = (work.prompt_tokens, replay.hit, five, hour)
    found: list[float | None] = []
    for provider, model, prompt, hit, short, long in zip(
        frame["provider"].to_list(),
        frame["model"].to_list(),
        *(column.tolist() for column in columns),
        strict=True,
    ):
        price = price_of(model, prompt, provider) if engine_of(provider, model) == engine else None
        cost = None if price is None else amount(price, prompt - hit - short - long, hit, short, long)
        found.append(float(cost) if isinstance(cost, Decimal) else None)
    return found
