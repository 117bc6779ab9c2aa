"""What this installation is and does. In: the context of a run. Out: a `Checkup`, and what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import cachelens
from cachelens.cli.config.apply import settings_of
from cachelens.cli.config.effective import Value, effective
from cachelens.cli.config.environment import unknown
from cachelens.cli.config.known import settable
from cachelens.cli.names import NAMED
from cachelens.errors import CachelensError
from cachelens.registry import Entry, Registry

#: Packages that cachelens needs.
PACKAGES: Final = (
    "brotli",
    "jinja2",
    "markupsafe",
    "matplotlib",
    "msgspec",
    "numpy",
    "polars",
    "pyarrow",
    "pyyaml",
    "rich",
    "tiktoken",
    "typer",
    "xxhash",
    "zstandard",
)
#: Programs that are not needed, but can record what cachelens reads.
PROGRAMS: Final = ("mitmdump",)
_PLOTS: Final = Entry("cachelens.report.plots:PLOTS", "pictures")


@dataclass(frozen=True)
class Encoding:
    """A token encoding: `tokens` in its table, 0 when that is damaged, for the reason in `wrong`."""

    name: str
    tokens: int
    wrong: str | None = None


@dataclass(frozen=True)
class Names:
    """A registry: how many names it has; of those, which `added` by other packages, and from where; which of other
    packages' are left out (`refused`), since the name was taken."""

    name: str
    count: int
    added: Mapping[str, str]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Checkup:
    """All of it. `config`: the file of settings; `ignored`: one beside it that is not read. `variables`: those that set
    nothing. `problems`: sentences."""

    cachelens: str
    folder: str
    python: str
    system: str
    packages: Mapping[str, str | None]
    programs: Mapping[str, str | None]
    encodings: tuple[Encoding, ...]
    registries: tuple[Names, ...]
    config: str | None
    ignored: str | None
    variables: tuple[str, ...]
    values: tuple[Value, ...]
    problems: tuple[str, ...]


def checkup(context: Any) -> Checkup:
    """Look at everything. Nothing that is found wrong stops it."""
    problems: list[str] = []
    packages = {name: _version(name) for name in PACKAGES}
    problems += [f"package {name} is not installed" for name, found in packages.items() if found is None]
    encodings = tuple(_encodings())
    problems += [one.wrong for one in encodings if one.wrong]
    registries = []
    for name, entry in {**NAMED.entries, "plots": _PLOTS}.items():
        registries.append(_names(name, Registry("list", {name: entry}).load(name), problems))
    settings = settings_of(context)
    if settings.error is not None:
        problems.append(settings.error.message + (f" ({settings.error.hint})" if settings.error.hint else ""))
    values = tuple(effective(context))
    wrong = dict.fromkeys(f"{one.origin}: {one.wrong}" for one in values if one.wrong)
    known = settable(context.find_root().command)
    return Checkup(
        cachelens=cachelens.__version__,
        folder=str(Path(cachelens.__file__).parent),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=f"{platform.system()} {platform.machine()}",
        packages=packages,
        programs={name: shutil.which(name) for name in PROGRAMS},
        encodings=encodings,
        registries=tuple(registries),
        config=settings.file.shown if settings.file is not None else None,
        ignored=settings.file.ignored if settings.file is not None else None,
        variables=tuple(name for name, _ in unknown(known, os.environ)),
        values=values,
        problems=(*problems, *wrong),
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _encodings() -> list[Encoding]:
    from cachelens.tokens.encodings import ENCODINGS, token_ranks

    found = []
    for name in ENCODINGS:
        try:
            found.append(Encoding(name, len(token_ranks(ENCODINGS.load(name)))))
        except (RuntimeError, OSError) as error:
            found.append(Encoding(name, 0, f"token table {name} cannot be used: {error}"))
    return found


def _names(name: str, registry: Any, problems: list[str]) -> Names:
    if not isinstance(registry, Registry):  # a table, which other packages cannot add to
        return Names(name, len(registry.entries), {}, ())
    for added in registry.added:
        try:
            registry.load(added)
        except CachelensError as error:
            problems.append(error.message)
    problems += [f"{registry.kind} {one} is not used: the name is taken" for one in registry.refused]
    places = {added: entry.target for added, entry in registry.added.items()}
    return Names(name, len(registry.entries), places, registry.refused)
