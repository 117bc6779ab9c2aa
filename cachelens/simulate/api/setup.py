"""Setups of provider engines. In: a `Setup`. Out: checks that all of them share, and setups with other options."""

from __future__ import annotations

from dataclasses import replace

from cachelens.errors import UsageError
from cachelens.simulate.engine import Facts, Setup
from cachelens.simulate.options import chosen
from cachelens.simulate.workload import Workload


def require_unsized(setup: Setup, facts: Facts) -> None:
    """Raise UsageError for a capacity, page size, policy or tier: a provider's cache has none to choose."""
    if setup.capacity_tokens is not None:
        raise UsageError(f"the cache of {facts.name} has no size to choose", "leave --capacity out")
    chosen(setup, facts)


def with_options(setup: Setup, **options: str) -> Setup:
    """`setup` with these of the engine's own options in place of those given, however they were spelled."""
    kept = {name: value for name, value in setup.options.items() if name.replace("-", "_") not in options}
    return replace(setup, options={**kept, **options})


def models_of(work: Workload, model: str) -> list[str | None]:
    """The model of each request, or `model` for all unless it is empty."""
    return [model] * len(work) if model else work.trace.requests["model"].to_list()


def without(setup: Setup, name: str) -> Setup:
    """`setup` without one of the engine's own options, however it was spelled."""
    kept = {given: value for given, value in setup.options.items() if given.replace("-", "_") != name}
    return replace(setup, options=kept)
