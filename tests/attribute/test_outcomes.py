"""Every token lies in exactly one outcome row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachelens.attribute.align import Span
from cachelens.attribute.outcomes import outcomes
from cachelens.model.kinds import OUTCOMES


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int, list[int], list[Span]]:
    """Prompt tokens, hit tokens, tokens served as limits are lifted (not always more), spans sent before."""
    hit, reusable, tokens = sorted(draw(st.lists(st.integers(0, 60), min_size=3, max_size=3)))
    lifted = draw(st.lists(st.integers(0, 70), min_size=2, max_size=2))
    cuts = sorted(draw(st.sets(st.integers(0, tokens), max_size=8)))
    spans = [Span(lo, hi) for lo, hi in zip(cuts[::2], cuts[1::2], strict=False)]
    return tokens, hit, [*lifted, reusable], spans


@given(st.lists(requests(), max_size=6))
def test_rows_cover_every_prompt_without_gap_and_agree_with_a_token_by_token_reading(
    given_requests: list[tuple[int, int, list[int], list[Span]]],
) -> None:
    names = ("expiry", "capacity", "alignment")
    tokens = [request[0] for request in given_requests]
    hit = [request[1] for request in given_requests]
    limits = [(name, [request[2][at] for request in given_requests]) for at, name in enumerate(names)]
    rows = outcomes(tokens, hit, limits, {at: request[3] for at, request in enumerate(given_requests)})
    expected: list[tuple[int, int, str]] = []
    for number, (length, served, lifted, sent) in enumerate(given_requests):
        for at in range(length):
            if at < served:
                name = "hit"
            elif at < lifted[-1]:
                # The first limit whose lifting serves the token is what it was lost to.
                name = next(name for name, depth in zip(names, lifted, strict=True) if at < depth)
            else:
                name = "divergence" if any(span.lo <= at < span.hi for span in sent) else "fresh"
            expected.append((number, at, name))
    found = [
        (int(request), at, OUTCOMES[code])
        for request, lo, hi, code in zip(rows.request, rows.lo, rows.hi, rows.outcome, strict=True)
        for at in range(lo, hi)
    ]
    assert found == expected
    assert rows.totals(len(tokens)).sum(axis=1).tolist() == tokens
