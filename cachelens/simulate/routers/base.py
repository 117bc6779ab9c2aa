"""The contract of a router. In: requests in order of start and what runs where. Out: a replica for each.

A router sees what a real one sees: times, sessions and prompts of the requests so far, and how many of them
still run. It does not see into the caches. Its choices may not depend on token ids, only on what is equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import xxhash

from cachelens.simulate.workload import Workload


class Router(Protocol):
    """Constructed as `Class(workload, replicas, options)`; raises UsageError for a workload it cannot route.

    `Options` is a frozen dataclass of the router's own options with their defaults; they are given by name, as
    text, and bad ones are a UsageError.
    """

    Options: ClassVar[type]

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None: ...

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The replica for `request`. `running[r]`: requests at replica r that have not ended, as in the trace.

        Called once for each request of the workload's order, in this order.
        """
        ...


def number_hash(*numbers: int) -> int:
    """64 bits that are the same everywhere and in every run."""
    return xxhash.xxh64_intdigest(",".join(map(str, numbers)).encode())


def sessions(workload: Workload) -> list[str | int]:
    """The session of each request; a request without one is alone in its own, named by its number."""
    names = workload.trace.requests["session_id"].to_list()
    return [number if name is None else name for number, name in enumerate(names)]
