"""Why each prompt token was computed, or that it was not. In: hits and reuse depths. Out: `Outcomes`.

With h = tokens served, and for each limit of the cache, lifted one after the other, p = what it would have
served then (h <= p <= … <= m, and m = what an infinite token-granular cache would have served):

    [0, h) hit    [h, p) lost to that limit (capacity, expiry, …)    up to m: alignment
    beyond m: divergence where the predecessor's prompt held the token too, else fresh
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cachelens.attribute.align import Span
from cachelens.model.kinds import OUTCOME_CODE
from cachelens.model.outcomes import Outcomes

_HIT, _FRESH, _DIVERGENCE = (OUTCOME_CODE[name] for name in ("hit", "fresh", "divergence"))


def outcomes(
    prompt_tokens: Sequence[int],
    hit: Sequence[int],
    limits: Sequence[tuple[str, Sequence[int]]],
    sent_before: Mapping[int, list[Span]],
) -> Outcomes:
    """Outcome rows of all requests.

    `limits` are (outcome, tokens served per request once this limit is lifted too), weakest first; the last is
    what an infinite token-granular cache serves, and bounds the others.
    `sent_before[i]` are the spans of request i that its predecessor's prompt held (in order, disjoint);
    requests without an entry have no retransmitted tokens beyond their reusable ones.
    """
    rows: list[tuple[int, int, int, int]] = []

    def add(request: int, lo: int, hi: int, outcome: int) -> None:
        if hi > lo:
            rows.append((request, lo, hi, outcome))

    codes = [OUTCOME_CODE[name] for name, _ in limits]
    lifted = list(zip(*(served for _, served in limits), strict=True))
    for request, (tokens, served) in enumerate(zip(prompt_tokens, hit, strict=True)):
        add(request, 0, served, _HIT)
        at, deepest = served, lifted[request][-1]
        for code, depth in zip(codes, lifted[request], strict=True):
            # An eviction policy may serve less without its limit; no token is accounted for twice.
            depth = min(depth, deepest)
            add(request, at, depth, code)
            at = max(at, depth)
        for span in sent_before.get(request, ()):
            if span.hi > at:
                add(request, at, max(span.lo, at), _FRESH)
                add(request, max(span.lo, at), span.hi, _DIVERGENCE)
                at = span.hi
        add(request, at, tokens, _FRESH)
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Outcomes(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.uint8))
