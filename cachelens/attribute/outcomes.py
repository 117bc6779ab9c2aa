"""Why each prompt token was computed, or that it was not. In: hits and reuse depths. Out: `Outcomes`.

With h = tokens served, p = what an infinite cache of the same page size would have served, m = what an
infinite token-granular cache would have served (h <= p <= m):

    [0, h) hit    [h, p) capacity    [p, m) alignment    beyond m: divergence where the predecessor's
                                                         prompt held the token too, else fresh
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cachelens.attribute.align import Span
from cachelens.model.kinds import OUTCOME_CODE
from cachelens.model.outcomes import Outcomes

_HIT, _FRESH, _DIVERGENCE, _CAPACITY, _ALIGNMENT = (
    OUTCOME_CODE[name] for name in ("hit", "fresh", "divergence", "capacity", "alignment")
)


def outcomes(
    prompt_tokens: Sequence[int],
    hit: Sequence[int],
    paged: Sequence[int],
    reusable: Sequence[int],
    sent_before: Mapping[int, list[Span]],
) -> Outcomes:
    """Outcome rows of all requests.

    `sent_before[i]` are the spans of request i that its predecessor's prompt held (in order, disjoint);
    requests without an entry have no retransmitted tokens beyond their reusable ones.
    """
    rows: list[tuple[int, int, int, int]] = []

    def add(request: int, lo: int, hi: int, outcome: int) -> None:
        if hi > lo:
            rows.append((request, lo, hi, outcome))

    for request, (tokens, served, in_pages, deepest) in enumerate(
        zip(prompt_tokens, hit, paged, reusable, strict=True)
    ):
        add(request, 0, served, _HIT)
        add(request, served, in_pages, _CAPACITY)
        add(request, max(served, in_pages), deepest, _ALIGNMENT)
        at = deepest
        for span in sent_before.get(request, ()):
            if span.hi > at:
                add(request, at, max(span.lo, at), _FRESH)
                add(request, max(span.lo, at), span.hi, _DIVERGENCE)
                at = span.hi
        add(request, at, tokens, _FRESH)
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Outcomes(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.uint8))
