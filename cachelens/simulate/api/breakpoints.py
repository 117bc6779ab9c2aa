"""Caches that hold prefixes up to marked blocks. In: a workload and rules. Out: tokens read and written.

A request has breakpoints: places after which its caller, or the provider, wants the prefix kept. It reads
the longest prefix that an earlier request wrote at a breakpoint of its own, if it lies in reach of one of
this request's breakpoints, and writes what lies between there and its last breakpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from cachelens.model.trace import Int64
from cachelens.simulate.api.entries import Entries
from cachelens.simulate.api.moments import Moments
from cachelens.simulate.api.places import Places
from cachelens.simulate.api.scopes import Scopes
from cachelens.simulate.engine import Replay
from cachelens.simulate.workload import Workload

_SECOND = 1_000_000


@dataclass(frozen=True)
class Rules:
    """What a provider allows. `minimum` and `reach` have one entry per request.

    `minimum`: tokens below which a prefix is not cached. `most`: breakpoints of a request that count, the
    last ones. `lifetimes_s`: lifetimes there are, the default first; `ttl_s` puts one in place of those of
    all markers. `reach`: places at which a prefix is looked for, from a breakpoint up, that one included
    (0: all). `counted`: what `reach` counts, ends of content `blocks` from each breakpoint, or the
    `breakpoints` of the conversation, those of earlier requests included, from the end of the prompt.
    `implicit`: the provider adds a breakpoint at the end of every prompt but those of `explicit_only`, numbers
    of requests that asked for their own breakpoints alone. `everywhere`: every segment is
    marked, any number counts, and reach is unlimited. `expires`: lifetimes end. `long_s`: lifetimes from
    here on are written at the price of an hour; 0: none is.
    """

    minimum: Sequence[int]
    reach: Sequence[int]
    most: int
    lifetimes_s: tuple[int, ...]
    counted: Literal["blocks", "breakpoints"] = "blocks"
    ttl_s: int | None = None
    implicit: bool = False
    explicit_only: frozenset[int] = frozenset()
    everywhere: bool = False
    expires: bool = True
    long_s: int = 0


class Marked:
    """One replay. `replay` gives tokens read and written; `notes` what captured markers had wrong.

    `explain`: `replay` also says how long ago what has expired was used.
    """

    def __init__(
        self,
        work: Workload,
        places: Places,
        scopes: Scopes,
        moments: Moments,
        rules: Rules,
        explain: bool = False,
    ) -> None:
        self._idle_us = np.full(len(work), -1, dtype=np.int64) if explain else None
        self._work = work
        self._places = places
        self._scopes = scopes
        self._moments = moments
        self._rules = rules
        self._entries = Entries(rules.expires and moments.timed)
        self._automatic: list[int] = (
            work.trace.requests["auto_breakpoint_ttl_s"].fill_null(0).to_numpy().tolist()
        )
        # Everywhere: since when all prefixes up to a place can be read, by place and scope.
        self._walked: dict[int, int] = {}
        self._too_many = self._misordered = self._other_lifetime = self._too_early = self._unmarked = 0

    def replay(self) -> Replay:
        """Tokens read and written by each request of the workload's order."""
        rules = self._rules
        hit, short, long = (np.zeros(len(self._work), dtype=np.int64) for _ in range(3))
        for request in self._work.order.tolist():
            if rules.everywhere:
                points = self._everywhere(request)
            else:
                points = self._captured(request)
                self._unmarked += not points
            if points:
                read = self._read(request, points)
                hit[request] = read
                short[request], long[request] = self._write(request, points, read)
        return Replay(
            hit=hit,
            written_5m=short,
            written_1h=long if rules.long_s else None,
            notes=self._notes(),
            idle_us=self._idle_us,
        )

    def _captured(self, request: int) -> list[tuple[int, int]]:
        """(place, lifetime in seconds) of the breakpoints that count, shallow first."""
        places, rules = self._places, self._rules
        found: list[tuple[int, int]] = []
        last = at = places.last[request]
        automatic = self._automatic[request]
        if rules.implicit:
            automatic = 0 if request in rules.explicit_only else rules.lifetimes_s[0]
        if automatic and not rules.implicit:
            while at >= 0 and not places.markable[at]:
                at = places.parent[at]
        if at >= 0 and automatic and not places.mark_s[at]:
            found.append((at, self._lifetime(automatic)))
        at = places.marked[last] if last >= 0 else -1
        while at >= 0 and len(found) < rules.most:
            found.append((at, self._lifetime(places.mark_s[at])))
            above = places.parent[at]
            at = places.marked[above] if above >= 0 else -1
        if at >= 0 and not rules.implicit:
            self._too_many += 1
        found.sort()  # places are numbered from the start of a prompt on
        if any(a < b for (_, a), (_, b) in pairwise(found)):
            self._misordered += 1
        return found

    def _lifetime(self, asked: int) -> int:
        rules = self._rules
        if rules.ttl_s is not None:
            return rules.ttl_s
        if asked in rules.lifetimes_s:
            return asked
        self._other_lifetime += 1
        return rules.lifetimes_s[0]

    def _everywhere(self, request: int) -> list[tuple[int, int]]:
        """The end of the prompt alone: `_read` and `_write` go through all places above it themselves."""
        at = self._places.last[request]
        if at < 0:
            return []
        ttl = self._rules.ttl_s
        return [(at, self._rules.lifetimes_s[0] if ttl is None else ttl)]

    def _key(self, request: int, place: int) -> int:
        places, scopes = self._places, self._scopes
        return places.position[place] * scopes.count + scopes.of[places.level[place]][request]

    def _read(self, request: int, points: list[tuple[int, int]]) -> int:
        """Tokens of the longest prefix in reach, whose lifetime starts anew; 0 for none."""
        best = -1
        depth = 0
        now = self._moments.start[request]
        early = False
        idle, expired = -1, 0  # of the deepest prefix that is found expired, and its depth
        places, entries, minimum = self._places, self._entries, self._rules.minimum[request]
        for at in self._searched_from(points):
            for place in self._candidates(request, at):
                if places.depth[place] <= depth or places.depth[place] < minimum:
                    break
                key = self._key(request, place)
                if entries.readable(key, now):
                    best, depth = key, places.depth[place]
                    break
                early = early or entries.alive(key, now)
                if self._idle_us is not None and places.depth[place] > expired:
                    since = entries.idle(key, now)
                    if since >= 0:
                        idle, expired = since, places.depth[place]
        self._too_early += early
        if self._idle_us is not None and expired > depth:
            self._idle_us[request] = idle
        if best >= 0:
            entries.use(best, now, self._moments.ready[request], 0)
        return depth

    def _searched_from(self, points: list[tuple[int, int]]) -> list[int]:
        """The breakpoints to look up from, deepest first."""
        found = [at for at, _ in reversed(points)]
        return found if self._rules.counted == "blocks" else found[:1]

    def _candidates(self, request: int, at: int) -> Iterator[int]:
        """Places at which a prefix is looked for, from `at` up."""
        if self._rules.everywhere:
            return self._all(at)
        if self._rules.counted == "blocks":
            return self._blocks(at, self._rules.reach[request])
        return self._breakpoints(request, self._rules.reach[request])

    def _all(self, at: int) -> Iterator[int]:
        """Every place from `at` up."""
        parent = self._places.parent
        while at >= 0:
            yield at
            at = parent[at]

    def _blocks(self, at: int, reach: int) -> Iterator[int]:
        """The breakpoint and the ends of blocks above it, `reach` in all."""
        parent, block = self._places.parent, self._places.block
        seen = 0
        below = -1
        while at >= 0:
            if block[at] != below:
                yield at
                seen += 1
                if seen == reach:
                    return
            below = block[at]
            at = parent[at]

    def _breakpoints(self, request: int, reach: int) -> Iterator[int]:
        """The latest `reach` breakpoints of the conversation: this request's markers, and what was written."""
        places = self._places
        seen = 0
        for at in self._all(places.last[request]):
            if places.mark_s[at] or self._key(request, at) in self._entries:
                yield at
                seen += 1
                if seen == reach:
                    return

    def _write(self, request: int, points: list[tuple[int, int]], read: int) -> tuple[int, int]:
        """Tokens written for the shorter and for the longer lifetime."""
        places, rules, entries = self._places, self._rules, self._entries
        now, ready, minimum = (
            self._moments.start[request],
            self._moments.ready[request],
            rules.minimum[request],
        )
        end = hour = read
        for at, ttl in points:
            depth = places.depth[at]
            if depth < minimum or depth == 0:
                continue
            end = max(end, depth)
            if rules.long_s and ttl >= rules.long_s:
                hour = max(hour, depth)
            if not rules.everywhere:
                entries.use(self._key(request, at), now, ready, ttl * _SECOND)
        if rules.everywhere:
            self._write_all(request, *points[0])
        return end - hour, hour - read

    def _write_all(self, request: int, at: int, ttl: int) -> None:
        """Every place from `at` up; without expiry no further than where nothing would change."""
        places, entries, walked = self._places, self._entries, self._walked
        minimum, scope = self._rules.minimum[request], self._scopes.of[-1][request]
        now, ready = self._moments.start[request], self._moments.ready[request]
        for place in self._all(at):
            if places.depth[place] < minimum or places.depth[place] == 0:
                return
            if not entries.expires:
                done = place * self._scopes.count + scope
                before = walked.get(done)
                if before is not None and before <= ready:
                    return  # all above was written by then, and stays
                walked[done] = ready
            entries.use(self._key(request, place), now, ready, ttl * _SECOND)

    def _notes(self) -> tuple[str, ...]:
        rules, total_requests = self._rules, len(self._work.order)
        notes = []
        if self._unmarked == total_requests > 0:
            notes.append("No request has a cache marker: nothing is cached.")
        elif self._unmarked:
            notes.append(
                f"Requests without a cache marker, of which nothing is cached: {self._unmarked:,} "
                f"of {total_requests:,}."
            )
        if self._too_many:
            notes.append(
                f"Requests with more than {rules.most} markers, which the API refuses: {self._too_many:,}; "
                f"their last {rules.most} count."
            )
        if self._misordered and rules.long_s:
            notes.append(
                "Requests with a longer lifetime after a shorter one, which the API refuses: "
                f"{self._misordered:,}."
            )
        if self._other_lifetime:
            notes.append(
                f"Markers that ask for a lifetime that the API does not have: {self._other_lifetime:,}; "
                f"{rules.lifetimes_s[0]:,} s is taken."
            )
        if self._too_early:
            notes.append(
                "Requests that came before the response that wrote a prefix of theirs had begun, and could not "
                f"read it: {self._too_early:,}."
            )
        return tuple(notes)


def total(replays: Sequence[Replay], notes: Sequence[str]) -> Replay:
    """One replay of several (one at least) about different requests; `notes` go first, equal sentences once."""

    def added(parts: Sequence[Int64 | None]) -> Int64 | None:
        known = [part for part in parts if part is not None]
        return np.asarray(np.sum(known, axis=0), dtype=np.int64) if known else None

    sentences = dict.fromkeys([*notes, *(note for one in replays for note in one.notes)])
    idle_us = [one.idle_us for one in replays if one.idle_us is not None]
    return Replay(
        hit=np.asarray(np.sum([one.hit for one in replays], axis=0), dtype=np.int64),
        written_5m=added([one.written_5m for one in replays]),
        written_1h=added([one.written_1h for one in replays]),
        notes=tuple(sentences),
        # -1 in all replays but the one that has the request.
        idle_us=np.asarray(np.max(idle_us, axis=0), dtype=np.int64) if idle_us else None,
    )
