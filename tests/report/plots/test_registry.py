"""Every plot is registered under its own name, and what is registered is a plot."""

from __future__ import annotations

import importlib
from pathlib import Path

import cachelens.report.plots as plots
from cachelens.report.plots import PLOTS


def test_files_and_registry_agree() -> None:
    found = {}
    for path in sorted(Path(plots.__file__).parent.glob("*.py")):
        module = (
            importlib.import_module(f"cachelens.report.plots.{path.stem}")
            if path.stem != "__init__"
            else plots
        )
        for name, thing in vars(module).items():
            if (
                isinstance(thing, type)
                and thing.__module__ == module.__name__
                and {"name", "title"} <= vars(thing).keys()
                and not getattr(thing, "_is_protocol", False)
            ):
                found[thing.name] = f"{module.__name__}:{name}"
    assert found == {name: entry.target for name, entry in PLOTS.entries.items()}


def test_each_fulfills_the_contract() -> None:
    for name in PLOTS:
        plot = PLOTS.load(name)()
        assert plot.name == name
        assert plot.title
        for method in ("missing", "size", "describe", "draw"):
            assert callable(getattr(plot, method))
