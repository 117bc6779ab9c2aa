"""Stages that stand in for the real ones. In: a Result and a Curve. Out: modules, and what they were called with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cachelens.registry import Entry, Registry
from tests.report import builders


@dataclass
class Stages:
    """Calls by stage name; `failing` is raised by `load`, `during` runs inside it."""

    calls: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    failing: BaseException | None = None
    during: Callable[[], None] | None = None
    result: Any = field(default_factory=builders.session)
    curve: Any = field(default_factory=lambda: builders.curve(200_000))
    simulation: Any = field(default_factory=lambda: Simulation())

    def load(self, arguments: list[str], options: Any, progress: Any) -> str:
        self.calls["load"] = (list(arguments), options)
        progress("reading", 1, 2)
        if self.during is not None:
            self.during()
        if self.failing is not None:
            raise self.failing
        return Trace()

    def examine(self, trace: Any, options: Any, progress: Any) -> Any:
        self.calls["analyze"] = (options,)
        return SimpleNamespace(result=self.result, case=None)

    def run_curve(self, trace: Any, options: Any, progress: Any) -> Any:
        self.calls["curve"] = (options,)
        return self.curve

    def simulate(self, trace: Any, options: Any, progress: Any) -> Any:
        self.calls["simulate"] = (options,)
        return self.simulation

    def write(self, trace: Any, directory: Path, force: bool) -> None:
        self.calls["write"] = (directory, force)


class Simulation:
    """What the verbs look at in a simulation."""

    grid = builders.grid()


class Trace:
    """What the verbs look at in a Trace."""

    skipped = builders.session().trace.skipped

    def __len__(self) -> int:
        return 84


def install(patch: pytest.MonkeyPatch) -> Stages:
    """Put stand-ins where the verbs import the stages from."""
    stages = Stages()
    encodings = Registry(
        "encoding", {"o200k_base": Entry("a:b", "default"), "cl100k_base": Entry("a:b", "older")}
    )
    for name, content in {
        "cachelens.pipeline": {
            "load": stages.load,
            "examine": stages.examine,
            "curve": stages.run_curve,
            "simulate": stages.simulate,
        },
        "cachelens.ingest.store": {"write": stages.write},
        "cachelens.tokens.encodings": {"ENCODINGS": encodings},
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        patch.setitem(sys.modules, name, module)
    return stages
