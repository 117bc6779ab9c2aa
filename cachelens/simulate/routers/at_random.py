"""At random, but the same in every run. In: request numbers and a seed. Out: replicas, evenly spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachelens.simulate.options import convert
from cachelens.simulate.routers.base import number_hash
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """`seed`: another number gives another, equally fixed, distribution."""

    seed: int = 0


class AtRandom:
    """The replica is a hash of the number of the request in the trace and the seed."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        chosen = convert(Options, options, "random")
        self._replicas = replicas
        self._seed = chosen.seed

    def choose(self, request: int, running: Sequence[int]) -> int:
        """A replica that depends on nothing but the number of the request."""
        return number_hash(self._seed, request) % self._replicas
