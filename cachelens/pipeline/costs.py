"""What a replay costs in money. In: a workload and what its requests got. Out: US dollars, or why not."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from cachelens.advise.case import TokenPrices
from cachelens.pipeline.provider_engines import engine_of
from cachelens.simulate.engine import Facts, Replay
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.prices.table import Price, amount, price_of
from cachelens.simulate.workload import Workload


def cost_of(work: Workload, engine: str, replay: Replay) -> tuple[float | None, str | None]:
    """The price of all input tokens of `replay`, and of none of the output; else None and why.

    With a price, the sentence beside it says what must be known about it, such as times of day.

    A model has the price of the provider that sells it: under another provider's cache there is none. One
    request without a price leaves the sum unknown: part of a sum would look like all of it.
    """
    if not sold(engine):
        return None, f"no price: {engine} is a server of one's own"
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


def sold(engine: str) -> bool:
    """Whether an engine models an API that is paid by the token."""
    facts: Facts = ENGINES.load(engine).facts
    return facts.kind == "api"


def request_costs(work: Workload, engine: str, replay: Replay) -> list[float | None]:
    """The price of each request's input tokens, None where it is not known."""
    frame = work.trace.requests
    nothing = np.zeros(len(work), dtype=np.int64)
    five, hour = (nothing if tokens is None else tokens for tokens in (replay.written_5m, replay.written_1h))
    columns = (work.prompt_tokens, replay.hit, five, hour)
    found: list[float | None] = []
    paid = sold(engine)
    for provider, model, prompt, hit, short, long in zip(
        frame["provider"].to_list(),
        frame["model"].to_list(),
        *(column.tolist() for column in columns),
        strict=True,
    ):
        price = price_of(model, prompt, provider) if paid and engine_of(provider, model) == engine else None
        cost = None if price is None else amount(price, prompt - hit - short - long, hit, short, long)
        found.append(float(cost) if isinstance(cost, Decimal) else None)
    return found


def token_prices(work: Workload, engine: str, replay: Replay) -> TokenPrices | None:
    """What one more prompt token of each request would cost; None where the price of any request is not known.

    A token that is computed is written to the cache at the price of the longest lifetime that its request wrote
    with; where the request wrote nothing, or writes have no fee, it costs what input does.
    """
    if not sold(engine):
        return None
    frame = work.trace.requests
    five, hour = replay.written_5m, replay.written_1h
    rows: list[tuple[Decimal, Decimal, Decimal]] = []
    for request, (provider, model, prompt) in enumerate(
        zip(
            frame["provider"].to_list(),
            frame["model"].to_list(),
            work.prompt_tokens.tolist(),
            strict=True,
        )
    ):
        price = price_of(model, prompt, provider) if engine_of(provider, model) == engine else None
        if price is None or price.cache_read is None:
            return None
        kept: Decimal | None = price.input
        if hour is not None and hour[request]:
            kept = price.write_1h
        elif five is not None and five[request]:
            kept = price.write_5m
        if kept is None:
            return None
        rows.append((price.cache_read, price.input, kept))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3) / 1_000_000
    return TokenPrices(*table.T)
