"""The planner of clearings: against sums done one token at a time, and against every plan there is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.batches import Chain, Event, Item, choose, effect, nearest


def chain(hits: Sequence[int], read: float = 0.1, kept: float = 1.25, computed: float = 1.0) -> Chain:
    ones = np.ones(len(hits))
    return Chain(np.array(hits, dtype=np.int64), read * ones, computed * ones, kept * ones)


def cost(chain: Chain, prompts: Sequence[int], items: Sequence[Item], events: Sequence[Event]) -> float:
    """What all prompts cost when cleared by `events`, token by token."""
    total = 0.0
    cleared: set[Item] = set()
    for step, prompt in enumerate(prompts):
        now = [event for event in events if event.step == step]
        for event in now:
            cleared |= {i for i in items if i.at >= event.depth and i.first <= step < i.last}
        gone = {
            place
            for item in cleared
            if item.first <= step < item.last
            for place in range(item.at, item.at + item.tokens)
        }
        for place in range(prompt):
            if place in gone:
                continue
            served = place < chain.hit[step]
            again = served and any(place >= event.depth for event in now)
            total += float((chain.kept if again else chain.read if served else chain.computed)[step])
    return total


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[int], list[int], list[Item]]:
    """Prompts and hits of a chain that grows, with some texts in it that become superfluous."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=2, max_size=6))
    prompts = list(itertools.accumulate(sizes))
    hits = [0]
    for before in prompts[:-1]:
        hits.append(before if draw(st.integers(0, 5)) else draw(st.integers(0, before)))
    items: list[Item] = []
    at = 0
    for step, prompt in enumerate(prompts):
        while at + 3 < prompt and len(items) < 4:
            tokens = draw(st.integers(1, max(1, (prompt - at) // 2)))
            if at + tokens < prompt and draw(st.booleans()):
                first = draw(st.integers(step, len(prompts) - 1))
                items.append(Item(at, tokens, first, draw(st.integers(first + 1, len(prompts)))))
            at += tokens + 1
    return prompts, hits, items


def every_plan(steps: int, items: Sequence[Item]) -> list[list[Event]]:
    depths = sorted({item.at for item in items})
    each: list[list[Event | None]] = [
        [None, *(Event(step, depth) for depth in depths)] for step in range(steps)
    ]
    plans = [[event for event in plan if event is not None] for plan in itertools.product(*each)]
    # An event with nothing to clear at its depth would break the prefix for nothing.
    return [
        plan
        for plan in plans
        if all(any(i.at == event.depth and i.first <= event.step < i.last for i in items) for event in plan)
    ]


@settings(max_examples=80, deadline=None)
@given(sessions(), st.sampled_from([(0.1, 1.25, 1.0), (0.0, 1.0, 1.0), (0.5, 1.0, 1.0), (0.1, 2.0, 1.0)]))
def test_gain_is_the_difference_of_what_all_prompts_cost(
    session: tuple[list[int], list[int], list[Item]], prices: tuple[float, float, float]
) -> None:
    prompts, hits, items = session
    own = chain(hits, *prices)
    base = cost(own, prompts, items, [])
    plans = every_plan(len(prompts), items)
    for plan in plans[:: max(1, len(plans) // 40)]:
        found = effect(own, items, plan)
        assert abs(found.gain - (base - cost(own, prompts, items, plan))) < 1e-6


@settings(max_examples=80, deadline=None)
@given(sessions(), st.sampled_from([(0.1, 1.25, 1.0), (0.0, 1.0, 1.0), (0.5, 1.0, 1.0), (0.9, 1.0, 1.0)]))
def test_choice_is_never_worse_than_nothing_and_close_to_the_best_of_all_plans(
    session: tuple[list[int], list[int], list[Item]], prices: tuple[float, float, float]
) -> None:
    prompts, hits, items = session
    own = chain(hits, *prices)
    chosen = choose(own, items)
    gain = effect(own, items, chosen).gain
    best = max((effect(own, items, plan).gain for plan in every_plan(len(prompts), items)), default=0.0)
    assert gain >= 0
    assert gain > 0 or not chosen
    assert gain >= 0.8 * best - 1e-6


def test_events_move_and_go_when_a_later_one_serves_better() -> None:
    prompts = [10, 15, 29, 38, 58, 73, 92, 95]
    items = [
        Item(0, 5, 4, 8),
        Item(6, 1, 1, 8),
        Item(8, 2, 1, 8),
        Item(11, 1, 4, 8),
        Item(16, 2, 2, 8),
        Item(19, 4, 5, 8),
    ]
    own = chain([0, *prompts[:-1]], 0.3, 1.0)
    # Adding the best event again and again, and changing none, ends at two thirds of this.
    assert effect(own, items, choose(own, items)).gain >= 10.6 - 1e-9


def test_the_nearest_event_is_told_though_it_does_not_pay() -> None:
    items = [Item(10, 20, 1, 3), Item(40, 5, 1, 3)]
    own = chain([0, 100, 120], 0.1, 1.25)
    assert choose(own, items) == []
    event = nearest(own, items)
    assert event is not None
    shares = {
        depth: effect(own, items, [Event(step, depth)]).saved
        / effect(own, items, [Event(step, depth)]).recomputed
        for step in (1,)
        for depth in (10, 40)
    }
    assert event == Event(1, max(shares, key=lambda depth: shares[depth]))
    assert nearest(own, []) is None


def test_where_all_behind_is_computed_anyway_the_most_is_saved() -> None:
    """Nothing is lost there, and no quotient with a loss of nothing is taken."""
    own = chain([0, 20, 0, 60])
    items = [Item(4, 5, 1, 4), Item(30, 10, 2, 4)]
    event = nearest(own, items)
    assert event is not None
    found = effect(own, items, [event])
    assert event == Event(2, 4)
    assert found.recomputed == 0
    assert found.cleared == 15
