"""In turn. In: requests in order. Out: replica 0, 1, 2 and so on, and 0 again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachelens.simulate.options import convert
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """There are none."""


class RoundRobin:
    """Each request goes to the replica after that of the request before."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        convert(Options, options, "round-robin")
        self._replicas = replicas
        self._next = 0

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The next replica in turn."""
        replica = self._next
        self._next = (replica + 1) % self._replicas
        return replica
