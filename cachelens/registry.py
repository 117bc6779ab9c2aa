"""Lazy registries: a name maps to an import path and a one-line summary.

In: name -> Entry tables written as strings. Out: the loaded object, imported on first use, so that
listing names (`--help`, shell completion) imports nothing. Third parties add entries through Python
entry points in the group of the registry.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from cachelens.errors import UsageError, unknown_name


class Entry(NamedTuple):
    """One registered thing: where it lives (`package.module:Name`) and what it is, in one line."""

    target: str
    summary: str


class Registry:
    """Names of one kind of thing. `kind` is the singular used in errors, `group` the entry-point group."""

    def __init__(self, kind: str, entries: Mapping[str, Entry], group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._own = dict(entries)
        self._all: dict[str, Entry] | None = None
        self._refused: tuple[str, ...] = ()

    @property
    def entries(self) -> dict[str, Entry]:
        """All entries in registry order, third-party ones last by name; built-in names cannot be replaced."""
        if self._all is None:
            found = dict(self._own)
            refused = []
            if self.group:
                from importlib.metadata import entry_points  # 40 ms that only a registry in use should cost

                for point in sorted(entry_points(group=self.group), key=lambda p: (p.name, p.value)):
                    entry = Entry(f"{point.module}:{point.attr}", f"from {point.value}")
                    if found.setdefault(point.name, entry) != entry:
                        refused.append(f"{point.name} from {point.value}")
            self._all, self._refused = found, tuple(refused)
        return self._all

    @property
    def added(self) -> dict[str, Entry]:
        """Entries of other packages."""
        return {name: entry for name, entry in self.entries.items() if name not in self._own}

    @property
    def refused(self) -> tuple[str, ...]:
        """`NAME from TARGET` of entries of other packages whose name was taken already."""
        return self._refused if self.entries else ()

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def require(self, name: str) -> Entry:
        """The entry of `name`, nothing imported. Raises UsageError with a suggestion when it is unknown."""
        entry = self.entries.get(name)
        if entry is None:
            raise unknown_name(self.kind, name, self.entries)
        return entry

    def load(self, name: str) -> Any:
        """The object behind `name`. Raises UsageError with a suggestion when the name is unknown, and when an entry
        of another package cannot be imported."""
        module, _, attribute = self.require(name).target.partition(":")
        if name in self._own:
            return getattr(importlib.import_module(module), attribute)
        try:
            return attrgetter(attribute)(importlib.import_module(module))
        except Exception as error:
            raise UsageError(
                f"{self.kind} {name!r} of another package cannot be loaded from {module}:{attribute} "
                f"({type(error).__name__})",
                "mend or uninstall that package; `cachelens doctor` shows all of them",
            ) from error
