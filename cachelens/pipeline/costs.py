"""Placeholder"""
from cachelens.simulate.engine import Replay
from cachelens.simulate.workload import Workload


def cost_of(work: Workload, replay: Replay) -> tuple[float | None, str | None]: return None,None
