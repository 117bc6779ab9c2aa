"""Settings from environment variables. In: the program, the environment. Out: options that look there.

`CACHELENS_PAGE_SIZE` is for `--page-size` of every verb, `CACHELENS_ANALYZE_PAGE_SIZE` for that of one, where it is
stronger. Options that can be given several times take their values with blanks between.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cachelens.cli.config.known import Known, choices_of

PREFIX: Final = "CACHELENS_"
#: Names the file with settings.
FILE: Final = PREFIX + "CONFIG"
#: Variables that set no option.
OTHERS: Final = (FILE, PREFIX + "TRACEBACK", PREFIX + "ACCEPT")


def variables(verb: str, name: str) -> tuple[str, str]:
    """The variables for option `name` of `verb`, the stronger first."""
    option = name.upper().replace("-", "_")
    return f"{PREFIX}{verb.upper().replace('-', '_')}_{option}", PREFIX + option


def attach(known: Known, environment: Mapping[str, str]) -> None:
    """Make every option look into its variables.

    One for all verbs is not for an option that is limited to other values: `CACHELENS_FORMAT=json` is not meant for a
    verb that writes no JSON.
    """
    for verb, options in known.items():
        for name, option in options.items():
            own, general = variables(verb, name)
            choices = choices_of(option)
            fits = not choices or environment.get(general, "") in choices
            option.envvar = [own, general] if fits else [own]
            option.show_envvar = False


def used(option: Any, environment: Mapping[str, str]) -> str | None:
    """The variable that sets `option`, None when none does. One that is empty sets nothing."""
    return next((name for name in option.envvar or () if environment.get(name)), None)


def unknown(known: Known, environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that look as if they were meant for cachelens and set nothing; each with the nearest that does."""
    names = {
        name for verb, options in known.items() for option in options for name in variables(verb, option)
    }
    names |= set(OTHERS)
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in names:
            endings = sorted(one.removeprefix(PREFIX) for one in names)
            near = difflib.get_close_matches(name.removeprefix(PREFIX), endings, n=1)
            yield name, PREFIX + near[0] if near else None
