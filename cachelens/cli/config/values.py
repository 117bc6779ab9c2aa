"""Values of a file as options take them. In: what TOML has. Out: texts, numbers and lists, or what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cachelens.cli.config.known import choices_of, is_place, kind_of, long_name
from cachelens.errors import UsageError, unknown_name

_TAKES: Final = {
    "flag": "true or false",
    "choice": "one of its names",
    "integer": "a whole number",
    "number": "a number",
    "keyed": "a table of names and values, or a list of texts such as {metavar}",
    "list": "a text, or a list of texts",
    "text": "a text",
}


def taken(option: Any, value: object, folder: Path) -> Any:
    """`value` as `option` takes it; names of files are relative to `folder`. Raises UsageError for anything else."""
    kind = kind_of(option)
    found: Any = None
    if kind == "flag":
        found = value if isinstance(value, bool) else None
    elif kind == "integer":
        found = value if isinstance(value, int) and not isinstance(value, bool) else None
    elif kind == "number":
        found = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    elif kind == "choice":
        found = _choice(option, value)
    elif kind == "keyed" and isinstance(value, dict):
        found = [f"{name}={_level(name, one)}" for name, one in value.items()]
    elif kind in ("keyed", "list"):
        texts = [_text(one) for one in (value if isinstance(value, list) else [value])]
        found = None if None in texts else texts
    else:
        found = _text(value)
    if found is None:
        wanted = _TAKES[kind].format(metavar=option.metavar)
        raise UsageError(f"{long_name(option)} takes {wanted}, not {_said(value)}")
    return _placed(found, folder) if is_place(option) else found


def merged(weaker: Sequence[str], stronger: Sequence[str]) -> list[str]:
    """NAME=VALUE texts of both; of one name those of `stronger`, which come last."""
    names = {name_of(text) for text in stronger}
    return [*(text for text in weaker if name_of(text) not in names), *stronger]


def name_of(text: str) -> str:
    """The name in NAME=VALUE; hyphens and underscores are the same."""
    return text.partition("=")[0].strip().replace("-", "_").casefold()


def _choice(option: Any, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if value not in choices_of(option):
        raise unknown_name(f"value of {long_name(option)}", value, choices_of(option))
    return value


def _text(value: object) -> str | None:
    """Texts and numbers as text; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _level(name: str, value: object) -> str:
    """A value of a table: a text or number, or a level and its limits, such as `["warn", {max-tokens = 9}]`."""
    limits: Mapping[str, object] = {}
    level = value
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        level, limits = value
    texts = {name: _text(limit) for name, limit in limits.items()}
    plain = str(level).lower() if isinstance(level, bool) else _text(level)
    if plain is None or None in texts.values():
        raise UsageError(
            f"{name} cannot be {_said(value)}",
            'a text, a number, or a level such as ["warn", {max-tokens = 50_000}]',
        )
    if not texts:
        return plain
    return f"{plain}:{','.join(f'{name}={text}' for name, text in texts.items())}"


def _placed(found: Any, folder: Path) -> Any:
    if isinstance(found, list):
        return [_placed(one, folder) for one in found]
    near = os.path.relpath(folder)
    return found if found in ("", "-") or near == "." else os.path.join(near, found)


def _said(value: object) -> str:
    """What kind of thing a value is, in the words of TOML; never the value itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a time")
