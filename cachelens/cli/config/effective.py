"""Every effective value and where it came from. In: the context of a run. Out: `Value`s, as verbs would get them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import typer

from cachelens.cli.config.apply import settings_of
from cachelens.cli.config.environment import used
from cachelens.cli.config.known import settable


@dataclass(frozen=True)
class Value:
    """What option `name` of `verb` is without a flag. `origin`: a variable, a place in a file, or `default`.

    `text`: the value for people. `wrong`: why the verb would refuse it.
    """

    verb: str
    name: str
    value: Any
    text: str
    origin: str
    wrong: str | None = None


def effective(context: Any) -> Iterator[Value]:
    """The values of all options of all verbs."""
    root = context.find_root()
    for verb, options in settable(root.command).items():
        command = root.command.commands[verb]
        own = typer.Context(command, info_name=verb, parent=root)
        for name, option in options.items():
            yield _value(own, verb, name, option)


def _value(context: Any, verb: str, name: str, option: Any) -> Value:
    value, source = option.consume_value(context, {})
    context.set_parameter_source(option.name, source)
    if source.name == "DEFAULT":
        plain = _plain(option.default) if isinstance(option.default, _SHOWN) else None
        told = option.show_default if isinstance(option.show_default, str) else None
        missing = "must be given" if option.required else told or "none"
        return Value(verb, name, plain, missing if plain is None else _text(plain), "default")
    place = (
        used(option, os.environ) if source.name == "ENVIRONMENT" else settings_of(context).place(verb, name)
    )
    try:
        plain = _plain(option.process_value(context, value))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return Value(verb, name, _plain(value), _text(_plain(value)), place or "", error.format_message())
    return Value(verb, name, plain, _text(plain), place or "")


_SHOWN = (str, int, float, list, tuple)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
