"""A file of settings to begin with. In: the options there are, what is set already. Out: TOML, all of it explained.

Lines that begin with `#` and no blank are settings that are left out; they hold the default, or what kind of value
there can be.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from cachelens.cli.config.known import Known, choices_of, kind_of
from cachelens.cli.config.settings import ALIASES, REFUSED, TOOLS

_WIDTH: Final = 100
_HEAD: Final = """\
Settings of cachelens, written by `cachelens init`. A flag of the command line is stronger than an environment variable
(CACHELENS_PAGE_SIZE, or CACHELENS_ANALYZE_PAGE_SIZE for one command), that than this file, that than the default.
`cachelens doctor` shows every effective value and where it came from; docs/configuration.md says more. The same can
stand in pyproject.toml below [tool.cachelens]."""
_RULES: Final = """\
Levels of rules, for `cachelens check`: "off", "note", "warn" or "error", with limits if need be:
["warn", {max-tokens = 50_000, max-requests = 3}]. Rules without one are judged by the baseline."""
_THRESHOLDS: Final = (
    "Where rules and labels begin to speak, as --threshold NAME=VALUE (docs/rules, docs/labels.md)."
)
_TOOLS: Final = """\
Tools of your own: which of them read, write or run what (docs/labels.md). One [[tools]] for each; or, above all tables,
tools = "FILE" with one [[tool]] for each."""
_TOOL: Final = ("[[tools]]", 'name = ["peek", "look_at"]', 'action = "read"', 'path = "file"')


def template(known: Known, given: Mapping[str, Any], baseline: str | None) -> str:
    """The whole file. `given`: values to be set for all verbs, by long name; `baseline`: that of `check`, if any."""
    lines = [*_comment(_HEAD), ""]
    shared = _shared(known)
    lines += ["# " + "-" * 20 + " for every command that has the option", ""]
    for name, option in shared.items():
        lines += _setting(name, option, given.get(name))
    for verb, options in known.items():
        own = {
            name: option
            for name, option in options.items()
            if _shown(name) and (name not in shared or kind_of(option) != kind_of(shared[name]))
        }
        if own:
            lines += [f"[{verb}]", ""]
            for name, option in own.items():
                lines += _setting(name, option, baseline if (verb, name) == ("check", "baseline") else None)
    lines += [*_comment(_RULES), "[rules]", *_rules(), ""]
    lines += [*_comment(_THRESHOLDS), "[thresholds]", *_thresholds(), ""]
    lines += [*_comment(_TOOLS), *(f"#{line}" for line in _TOOL)]
    return "\n".join(lines) + "\n"


def _shared(known: Known) -> dict[str, Any]:
    """Options that several verbs have, by name."""
    verbs: dict[str, list[Any]] = {}
    for options in known.values():
        for name, option in options.items():
            verbs.setdefault(name, []).append(option)
    return {name: found[0] for name, found in verbs.items() if len(found) > 1 and _shown(name)}


def _shown(name: str) -> bool:
    """Whether an option has a line: not those that cannot be set in a file, nor those that have a table below."""
    return name not in REFUSED and name not in (*ALIASES.values(), TOOLS)


def _setting(name: str, option: Any, given: Any) -> Iterator[str]:
    told = option.show_default if isinstance(option.show_default, str) else None
    choices = choices_of(option)
    more = f" One of {', '.join(choices)}." if choices else ""
    yield from _comment(f"{option.help}{more}" + (f" Default: {told}." if told else ""))
    if given is None:
        yield f"#{name} = {_toml(_example(option))}"
    else:
        yield f"{name} = {_toml(given)}"
    yield ""


def _example(option: Any) -> Any:
    """The default; where there is none, something of the right kind."""
    default = getattr(option.default, "value", option.default)
    kind = kind_of(option)
    if kind == "flag":
        return False
    if isinstance(default, str | int | float):
        return default
    if kind == "integer":
        return getattr(option.type, "min", None) or 1
    if kind == "number":
        return 0.5
    return option.metavar if kind == "text" else [option.metavar]


def _toml(value: Any) -> str:
    """Texts, numbers, truths and lists of texts are written as in JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(
        " ".join(text.split()), _WIDTH - 2, break_on_hyphens=False, break_long_words=False
    ):
        yield f"# {line}"


def _rules() -> Iterator[str]:
    from cachelens.advise.rules import RULES

    for code, entry in RULES.entries.items():
        yield f'#{code} = "error"  # {entry.summary}'


def _thresholds() -> Iterator[str]:
    from cachelens.advise.case import Thresholds
    from cachelens.attribute.content.options import LabelOptions

    for field in (*fields(Thresholds), *fields(LabelOptions)):
        if isinstance(field.default, int | float):
            yield f"#{field.name.replace('_', '-')} = {field.default}"
