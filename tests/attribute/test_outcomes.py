"""Every token lies in exactly one outcome row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachelens.attribute.align import Span
from cachelens.attribute.outcomes import outcomes
from cachelens.model.kinds import OUTCOMES


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int, int, int, list[Span]]:
    hit, paged, reusable, tokens = sorted(draw(st.lists(st.integers(0, 60), min_size=4, max_size=4)))
    cuts = sorted(draw(st.sets(st.integers(0, tokens), max_size=8)))
    spans = [Span(lo, hi) for lo, hi in zip(cuts[::2], cuts[1::2], strict=False)]
    return tokens, hit, paged, reusable, spans


@given(st.lists(requests(), max_size=6))
def test_rows_cover_every_prompt_without_gap_and_agree_with_a_token_by_token_reading(
    given_requests: list[tuple[int, int, int, int, list[Span]]],
) -> None:
    tokens, hit, paged, reusable, spans = ([request[at] for request in given_requests] for at in range(5))
    rows = outcomes(tokens, hit, paged, reusable, dict(enumerate(spans)))  # type: ignore[arg-type]
    expected: list[tuple[int, int, str]] = []
    for number, (length, served, in_pages, deepest, sent) in enumerate(given_requests):
        for at in range(length):
            if at < served:
                name = "hit"
            elif at < in_pages:
                name = "capacity"
            elif at < deepest:
                name = "alignment"
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
