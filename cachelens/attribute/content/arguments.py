"""Arguments of a tool call. In: what follows the name in the text of a call. Out: values, canonical JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

#: A call whose arguments are no JSON object keeps its whole text under this name.
FREE_TEXT: Final = "input"


def parsed(text: str) -> dict[str, Any]:
    """The arguments of a call: those of a JSON object, or the text itself under `FREE_TEXT`."""
    if text[:1] == "{":
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
    return {FREE_TEXT: text} if text.strip() else {}


def canonical(arguments: Mapping[str, Any], ignored: str) -> str:
    """The arguments as JSON with sorted keys, without those that `ignored` names."""
    left_out = set(ignored.split("|"))
    kept = {key: value for key, value in arguments.items() if key not in left_out}
    return msgspec.json.encode(kept, order="sorted").decode("utf-8")


def value(arguments: Mapping[str, Any], spec: str) -> Any:
    """The value of the first argument that `spec` names and that is given; None when none is."""
    for one in spec.split("|"):
        found = _found(arguments, one)
        if found is not None:
            return found
    return None


def values(arguments: Mapping[str, Any], spec: str, size: int) -> list[Any]:
    """`size` values of the argument that `spec` names: of each element of its list, or one for all of them."""
    for one in spec.split("|"):
        name, brackets, rest = one.partition("[].")
        if not brackets:
            found = _found(arguments, one)
            if found is not None:
                return [found] * size
            continue
        items = arguments.get(name)
        if isinstance(items, list) and len(items) == size:
            inside = [item.get(rest) if isinstance(item, dict) else None for item in items]
            if any(found is not None for found in inside):
                return inside
    return [None] * size


def length(arguments: Mapping[str, Any], spec: str) -> int:
    """How many things the call is about: the elements of the list that `spec` goes through, else one."""
    for one in spec.split("|"):
        name, brackets, _ = one.partition("[].")
        if brackets and isinstance(arguments.get(name), list):
            return len(arguments[name])
    return 1


def named(spec: str) -> set[str]:
    """The arguments that `spec` names, without what lies inside them."""
    return {one.partition("[")[0] for one in spec.split("|") if one}


def _found(arguments: Mapping[str, Any], one: str) -> Any:
    name, bracket, index = one.partition("[")
    found = arguments.get(name)
    if not bracket:
        return found
    if not isinstance(found, list):
        return None
    if index == "]":
        return found
    number = int(index.rstrip("]")) if index.rstrip("]").isdigit() else -1
    return found[number] if 0 <= number < len(found) else None


def plain(text: str) -> str:
    """The strings and numbers in a text that is JSON, or has JSON behind its first line; else the text itself."""
    first, _, rest = text.partition("\n")
    for before, written in (("", text), (first, rest)):
        if written[:1] not in ("{", "["):
            continue
        try:
            decoded = msgspec.json.decode(written)
        except (msgspec.DecodeError, RecursionError):
            continue
        return "\n".join([before, *_leaves(decoded)])
    return text


def _leaves(decoded: Any) -> list[str]:
    found: list[str] = []
    waiting = [decoded]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, str):
            found.append(one)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            found.append(str(one))
    return found
