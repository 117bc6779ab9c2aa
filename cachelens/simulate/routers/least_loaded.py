"""Where the least runs. In: running requests per replica. Out: the replica with the fewest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachelens.errors import UsageError
from cachelens.simulate.options import convert
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """There are none."""


class LeastLoaded:
    """The replica that runs the fewest requests; of several, the one that was not chosen for longest."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        convert(Options, options, "least-loaded")
        if workload.start_us is None or workload.end_us is None:
            raise UsageError(
                "least-loaded needs the start and the end of every request, which the trace does not have",
                "choose --router round-robin, session or prefix-aware",
            )
        self._chosen = [-1] * replicas
        self._clock = 0

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The replica with the fewest running requests."""
        replica = min(range(len(running)), key=lambda r: (running[r], self._chosen[r], r))
        self._chosen[replica] = self._clock
        self._clock += 1
        return replica
