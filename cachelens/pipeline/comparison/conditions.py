"""Whether two results can be compared at all. In: two Results, and what may differ. Out: differences, or UsageError.

Tokens of two encodings are two units, and figures of two caches answer two questions: whoever wants to compare
caches says so by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from cachelens.errors import UsageError, unknown_name
from cachelens.model.comparison import Difference
from cachelens.model.result import RESULT_SCHEMA, Result

#: What may be compared across when asked for by name -> the conditions that this covers. An engine brings pages, a
#: policy and options of its own with it.
ALLOWABLE: Final[dict[str, tuple[str, ...]]] = {
    "engine": ("engine", "policy", "page size", "engine options"),
    "policy": ("policy",),
    "page-size": ("page size",),
    "capacity": ("capacity", "tiers"),
    "options": ("engine options",),
    "render": ("render order",),
}
#: What to do where a condition differs.
_REMEDIES: Final = {
    "layout of the result": "save both again with this version of cachelens",
    "encoding": "tokens of two encodings are two units: count both by one --encoding",
    "render order": "choose one --render for both, or --across render",
    "engine": "choose one --engine for both, or --across engine",
    "policy": "choose one --policy for both, or --across policy",
    "page size": "choose one --page-size for both, or --across page-size",
    "capacity": "choose one --capacity for both, in tokens (a share of the working set is another size for each "
    "trace), or --across capacity",
    "tiers": "choose the same --tier for both, in tokens, or --across capacity",
    "engine options": "choose the same --set for both, or --across options",
}


def differences(before: Result, after: Result) -> tuple[Difference, ...]:
    """All conditions under which the two were counted and replayed that are not the same."""
    first, second = _conditions(before), _conditions(after)
    return tuple(
        Difference(name=name, before=value, after=second[name])
        for name, value in first.items()
        if value != second[name]
    )


def permitted(before: Result, after: Result, allow: Collection[str] = ()) -> tuple[Difference, ...]:
    """The differences, all of which `allow` covers by names of ALLOWABLE.

    Raises UsageError for a name that is none, and, naming every reason at once, for differences that are not covered.
    """
    for name in allow:
        if name not in ALLOWABLE:
            raise unknown_name("difference to compare across", name, ALLOWABLE)
    found = differences(before, after)
    # Only another engine excuses another policy: of one engine it would be a difference that nobody named.
    engines = any(one.name == "engine" for one in found)
    covered = {condition for name in allow if name != "engine" or engines for condition in ALLOWABLE[name]}
    reasons = [one for one in found if one.name not in covered]
    if reasons:
        said = "; ".join(f"{one.name}: {one.before} before, {one.after} after" for one in reasons)
        # What another engine brings with it goes with the engine.
        along = ALLOWABLE["engine"][1:] if engines else ()
        remedies = [_REMEDIES[one.name] for one in reasons if one.name not in along]
        raise UsageError(f"these cannot be compared: {said}", "\n".join(remedies))
    return found


def _conditions(result: Result) -> dict[str, str]:
    """Conditions by name, as texts that are equal if and only if the conditions are."""
    trace, engine = result.trace, result.engine
    limit = engine.capacity_tokens
    return {
        "layout of the result": result.schema.removeprefix(RESULT_SCHEMA.partition("/")[0] + "/"),
        "encoding": trace.encoding,
        "render order": trace.render,
        "engine": engine.name,
        "policy": engine.policy or "none",
        "page size": _tokens(engine.page_size),
        "capacity": "unlimited" if limit is None else _tokens(limit),
        "tiers": _pairs({name: _tokens(tokens) for name, tokens in engine.tiers.items()}),
        "engine options": _pairs({name.replace("-", "_"): text for name, text in engine.options.items()}),
    }


def _tokens(number: int) -> str:
    return f"{number:,} token" + ("" if number == 1 else "s")


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={text}" for name, text in sorted(values.items())) or "none"
