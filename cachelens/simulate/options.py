"""Options of engines. In: a `Setup` and an engine's facts. Out: checked values, or UsageError with a way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

import msgspec

from cachelens.errors import UsageError, unknown_name
from cachelens.simulate.capacity import LARGEST
from cachelens.simulate.engine import Engine, Facts, Setup
from cachelens.simulate.policies import POLICIES

T = TypeVar("T")


class Chosen(NamedTuple):
    """What a setup comes to for one engine. `policy` is empty where the engine has none."""

    page_size: int
    policy: str


def chosen(setup: Setup, facts: Facts) -> Chosen:
    """Page size and policy of `setup`, or the engine's defaults. Raises UsageError for what it cannot have."""
    page = facts.page_size if setup.page_size is None else setup.page_size
    if page < 1:
        raise UsageError("a page holds at least 1 token", "give a larger --page-size")
    if facts.page_sizes and page not in facts.page_sizes:
        sizes = ", ".join(str(size) for size in facts.page_sizes)
        raise UsageError(f"{facts.name} has no pages of {page:,} tokens", f"possible: {sizes}")
    if setup.capacity_tokens is not None and setup.capacity_tokens < page:
        raise UsageError(
            f"a capacity of {setup.capacity_tokens:,} tokens is less than one page of {page:,}",
            "give a larger --capacity or a smaller --page-size",
        )
    if len(setup.tiers) > facts.tiers:
        allowed = f"at most {facts.tiers}" if facts.tiers else "no"
        raise UsageError(f"{facts.name} has {allowed} slower tiers", "leave --tier out, or choose hicache")
    if setup.policy is None or setup.policy in policies_of(facts):
        default = facts.policies[0] if facts.policies else ""
        return Chosen(page, default if setup.policy is None else setup.policy)
    if not facts.policies:
        raise UsageError(f"{facts.name} has no eviction policy to choose", "leave --policy out")
    raise UsageError(
        f"{facts.name} does not evict by {setup.policy!r}", f"its policies: {', '.join(policies_of(facts))}"
    )


def policies_of(facts: Facts) -> tuple[str, ...]:
    """What an engine can evict by, its default first, those of other packages last."""
    return (*facts.policies, *POLICIES.added) if facts.any_policy else facts.policies


def unbounded(setup: Setup) -> tuple[tuple[str, Setup], ...]:
    """What a server's `relaxed` answers: its cache and its tiers without bounds of capacity."""
    if setup.capacity_tokens is None:
        return ()
    tiers = tuple(replace(tier, capacity_tokens=LARGEST) for tier in setup.tiers)
    return (("capacity", replace(setup, capacity_tokens=None, tiers=tiers)),)


def engine_options(kind: type[T], setup: Setup, facts: Facts) -> T:
    """The engine's own options, those not given at their defaults. Raises UsageError for unknown or bad ones."""
    return convert(kind, setup.options, facts.name)


#: Options that mean a time.
_LIFETIMES = ("ttl", "ttl_s", "idle_s")


def require_times(setup: Setup, timed: bool) -> None:
    """Raise UsageError when a lifetime was asked for and the trace does not say when requests were sent."""
    given = [name for name in setup.options if name.replace("-", "_") in _LIFETIMES]
    if given and not timed:
        raise UsageError(
            f"option {given[0]!r} needs times, and this trace does not say when requests were sent",
            "leave it out: nothing expires then",
        )


def known_options(kind: type) -> list[str]:
    """Names of the fields of an `Options` class."""
    return [field.name for field in fields(kind)]


def own_options(
    engines: Mapping[str, type[Engine]], given_options: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The options of each engine; `name.option` is for that engine, a bare one for all that know it.

    Those of the router are left out. Raises UsageError for one that no engine knows.
    """
    own: dict[str, dict[str, str]] = {name: {} for name in engines}
    for given, value in given_options.items():
        name, dot, option = given.rpartition(".")
        if dot and name == "router":
            continue
        if dot:
            if name not in own:
                raise UsageError(f"option {given!r} is for engine {name!r}, which is not replayed")
            own[name][option] = value
            continue
        takers = [
            engine
            for engine, kind in engines.items()
            if option.replace("-", "_") in known_options(kind.Options)
        ]
        if not takers:
            raise UsageError(
                f"no engine here has an option {given!r}",
                "`cachelens list engines` and docs/engines name the options of each",
            )
        for engine in takers:
            own[engine][option] = value
    return own


def convert(kind: type[T], options: Mapping[str, str], owner: str) -> T:
    """`options` as an instance of the frozen dataclass `kind`; names may be written with hyphens."""
    known = known_options(kind)
    values: dict[str, Any] = {}
    for given, value in options.items():
        name = given.replace("-", "_")
        if name not in known:
            raise unknown_name(f"{owner} option", given, known)
        values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{owner}: {error}", f"options: {', '.join(known) or 'none'}") from None
