"""Which options can be set outside of the command line. In: the program. Out: options by verb and long name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

#: Options by verb, then by long name without its hyphens in front. An option is one of the program's own objects.
Known = Mapping[str, Mapping[str, Any]]
Kind = Literal["flag", "choice", "integer", "number", "keyed", "list", "text"]

#: What chooses the file cannot stand in it.
CONFIG: Final = "config"
_KEYED: Final = re.compile(r"[A-Z]+=[A-Z]+")
_PLACES: Final = ("FILE", "DIR", "PLACE")


def settable(program: Any) -> dict[str, dict[str, Any]]:
    """Every option of every verb of `program`, but for `--config`."""
    return {
        verb: {
            name: option
            for option in command.params
            if option.param_type_name == "option" and (name := long_name(option)) not in ("", CONFIG)
        }
        for verb, command in program.commands.items()
    }


def long_name(option: Any) -> str:
    """`page-size` for `--page-size`; empty for an option that has no long name."""
    return next((str(name)[2:] for name in option.opts if name.startswith("--")), "")


def kind_of(option: Any) -> Kind:
    """What an option takes. `keyed`: several NAME=VALUE, of which a stronger one replaces that of its name only."""
    if option.is_flag:
        return "flag"
    if option.multiple:
        return "keyed" if _KEYED.fullmatch(option.metavar or "") else "list"
    if choices_of(option):
        return "choice"
    name = str(option.type.name)
    return "integer" if name.startswith("integer") else "number" if name.startswith("float") else "text"


def choices_of(option: Any) -> tuple[str, ...]:
    """The values that an option is limited to; empty for any."""
    choices = getattr(option.type, "choices", None) or ()
    return tuple(str(getattr(choice, "value", choice)) for choice in choices)


def is_place(option: Any) -> bool:
    """Whether the value of an option names a file or a folder."""
    return option.metavar in _PLACES
