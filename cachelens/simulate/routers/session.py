"""By session. In: sessions. Out: for each the replica that its first request was sent to, in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachelens.simulate.options import convert
from cachelens.simulate.routers.base import sessions
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """There are none."""


class Session:
    """A session stays where it began; sessions are dealt out in turn, as they appear."""

    Options = Options

    def __init__(self, workload: Workload, replicas: int, options: Mapping[str, str]) -> None:
        convert(Options, options, "session")
        self._replicas = replicas
        self._sessions = sessions(workload)
        self._home: dict[str | int, int] = {}

    def choose(self, request: int, running: Sequence[int]) -> int:
        """The replica of the session, or the next one in turn for a new session."""
        return self._home.setdefault(self._sessions[request], len(self._home) % self._replicas)
