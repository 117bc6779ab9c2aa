"""When to clear what is no longer needed. In: a chain of requests, what can be cleared. Out: `Event`s.

To clear text from the middle of a prompt breaks the cached prefix: what stands behind it is computed once more, at
the price of a computed token instead of a cached read. It pays when the reads saved in the requests that follow
come to more. One break serves everything that can be cleared behind it, so clearing goes in batches: an event is a
request and a depth, from which on everything clearable is cleared.

The events are chosen with hindsight of the requests that follow, by adding the best one, moving and dropping
others, until nothing gains: at a local optimum, not always the best there is, and never worse than no event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

#: Most cells (steps times items) that are weighed one by one; of more items the largest.
_CELLS = 1 << 18
#: Most events in one chain: harnesses that clear history do it a few times in a session.
MOST_EVENTS = 16
#: Gains smaller than this share of what the chain costs are noise of adding up floats.
_NOISE = 1e-9


class Item(NamedTuple):
    """`tokens` that could be cleared from depth `at` of the prompts of steps `first` to `last - 1` of a chain.

    Clearing at any of these steps takes them out of that prompt and the rest of them.
    """

    at: int
    tokens: int
    first: int
    last: int


class Event(NamedTuple):
    """At `step`, every item that holds there and stands at `depth` or deeper is cleared."""

    step: int
    depth: int


@dataclass(frozen=True, eq=False)
class Chain:
    """Requests that continue one another, as columns of one entry each.

    `hit`: tokens served. `read`, `computed`, `kept`: what a token costs that is read from the cache, computed,
    and computed so that the next request can read it; in any one unit.
    """

    hit: Int
    read: Float
    computed: Float
    kept: Float


@dataclass(frozen=True)
class Effect:
    """What events come to: `gain` in the unit of the chain, negative where they cost more than they save.

    `cleared`: tokens taken out, each item once. `recomputed`: tokens computed that had been served. `saved`: tokens
    not sent, over all steps.
    """

    gain: float
    cleared: int
    recomputed: int
    saved: int


def choose(chain: Chain, items: Sequence[Item]) -> list[Event]:
    """The events that pay best, in order of step; none where nothing pays."""
    planner = _Planner(chain, _largest(chain, items))
    return planner.run()


def nearest(chain: Chain, items: Sequence[Item]) -> Event | None:
    """The one event whose saving comes to most of what it costs, whether it pays or not; None: nothing to clear."""
    return _Planner(chain, _largest(chain, items)).nearest()


def effect(chain: Chain, items: Sequence[Item], events: Sequence[Event]) -> Effect:
    """What clearing by `events` comes to."""
    planner = _Planner(chain, items)
    times = planner.cleared_at(events)
    cleared = times < planner.last
    saved = sum(
        item.tokens * (item.last - int(time))
        for item, time in zip(planner.items, times.tolist(), strict=True)
        if time < item.last
    )
    return Effect(
        planner.value(events),
        int(planner.tokens[cleared].sum()),
        sum(int(planner.broken(event)) for event in events),
        int(saved),
    )


def _largest(chain: Chain, items: Sequence[Item]) -> list[Item]:
    most = max(1, _CELLS // max(1, len(chain.hit)))
    if len(items) <= most:
        return list(items)
    order = sorted(range(len(items)), key=lambda i: (-items[i].tokens * (items[i].last - items[i].first), i))
    return [items[index] for index in sorted(order[:most])]


class _Planner:
    """Items in order of depth, the deepest first, and what it is worth to clear each at each step."""

    def __init__(self, chain: Chain, items: Sequence[Item]) -> None:
        self.chain = chain
        self.items = sorted(items, key=lambda item: (-item.at, item))
        self.at, self.tokens, self.first, self.last = (
            np.array(column, dtype=np.int64)
            for column in (zip(*self.items, strict=True) if self.items else ((), (), (), ()))
        )
        steps = np.arange(len(chain.hit))[:, None]
        self.holds = (steps >= self.first) & (steps < self.last)
        served = np.clip(chain.hit[:, None] - self.at, 0, self.tokens)
        self.served = np.where(self.holds, served, 0)
        cost = served * chain.read[:, None] + (self.tokens - served) * chain.computed[:, None]
        cost = np.where(self.holds, cost, 0.0)
        # worth[t, i]: what is saved when item i is cleared at step t; nothing from its last step on.
        self.worth = np.zeros((len(chain.hit) + 1, len(self.items)))
        self.worth[:-1] = np.cumsum(cost[::-1], axis=0)[::-1]
        # What clears down to an item's depth computes again all that was served behind it and is not cleared.
        # Items may share a depth (of other steps), so each counts those at its depth or deeper.
        deeper = np.searchsorted(-self.at, -self.at, side="right") - 1
        behind = np.cumsum(self.served, axis=1)[:, deeper] if self.items else self.served
        self.rest = np.maximum(chain.hit[:, None] - self.at - behind, 0)
        self.deeper = deeper
        self.price = np.maximum(chain.kept - chain.read, 0.0)

    def run(self) -> list[Event]:
        events: list[Event] = []
        value = 0.0
        noise = _NOISE * float(self.worth[0].sum()) if self.items else 0.0
        while self.items and len(events) < MOST_EVENTS:
            taken = frozenset(event.step for event in events)
            event = self.best(self.cleared_at(events), taken)
            if event is None:
                break
            grown = self.settled([*events, event])
            now = self.value(grown)
            if now <= value + noise:
                break
            events, value = grown, now
        return sorted(events)

    def settled(self, events: list[Event]) -> list[Event]:
        """`events` without those that the others make a loss, and each moved to where it gains most."""
        for event in list(events):
            others = [other for other in events if other != event]
            moved = self.best(self.cleared_at(others), frozenset(other.step for other in others))
            options = [events, others] + ([[*others, moved]] if moved is not None else [])
            events = max(options, key=self.value)
        return events

    def cleared_at(self, events: Sequence[Event]) -> Int:
        """The step at which each item is cleared; its last one where it never is."""
        times = self.last.copy()
        for step, depth in sorted(events, reverse=True):
            times[(self.at >= depth) & (self.first <= step) & (step < self.last)] = step
        return times

    def best(self, times: Int, taken: frozenset[int]) -> Event | None:
        """The event at a step that is not `taken` that adds most, given when items are cleared already."""
        gain = self._gains(times) - self.rest * self.price[:, None]
        if taken:
            gain[sorted(taken)] = -np.inf
        step, item = divmod(int(np.argmax(gain)), len(self.items))
        return Event(step, int(self.at[item])) if gain[step, item] > 0 else None

    def nearest(self) -> Event | None:
        """See the function of that name."""
        if not self.items:
            return None
        gain, loss = self._gains(self.last), self.rest * self.price[:, None]
        open_ = np.isfinite(gain)
        if not open_.any():
            return None
        saved = np.where(open_, gain, 0.0)
        free = loss <= 0  # all behind is computed anyway: the more is saved the better, before all that costs
        share = np.divide(saved, loss, out=np.zeros_like(saved), where=~free)
        if bool((saved[free] > 0).any()):
            share = np.where(free, saved, -np.inf)
        # Where nothing is saved at all, as little as possible is lost.
        share = np.where(open_, share - 1e-12 * loss, -np.inf)
        step, item = divmod(int(np.argmax(share)), len(self.items))
        return Event(step, int(self.at[item]))

    def _gains(self, times: Int) -> Float:
        """What the event at each step that clears down to each item saves, -inf where that item does not hold."""
        now = self.worth[times, np.arange(len(self.items))]
        open_ = self.holds & (np.arange(len(self.chain.hit))[:, None] < times)
        gain = np.cumsum(np.where(open_, self.worth[:-1] - now, 0.0), axis=1)[:, self.deeper]
        return np.where(open_, gain, -np.inf)

    def broken(self, event: Event) -> int:
        """Tokens computed again by an event that had been served."""
        behind = int(self.served[event.step, self.at >= event.depth].sum())
        return max(0, int(self.chain.hit[event.step]) - event.depth - behind)

    def value(self, events: Sequence[Event]) -> float:
        """What events gain."""
        times = self.cleared_at(events)
        worth = float(self.worth[times, np.arange(len(self.items))].sum())
        return worth - sum(self.broken(event) * float(self.price[event.step]) for event in events)
