"""Cache entries with lifetimes. In: numbers of prefixes and times in microseconds. Out: what can be read when.

Nothing is evicted: providers publish lifetimes, no capacities.
"""

from __future__ import annotations

import numpy as np

from cachelens.model.trace import Int64
from cachelens.simulate.workload import Workload


def no_idle(work: Workload, explain: bool) -> Int64 | None:
    """`Replay.idle_us` where nothing has expired, if it is asked for."""
    return np.full(len(work), -1, dtype=np.int64) if explain else None


class Entries:
    """Prefixes that were written, by number. `expires` False: an entry once written stays.

    A lifetime starts anew with every use, and its last moment still counts. An entry can be read from its
    ready time on, when the response to the request that wrote it begins.
    """

    def __init__(self, expires: bool) -> None:
        self.expires = expires
        self._ttl: dict[int, int] = {}
        self._due: dict[int, int] = {}
        self._ready: dict[int, int] = {}

    def __contains__(self, key: int) -> bool:
        """Whether the prefix was ever written, alive or not."""
        return key in self._due

    def alive(self, key: int, now: int) -> bool:
        """Whether there is an entry, readable or still being written."""
        due = self._due.get(key)
        return due is not None and (not self.expires or now <= due)

    def readable(self, key: int, now: int) -> bool:
        """Whether a request that starts `now` is served from the entry."""
        return self.alive(key, now) and self._ready[key] <= now

    def idle(self, key: int, now: int) -> int:
        """How long ago an entry that has expired was last used, by the start of that request; -1 if it has not."""
        due = self._due.get(key)
        if due is None or self.alive(key, now):
            return -1
        return now - due + self._ttl[key]

    def use(self, key: int, now: int, ready: int, ttl: int) -> None:
        """A request that starts `now` reads or writes the prefix; its response begins at `ready`.

        An entry that is alive keeps its lifetime, which starts anew; otherwise one of `ttl` is written.
        """
        if self.alive(key, now):
            self._due[key] = max(self._due[key], now + self._ttl[key])
            self._ready[key] = min(self._ready[key], ready)
            return
        self._ttl[key] = ttl
        self._due[key] = now + ttl
        self._ready[key] = ready
