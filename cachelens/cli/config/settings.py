"""Settings of a file, by verb. In: a `ConfigFile` and the options there are. Out: `Settings`; what is wrong with them.

A key is the long name of an option. At the top it is for every verb whose option takes such a value, in a table named
after a verb for that verb, where it is stronger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cachelens.cli.config import file as files
from cachelens.cli.config.file import ConfigFile
from cachelens.cli.config.known import Known, kind_of
from cachelens.cli.config.values import merged, taken
from cachelens.errors import UsageError, unknown_name

#: Tables with a name of their own, and the option that each stands for.
ALIASES: Final = {"rules": "rule", "thresholds": "threshold"}
#: Definitions of tools can stand in the file itself.
TOOLS: Final = "tools"
#: A file that came with a capture or a clone may not overwrite what is there.
REFUSED: Final = {"force": "say it on the command line: a file may not overwrite what is there"}


@dataclass(frozen=True)
class Setting:
    """One value, as the option takes it, and the keys it stands at in the file, without its section."""

    value: Any
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """All settings of one file by verb and long name of the option. `error`: why the file could not be used."""

    file: ConfigFile | None = None
    values: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    error: UsageError | None = None

    def defaults(self, known: Known) -> dict[str, dict[str, Any]]:
        """By verb and by the program's own name of the option: what takes the place of defaults."""
        return {
            verb: {known[verb][name].name: one.value for name, one in found.items()}
            for verb, found in self.values.items()
        }

    def place(self, verb: str, name: str) -> str | None:
        """Where option `name` of `verb` is set, such as `cachelens.toml:12`; None where it is not."""
        one = self.values.get(verb, {}).get(name)
        return None if one is None or self.file is None else self.file.place(one.keys)


def load(chosen: str | None, known: Known, folder: Path) -> Settings:
    """The settings of the file that was `chosen` by name, else of the nearest one. What fails is kept as `error`."""
    if chosen == files.NONE:
        return Settings()
    try:
        file = files.read(chosen) if chosen else files.find(folder)
    except UsageError as error:
        return Settings(error=error)
    if file is None:
        return Settings()
    try:
        return Settings(file, read(file, known))
    except UsageError as error:
        return Settings(file, error=error)


def read(file: ConfigFile, known: Known) -> dict[str, dict[str, Setting]]:
    """Every setting of `file`. Raises UsageError, with a suggestion, for unknown keys and values that do not fit."""
    found: dict[str, dict[str, Setting]] = {verb: {} for verb in known}
    everywhere = {name for options in known.values() for name in options}
    verbs = [key for key, value in file.table.items() if key in known and isinstance(value, dict)]
    for key, value in file.table.items():
        if key not in verbs:
            _known(file, (key,), key, everywhere, [*known, TOOLS])
            _for_all(file, key, value, known, found)
    for verb in verbs:
        for key, value in file.table[verb].items():
            _known(file, (verb, key), key, known[verb], ())
            option = known[verb][ALIASES.get(key, key)]
            _put(found[verb], file, option, key, (verb, key), value)
    return found


def _for_all(
    file: ConfigFile, key: str, value: object, known: Known, found: dict[str, dict[str, Setting]]
) -> None:
    """A key at the top. Raises UsageError when no verb takes such a value."""
    name = ALIASES.get(key, key)
    wrong: list[UsageError] = []
    takers = [verb for verb, options in known.items() if name in options]
    for verb in takers:
        try:
            _put(found[verb], file, known[verb][name], key, (key,), value)
        except UsageError as error:
            wrong.append(error)
    if len(wrong) == len(takers):
        raise wrong[0]


def _put(
    found: dict[str, Setting], file: ConfigFile, option: Any, key: str, keys: tuple[str, ...], value: object
) -> None:
    name = ALIASES.get(key, key)
    if value == {}:
        return  # the heading of a table with nothing below it
    if name == TOOLS and isinstance(value, list):
        text: Any = str(file.path)  # the reader of tools finds them there
    else:
        try:
            text = taken(option, value, file.path.parent)
        except UsageError as error:
            raise UsageError(f"{file.place(keys)}: {error.message}", error.hint) from error
    before = found.get(name)
    if before is not None and kind_of(option) == "keyed":
        text = merged(before.value, text)
    found[name] = Setting(text, keys)


def _known(
    file: ConfigFile,
    keys: tuple[str, ...],
    key: str,
    names: Sequence[str] | set[str] | Any,
    more: Sequence[str],
) -> None:
    """Raise UsageError unless `key` is one of `names`, or stands for one."""
    if key in REFUSED and key in names:
        raise UsageError(f"{file.place(keys)}: {key} cannot be set in a file", REFUSED[key])
    if ALIASES.get(key, key) not in names:
        wrong = unknown_name("key", key, {*_spelled(names), *more})
        raise UsageError(f"{file.place(keys)}: {wrong.message}", wrong.hint)


def _spelled(names: Any) -> Iterator[str]:
    """Names of keys: those of options that can be set, and of tables."""
    yield from (name for name in names if name not in REFUSED)
    yield from (alias for alias, name in ALIASES.items() if name in names)
