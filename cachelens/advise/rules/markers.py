"""Cache markers of requests as providers take them. In: a case under a cache that needs them. Out: `Markers`."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from cachelens.advise.case import Case
from cachelens.simulate.api.explicit import MarkedEngine, MarkOptions
from cachelens.simulate.api.places import MESSAGES, Places, places
from cachelens.simulate.api.rules import Lookup, plain
from cachelens.simulate.options import engine_options

#: Keys of the provider's table for how far a prefix is looked for, and whether that counts blocks.
_REACH = "lookback_positions"


class Point(NamedTuple):
    """A marker: the place it stands at, and the lifetime it asks for in seconds."""

    place: int
    ttl_s: int


class Markers:
    """Markers of every request, and what the provider makes of them.

    `points[i]`: all markers of request i that may stand there, shallow first, the automatic one included.
    `automatic[i]`: the model of request i caches everything by itself and knows no markers.
    `minimum[i]`: tokens below which the model of request i caches nothing. `reach`: blocks that are searched
    from a marker up, None without such a limit. `most`: markers that a request may have.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        options: object = engine_options(case.engine.Options, case.setup, case.engine.facts)
        if not isinstance(options, MarkOptions):
            raise TypeError(f"{case.engine_name} has no markers")
        models = case.trace.requests["model"].to_list()
        self.models: list[str] = [plain(options.model or model) for model in models]
        lookup = Lookup(case.engine.facts.name, self.models)
        given = options.minimum
        self.minimum = lookup.numbers("minimum_tokens") if given is None else [given] * len(case)
        self.most = lookup.number("breakpoints")
        self.everywhere = options.marks == "everywhere"
        self.places: Places = places(case.work)
        self._reach = None if case.engine_name == "openai" else lookup.numbers(_REACH)
        frame = case.trace.requests
        asked = frame["auto_breakpoint_ttl_s"].fill_null(0).to_list()
        modes = frame["cache_mode"].to_list()
        openai = case.engine_name == "openai"
        self.automatic = [openai and lookup.text("generation", r) == "automatic" for r in range(len(case))]
        self.points = [
            []
            if self.automatic[r]
            else self._points(self.places.last[r], asked[r], openai and modes[r] != "explicit")
            for r in range(len(case))
        ]

    @staticmethod
    def apply_to(case: Case) -> bool:
        """Whether the replayed cache keeps nothing but what is marked."""
        return "unmarked" in case.limits and issubclass(case.engine, MarkedEngine)

    def reach(self, request: int) -> int | None:
        """Blocks at which a prefix is looked for from a marker up, that one included; None: all."""
        return None if self._reach is None else self._reach[request]

    def valid(self, request: int) -> list[Point]:
        """The markers that are written: not below the minimum, the last ones if there are too many."""
        depth, minimum = self.places.depth, max(1, self.minimum[request])
        return [point for point in self.points[request][-self.most :] if depth[point.place] >= minimum]

    def positions(self, request: int) -> set[int]:
        """Positions (see `Places`) of all places of a prompt."""
        return {self.places.position[at] for at in self._up(self.places.last[request])}

    def level(self, point: Point) -> int:
        """TOOLS, SYSTEM or MESSAGES."""
        return self.places.level[point.place]

    def in_messages(self, point: Point) -> bool:
        """Whether a marker stands behind a message."""
        return self.level(point) == MESSAGES

    def blocks_apart(self, upper: int, lower: int) -> int:
        """Content blocks from one place down to another."""
        return self.places.block[lower] - self.places.block[upper]

    def before_block(self, place: int) -> int:
        """The place at which the block that ends at `place` begins; -1 for the start of the prompt."""
        block = self.places.block
        at = place
        while at >= 0 and block[at] == block[place]:
            at = self.places.parent[at]
        return at

    @cached_property
    def visits(self) -> Counter[int]:
        """Position -> number of requests whose prompt passes it."""
        own = Counter(self.places.last)
        passing = [own.get(place, 0) for place in range(len(self.places.parent))]
        found: Counter[int] = Counter()
        for place in range(len(passing) - 1, -1, -1):
            above = self.places.parent[place]
            if above >= 0:
                passing[above] += passing[place]
            position = self.places.position[place]
            if (
                above < 0 or position != self.places.position[above]
            ):  # segments without tokens are no place more
                found[position] += passing[place]
        return found

    def flips(self, request: int) -> bool:
        """Whether a level (tools, system, messages) is marked with another lifetime than by the request before."""
        before = int(self._case.trace.predecessor[request])
        if before < 0:
            return False
        then, now = self._lifetimes(before), self._lifetimes(request)
        return any(then[level] != now[level] for level in then.keys() & now.keys())

    def falling(self, request: int) -> bool:
        """Whether a longer lifetime stands behind a shorter one, which providers refuse."""
        return any(a.ttl_s < b.ttl_s for a, b in pairwise(self.points[request]))

    def _lifetimes(self, request: int) -> dict[int, int]:
        """Level -> lifetime of its last marker."""
        return {self.level(point): point.ttl_s for point in self.points[request]}

    def _up(self, at: int) -> list[int]:
        found = []
        while at >= 0:
            found.append(at)
            at = self.places.parent[at]
        return found

    def _points(self, last: int, asked: int, implicit: bool) -> list[Point]:
        """Markers up from the place `last`. `asked`: lifetime of an automatic one; `implicit`: there is one anyway."""
        where, at = self.places, last
        if asked and not implicit:
            while at >= 0 and not where.markable[at]:
                at = where.parent[at]
        found = []
        if at >= 0 and (asked or implicit) and not where.mark_s[at]:
            found.append(Point(at, asked))
        at = where.marked[last] if last >= 0 else -1
        while at >= 0:
            found.append(Point(at, where.mark_s[at]))
            above = where.parent[at]
            at = where.marked[above] if above >= 0 else -1
        return sorted(found)
