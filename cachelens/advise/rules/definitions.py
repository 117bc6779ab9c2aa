"""How two versions of a tool definition differ. In: two definitions as JSON. Out: `Difference`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

import msgspec

#: Lists that say the same in any order.
_SETS = ("required", "enum", "type")
#: Fields that are read by the model alone, not by what checks its arguments.
_TEXTS = ("description", "title")


class Difference(NamedTuple):
    """`part`: `key order`, `spelling`, `list order`, `description` or `schema`.

    `paths`: fields that differ, such as `parameters.properties.path.description`, without indexes; empty where
    the two say the same.
    """

    part: str
    paths: tuple[str, ...]

    @property
    def says_nothing(self) -> bool:
        """Whether both versions mean the same."""
        return not self.paths


def difference(before: str, now: str) -> Difference:
    """How two definitions differ; a text that is no JSON differs as a whole."""
    try:
        one, other = msgspec.json.decode(before), msgspec.json.decode(now)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Difference("schema", ("",))
    if _sorted_keys(one) == _sorted_keys(other):
        in_order = msgspec.json.encode(one) == msgspec.json.encode(other)
        return Difference("spelling" if in_order else "key order", ())
    paths = tuple(dict.fromkeys(path.removeprefix("function.") for path in _paths(one, other, "")))
    if not paths:
        return Difference("list order", ())
    texts = all(path.rpartition(".")[2] in _TEXTS for path in paths)
    return Difference("description" if texts else "schema", paths)


def common_path(paths: tuple[str, ...]) -> str:
    """The path below which all paths lie; empty for the whole definition."""
    steps = zip(*(path.split(".") for path in paths), strict=False)
    return ".".join(step[0] for step in takewhile(lambda step: len(set(step)) == 1, steps))


def _paths(one: object, other: object, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            below = f"{path}.{key}" if path else str(key)
            if key not in one or key not in other:
                yield below
            else:
                yield from _paths(one[key], other[key], below)
    elif isinstance(one, list) and isinstance(other, list):
        if path.rpartition(".")[2] in _SETS and _sorted(one) == _sorted(other):
            return
        if len(one) != len(other):
            yield path
            return
        for a, b in zip(one, other, strict=True):
            yield from _paths(a, b, path)
    elif _sorted_keys(one) != _sorted_keys(other):
        yield path


def _sorted_keys(value: object) -> bytes:
    """JSON that is equal for equal values, and tells `0` from `false`."""
    return msgspec.json.encode(value, order="deterministic")


def _sorted(values: list[object]) -> list[bytes]:
    return sorted(_sorted_keys(value) for value in values)
