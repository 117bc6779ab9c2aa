"""Options of engines. In: a `Setup` and an engine's facts. Out: checked values, or UsageError with a way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

import msgspec

from cachelens.errors import UsageError, unknown_name
from cachelens.simulate.engine import Facts, Setup

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
    if setup.policy is None or setup.policy in facts.policies:
        default = facts.policies[0] if facts.policies else ""
        return Chosen(page, default if setup.policy is None else setup.policy)
    if not facts.policies:
        raise UsageError(f"{facts.name} has no eviction policy to choose", "leave --policy out")
    raise UsageError(
        f"{facts.name} does not evict by {setup.policy!r}", f"its policies: {', '.join(facts.policies)}"
    )


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


def convert(kind: type[T], options: Mapping[str, str], owner: str) -> T:
    """`options` as an instance of the frozen dataclass `kind`; names may be written with hyphens."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
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
