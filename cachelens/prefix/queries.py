"""Questions answered from the reuse-run table by arithmetic alone.

In: `ReuseRuns`, the number `n` of requests it is about, capacities and lifetimes. Out: hit tokens per
request, the exact hit curve over all capacities, and for each missed token why it missed.

A hit is a token of the leading resident part of the lookup path. Capacities are in tokens; what does not
fill a page of the table is of no use. A serving engine that must compute the last prompt token anyway hits
one token less at most: clip to the prompt length minus one, floored to pages. What is resident does not
depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cachelens.model.trace import Int64, UInt8
from cachelens.prefix.runs import ReuseRuns

Bool = npt.NDArray[np.bool_]

#: Why a token missed. `unseen`: no earlier request touched it. `evicted`: touched, pushed out since.
#: `expired`: its lifetime was over, whether or not it was also pushed out. `tail`: fills no page.
MISS_REASONS: Final = ("unseen", "evicted", "expired", "tail")


def infinite_hits(runs: ReuseRuns, n: int) -> Int64:
    """Hit tokens of each request in a cache without bounds: the most that any policy can serve."""
    return _per_request(runs, n, runs.tokens)


def hits_at(runs: ReuseRuns, n: int, capacity: int, alive: Bool | None = None) -> Int64:
    """Hit tokens of each request in an LRU cache of `capacity` tokens.

    `alive` (one entry per row, see `alive_rows`) adds lifetimes: what expired keeps its place until it is
    pushed out, which makes no difference while releases come in the order of requests.
    """
    return _per_request(runs, n, _served(runs, capacity, alive))


def block_lru_hits(runs: ReuseRuns, n: int, capacity: int) -> Int64:
    """Hit tokens of each request under plain LRU over blocks that are touched root first.

    Unlike `hits_at`, within one request the shallow blocks then count as older and go first, and what is
    left of a run is its deep end, out of reach: a run hits whole or not at all. Block caches that do not
    free back to front behave like this; the result is never above `hits_at`.
    """
    whole = runs.above + runs.live <= _usable(runs, capacity)
    return _per_request(runs, n, np.where(whole, runs.tokens, 0))


class Curve(NamedTuple):
    """Total hit tokens at each of the ascending `capacities` (tokens), which begin with 0.

    At page 1 the curve is straight between them and flat after the last. With larger pages the
    capacities are multiples of the page, and those between two multiples hit as much as the lower one.
    """

    capacities: Int64
    hits: Int64


def curve(runs: ReuseRuns) -> Curve:
    """Total LRU hits at every capacity, exactly, as the breakpoints of a piecewise linear function."""
    edges = np.concatenate([np.zeros(1, np.int64), runs.above, runs.above + runs.tokens])
    capacities, where = np.unique(edges, return_inverse=True)
    bend = np.zeros(len(capacities), np.int64)
    np.add.at(bend, where[1 : len(runs) + 1], 1)
    np.add.at(bend, where[len(runs) + 1 :], -1)
    steps = np.cumsum(bend)[:-1] * np.diff(capacities)
    return Curve(capacities, np.concatenate([np.zeros(1, np.int64), np.cumsum(steps)]))


def curve_at(runs: ReuseRuns, capacities: npt.ArrayLike) -> Int64:
    """Total LRU hits at each of `capacities` (tokens), read off the curve; exact integers."""
    line = curve(runs)
    asked = np.asarray(capacities, dtype=np.int64)
    if bool(np.any(asked < 0)):
        raise ValueError("capacities must not be negative")
    asked = asked // runs.page * runs.page
    left = np.searchsorted(line.capacities, asked, side="right") - 1
    right = np.minimum(left + 1, len(line.capacities) - 1)
    run = np.maximum(line.capacities[right] - line.capacities[left], 1)
    slope = (line.hits[right] - line.hits[left]) // run  # runs alive at that capacity: always whole
    return np.asarray(line.hits[left] + slope * (asked - line.capacities[left]), dtype=np.int64)


def alive_rows(runs: ReuseRuns, time: npt.ArrayLike, release: npt.ArrayLike, ttl: float) -> Bool:
    """Which rows can still be served when what a request touched lives for `ttl` after its release.

    `time[i]` is when request i looks up, `release[i]` when the lifetime of what it touched starts anew:
    its start where reading refreshes, its end where KV is pinned while it runs. Same unit for all three.
    A token is due `ttl` after the release of the last request, in trace order, that touched it, that
    moment still included. Where releases are out of order a shallower run may expire before a deeper one,
    which then cannot be reached and is not alive either.
    """
    now, then = np.asarray(time), np.asarray(release)
    dead = now[runs.request] - then[runs.last_request] > ttl
    first = _first_rows(runs)
    so_far = np.cumsum(dead)
    before = so_far[first] - dead[first]  # dead rows in all earlier requests
    return np.asarray(so_far == np.repeat(before, np.diff(first, append=len(runs))), dtype=np.bool_)


def ttl_hits(
    runs: ReuseRuns,
    n: int,
    time: npt.ArrayLike,
    release: npt.ArrayLike,
    ttl: float,
    capacity: int | None = None,
) -> Int64:
    """Hit tokens of each request when tokens expire (`alive_rows`), without bounds or at an LRU capacity."""
    alive = alive_rows(runs, time, release, ttl)
    if capacity is not None:
        return hits_at(runs, n, capacity, alive)
    return _per_request(runs, n, np.where(alive, runs.tokens, 0))


@dataclass(frozen=True, eq=False)
class MissRuns:
    """Missed tokens, as runs by request and depth: tokens (lo, hi] of `request` missed for one reason.

    `reason` indexes MISS_REASONS. `last_request` is the request whose KV it was, that is, the last to
    have touched these tokens; -1 for `unseen` and `tail`.
    """

    request: Int64
    lo: Int64
    hi: Int64
    reason: UInt8
    last_request: Int64

    def __len__(self) -> int:
        return len(self.request)


def misses(
    runs: ReuseRuns, prompt_tokens: Int64, capacity: int | None = None, alive: Bool | None = None
) -> MissRuns:
    """Every missed token of requests of `prompt_tokens` tokens (whole lookup paths, not floored to pages).

    Without `capacity` nothing is evicted, without `alive` nothing expires. Together with the hits of
    `hits_at`, or `ttl_hits` for the same arguments, the runs cover each prompt exactly once.
    """
    n = len(prompt_tokens)
    usable = _served(runs, capacity, alive)
    lost = usable < runs.tokens
    expired = np.zeros(len(runs), np.bool_) if alive is None else ~alive
    seen = _per_request(runs, n, runs.tokens)
    whole = prompt_tokens // runs.page * runs.page
    everyone = np.arange(n, dtype=np.int64)
    nobody = np.full(n, -1, np.int64)
    request = np.concatenate([runs.request[lost], everyone, everyone])
    lo = np.concatenate([(runs.lo + usable)[lost], seen, whole])
    hi = np.concatenate([runs.hi[lost], whole, prompt_tokens])
    reason = np.concatenate(
        [
            np.where(expired[lost], MISS_REASONS.index("expired"), MISS_REASONS.index("evicted")),
            np.full(n, MISS_REASONS.index("unseen")),
            np.full(n, MISS_REASONS.index("tail")),
        ]
    ).astype(np.uint8)
    last_request = np.concatenate([runs.last_request[lost], nobody, nobody])
    if bool(np.any(seen > whole)):
        raise ValueError("prompt_tokens must be the lengths of the paths that were looked up")
    rows = np.flatnonzero(hi > lo)
    rows = rows[np.lexsort((lo[rows], request[rows]))]
    return MissRuns(request[rows], lo[rows], hi[rows], reason[rows], last_request[rows])


def _usable(runs: ReuseRuns, capacity: int) -> int:
    """The part of `capacity` that whole pages fill."""
    if capacity < 0:
        raise ValueError("capacities must not be negative")
    return capacity // runs.page * runs.page


def _served(runs: ReuseRuns, capacity: int | None, alive: Bool | None) -> Int64:
    """Hit tokens of each row."""
    tokens = runs.tokens
    if capacity is not None:
        tokens = np.clip(_usable(runs, capacity) - runs.above, 0, tokens)
    return tokens if alive is None else np.where(alive, tokens, 0)


def _first_rows(runs: ReuseRuns) -> Int64:
    """The first row of each request that has any."""
    return np.flatnonzero(np.diff(runs.request, prepend=-1)).astype(np.int64)


def _per_request(runs: ReuseRuns, n: int, tokens: Int64) -> Int64:
    """Sum of `tokens` (one entry per row) for each of the `n` requests."""
    total = np.zeros(n, np.int64)
    np.add.at(total, runs.request, tokens)
    return total
