"""Settings at work. In: the program as it was built. Out: the same program, whose options also look elsewhere.

The library of the command line has a place for each source: variables of an option, and a map of defaults; it also
says which of them a value came from. What is added here: options of NAME=VALUE are joined name by name, complaints
say where a wrong value stands, and a file that cannot be used stops every verb that would use it, but not `--help`.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any, Final

from typer.core import TyperCommand

from cachelens.cli.config.environment import FILE, attach, unknown, used
from cachelens.cli.config.known import CONFIG, kind_of, long_name, settable
from cachelens.cli.config.settings import Settings, load
from cachelens.cli.config.values import merged
from cachelens.cli.console import Console
from cachelens.errors import UsageError

#: Where a run keeps its settings.
_KEY: Final = "cachelens.settings"
#: These help to mend a file that cannot be used.
FORGIVING: Final = ("doctor", "init")


class Verb(TyperCommand):
    """A command that minds settings."""

    def invoke(self, ctx: Any) -> Any:
        """Run it. Raises the error of a configuration file that cannot be used."""
        settings = settings_of(ctx)
        known = settable(ctx.find_root().command)
        if settings.error is not None and self.name not in FORGIVING:
            raise settings.error
        console = Console(quiet=bool(ctx.params.get("quiet")))
        for name, near in unknown(known, os.environ):
            console.warn(f"{name} sets nothing" + (f": did you mean {near}?" if near else ""))
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _with_origins(error, ctx, settings) from error


def equip(program: Any) -> Any:
    """Let every option of `program` look into its variables and the file, and every verb have `--config`."""
    known = settable(program)
    attach(known, os.environ)
    for options in known.values():
        for option in options.values():
            if kind_of(option) == "keyed" and option.callback is None:
                option.callback = _join
    (chooser,) = [option for option in program.params if long_name(option) == CONFIG]
    for command in program.commands.values():
        own = copy.copy(chooser)
        own.envvar, own.expose_value, own.callback = None, False, _choose
        command.params = [*command.params, own]
    return program


def install(context: Any, chosen: str | None) -> None:
    """Read the settings for this run: those of the file `chosen`, else of the nearest."""
    known = settable(context.command)
    settings = load(chosen, known, Path.cwd())
    context.meta[_KEY] = settings
    context.default_map = settings.defaults(known)


def settings_of(context: Any) -> Settings:
    """The settings of this run."""
    found: Settings = context.meta.get(_KEY) or Settings()
    return found


def origin(context: Any, option: Any) -> str | None:
    """Where the value of an option of this run came from, if not from the command line and not its default."""
    source = context.get_parameter_source(option.name)
    if source is None:
        return None
    if source.name == "ENVIRONMENT":
        return used(option, os.environ)
    return (
        settings_of(context).place(context.info_name, long_name(option))
        if source.name == "DEFAULT_MAP"
        else None
    )


def _choose(context: Any, option: Any, value: str | None) -> str | None:
    """`--config` behind the verb: settings of another file after all."""
    if context.get_parameter_source(option.name).name == "COMMANDLINE":
        root = context.find_root()
        install(root, value)
        context.default_map = root.default_map.get(context.info_name)
    return value


def _join(context: Any, option: Any, value: Any) -> Any:
    """NAME=VALUE of weaker sources, as far as stronger ones do not say otherwise."""
    sources = []
    source = context.get_parameter_source(option.name).name
    if source in ("COMMANDLINE", "ENVIRONMENT"):
        sources.append(context.lookup_default(option.name))
        if source == "COMMANDLINE":
            sources.append(option.value_from_envvar(context))
    found = list(value or ())
    for weaker in reversed(sources):
        found = merged(weaker or (), found)
    return found or value


def _with_origins(error: UsageError, context: Any, settings: Settings) -> UsageError:
    """The error of a verb, with what did not come from the command line: it may be to blame."""
    known = settable(context.find_root().command).get(context.info_name, {})
    places = {name: origin(context, option) for name, option in known.items()}
    said = [f"{name} ({place})" for name, place in places.items() if place is not None]
    if not said:
        return error
    note = f"set elsewhere: {', '.join(said)}; `cachelens doctor` shows all of it"
    return type(error)(error.message, f"{error.hint}\n{note}" if error.hint else note)


__all__ = ["FILE", "FORGIVING", "Verb", "equip", "install", "origin", "settings_of"]
