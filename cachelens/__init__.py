"""cachelens: where an LLM agent's prompt tokens go, and why the prefix cache misses.

    import cachelens

    trace = cachelens.load("trace.jsonl")
    report = cachelens.analyze(trace, engine="sglang", capacity="10%")
    report.findings

`__all__` names what is stable; docs/python.md explains it. Importing this imports nothing heavy: each name is imported
on first use.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cachelens.errors import CachelensError, InputError, UsageError

if TYPE_CHECKING:
    from cachelens.api import (
        CheckReport,
        ComparisonReport,
        CurveReport,
        GridReport,
        Plot,
        Report,
        RequestReport,
        Trace,
        analyze,
        check,
        compare,
        curve,
        inspect,
        load,
        read,
        simulate,
        write_baseline,
    )
    from cachelens.testing import (
        assert_append_only,
        assert_hit_rate,
        assert_no_findings,
        assert_prefix_stable,
    )

__version__ = "0.1.0"

__all__ = [
    "CachelensError",
    "CheckReport",
    "ComparisonReport",
    "CurveReport",
    "GridReport",
    "InputError",
    "Plot",
    "Report",
    "RequestReport",
    "Trace",
    "UsageError",
    "__version__",
    "analyze",
    "assert_append_only",
    "assert_hit_rate",
    "assert_no_findings",
    "assert_prefix_stable",
    "check",
    "compare",
    "curve",
    "inspect",
    "load",
    "read",
    "simulate",
    "write_baseline",
]

_HERE = frozenset(("CachelensError", "InputError", "UsageError", "__version__"))


class _Simulate(ModuleType):
    """The package `cachelens.simulate`, which can be called as the function of that name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """`cachelens.api.simulate`."""
        return _api("simulate")(*arguments, **options)


class _Package(ModuleType):
    """This package. A package below it has the name of a function: whoever imports it makes it an attribute here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "simulate" and isinstance(value, ModuleType):
            value.__class__ = _Simulate
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "simulate":
            return importlib.import_module("cachelens.simulate")
        if name in __all__ and name not in _HERE:
            return _asserted(name) if name.startswith("assert_") else _api(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


def _api(name: str) -> Any:
    return getattr(importlib.import_module("cachelens.api"), name)


def _asserted(name: str) -> Any:
    return getattr(importlib.import_module("cachelens.testing"), name)


sys.modules[__name__].__class__ = _Package
