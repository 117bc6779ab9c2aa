"""Replays that say who pushed out what was missed. In: calls, an engine. Out: hits and evictors of each request."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload
from tests.simulate.workloads import Call, work_of

#: Lists of tokens from the start of a prompt, in a namespace.
Prefix = tuple[str, tuple[int, ...]]


def built(given_calls: list[Call], timed: bool = False) -> Workload:
    """The workload of the calls with their priorities; not `timed`: one after another, without times."""
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(given_calls, Path(folder))
    work = replace(work, priority=np.array([call.priority for call in given_calls], dtype=np.int64))
    return work if timed else replace(work, start_us=None, end_us=None)


def play(name: str, work: Workload, setup: Setup) -> Replay:
    """The replay by the engine `name`, with evictors."""
    kind: type[Engine] = ENGINES.load(name)
    return kind(work, replace(setup, explain=True)).replay()


def evictors(replay: Replay) -> list[int]:
    """For each request the one that pushed out what it missed first, or -1."""
    assert replay.evictor is not None
    found: list[int] = replay.evictor.tolist()
    return found
