"""What every request did to the prompt before it, and what of it was computed again for that reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.attribute.history import History, history
from cachelens.attribute.outcomes import outcomes
from cachelens.model.kinds import OUTCOME_CODE
from cachelens.model.trace import Trace
from cachelens.pipeline.replays import replays
from cachelens.simulate.engine import Engine, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import workload
from tests.truth.scripts import Script, scripts, sessions
from tests.truth.tables import Ask, Seg, table, texts_of, word

NAMES = list(ENGINES)


def past_of(trace: Trace, keeps_output: bool = True) -> History:
    work = workload(trace)
    return history(trace, work, texts_of(trace), work.reusable(1, keeps_output), keeps_output)


def accounts(trace: Trace, name: str, capacity: int | None = None) -> np.ndarray:
    """Tokens per request and outcome under an engine."""
    work = workload(trace)
    engine: type[Engine] = ENGINES.load(name)
    if not engine.facts.sized or engine.facts.kind == "api":
        capacity = None
    page = engine.facts.page_size
    if capacity is not None and capacity < page:
        page = engine.facts.page_sizes[0] if engine.facts.page_sizes else 1
    tiers = (Tier("host", 64),) if capacity is not None and name in ("lmcache", "mooncake-store") else ()
    outcome = replays(work, engine, Setup(capacity_tokens=capacity, page_size=page, tiers=tiers))
    past = history(trace, work, texts_of(trace), outcome.reusable, engine.facts.keeps_output)
    rows = outcomes(
        work.prompt_tokens.tolist(),
        outcome.replay.hit.tolist(),
        [(cause, hits.tolist()) for cause, hits in outcome.limits],
        past.sent_before,
    )
    ends = [(int(r), int(lo), int(hi)) for r, lo, hi in zip(rows.request, rows.lo, rows.hi, strict=True)]
    for (request, lo, hi), following in zip(ends, [*ends[1:], (len(trace), 0, 0)], strict=True):
        assert lo < hi
        assert following[1] == (hi if following[0] == request else 0)
    return rows.totals(len(trace))


@settings(max_examples=150, deadline=None)
@given(scripts(framed=False), st.booleans())
def test_divergence_is_what_was_held_behind_the_first_difference(script: Script, keeps: bool) -> None:
    """Counted token by token, by a cache that holds everything."""
    trace = table(script.asks)
    past = past_of(trace, keeps)
    then = [token for seg in (*script.before, *(script.reply if keeps else ())) for token in seg.whole]
    now = [token for seg in script.now for token in seg.whole]
    if script.reply:
        then = then[: len(then) - keeps]  # the last token of a reply is sampled, never computed
    shared = next(
        (at for at, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), min(len(then), len(now))
    )
    seen = set(then)
    again = sum(
        token in seen and held for token, held in zip(now[shared:], script.held[shared:], strict=True)
    )
    spans = past.sent_before.get(1, [])
    assert sum(max(0, span.hi - max(span.lo, shared)) for span in spans) == again
    total = accounts(trace, "ideal")[1]
    if keeps:
        assert total[OUTCOME_CODE["hit"]] == shared
        assert total[OUTCOME_CODE["divergence"]] == again
        assert total[OUTCOME_CODE["fresh"]] == len(now) - shared - again


@settings(max_examples=150, deadline=None)
@given(scripts())
def test_breaks_and_echoes_are_there_when_something_was_edited(script: Script) -> None:
    past = past_of(table(script.asks))
    own = [edit for edit in script.planted if not edit.in_reply]
    sent = sum(seg.tokens for seg in script.before)
    broken = any(edit.depth < sent for edit in own)
    assert (1 in past.breaks) == broken
    costly = [edit for edit in script.planted if edit.in_reply]
    if not costly:
        assert 1 not in past.echoes
    if broken:
        assert len(past.edits_of[1]) == len(script.planted)
        assert past.breaks[1].token_offset >= min(edit.depth for edit in script.planted)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(sessions(), st.integers(64, 400))
def test_outcomes_sum_to_the_prompt_under_every_engine(name: str, asks: list[Ask], capacity: int) -> None:
    trace = table(asks)
    want = [sum(seg.tokens for seg in ask.prompt) for ask in asks]
    assert accounts(trace, name, capacity).sum(axis=1).tolist() == want
    assert accounts(trace, name).sum(axis=1).tolist() == want


@settings(max_examples=60, deadline=None)
@given(sessions(edits=()))
def test_append_only_sessions_have_no_edits_and_lose_nothing(asks: list[Ask]) -> None:
    trace = table(asks)
    past = past_of(trace)
    assert past.edits == []
    assert not past.breaks
    assert not past.echoes
    assert not past.sent_before
    again = [code for outcome, code in OUTCOME_CODE.items() if outcome not in ("hit", "fresh")]
    for name in ("ideal", "sglang", "lru"):
        assert accounts(trace, name)[:, again].sum() == 0 or name == "sglang"
    assert accounts(trace, "sglang")[:, OUTCOME_CODE["divergence"]].sum() == 0


def test_a_request_tried_again_and_one_that_forks_have_no_edits() -> None:
    a, b, c, d = (Seg(word(number, 9), "user") for number in range(4))
    trace = table([Ask([a, b], [c]), Ask([a, b], [d], 0), Ask([a, b, d], [], 0)])
    past = past_of(trace)
    assert past.edits == []
    assert not past.edits_of
    assert not past.sent_before


def test_a_reply_that_came_back_in_part_is_an_edit_of_the_echo() -> None:
    a, b, c, d, e = (Seg(word(number, 9), "assistant") for number in range(5))
    past = past_of(table([Ask([a], [b, c, d]), Ask([a, b, d, e], [], 0)]))
    (edit,) = past.edits
    assert (edit.kind, edit.in_reply, edit.after_tokens) == ("removed", True, 9)
    assert past.breaks == {}
    assert past.echoes[1].kind == "removed"
    # The last token of the reply was never computed.
    assert past.echoes[1].lost_tokens == 8


def test_another_namespace_is_a_break_without_edits() -> None:
    a, b = (Seg(word(number, 9), "user") for number in range(2))
    asks = [Ask([a], [], namespace="p/m"), Ask([a, b], [], 0, namespace="p/n")]
    past = past_of(table(asks))
    assert past.edits == []
    assert past.breaks[1].kind == "model-changed"
    assert past.breaks[1].lost_tokens == 9


def test_edits_are_numbered_over_the_trace() -> None:
    a, b, c, d = (Seg(word(number, 9), "user") for number in range(4))
    asks = [Ask([a, b]), Ask([b, c], (), 0), Ask([c, d], (), 1)]
    past = past_of(table(asks))
    assert [edit.number for edit in past.edits] == [0, 1]
    assert [(edit.request, edit.kind) for edit in past.edits] == [(1, "removed"), (2, "removed")]
