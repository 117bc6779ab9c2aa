"""Published numbers of provider APIs by model. In: `rules.tsv`. Out: `Rules` of one engine.

Every row says where it was read, on which day, and on what evidence. A value that rests on an assumption or
on sources that contradict each other never goes unsaid: `Lookup` collects a sentence for each that was used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

#: How a row is known, best first. See the head of rules.tsv.
EVIDENCE: Final = ("official", "quoted", "third-party", "conflict", "assumed")

_DIGITS_APART = re.compile(r"(?<=\d)\.(?=\d)")
_RELEASE = re.compile(r"([-@]20\d{6}.*|-20\d\d-\d\d-\d\d|-v\d+(:\d+)?|-latest|:[\w.-]+)$")

_SPEAKABLE = re.compile(r"[\w-]{1,60}", re.ASCII)


class Rule(NamedTuple):
    """One row: `value` of `key` for the models that `model` matches."""

    engine: str
    model: str
    key: str
    value: str
    evidence: str
    date: str
    source: str
    remark: str


@cache
def table() -> tuple[Rule, ...]:
    """All rows of rules.tsv, in order."""
    text = files("cachelens.simulate.api").joinpath("rules.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(Rule(*line.split("\t")) for line in lines[1:])


def plain(model: str | None) -> str:
    """A model's name without vendor, region, release date and version; dots in numbers become hyphens.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `anthropic/claude-sonnet-4.5` are both
    `claude-sonnet-4-5`.
    """
    name = _DIGITS_APART.sub("-", (model or "").lower().rpartition("/")[2]).rpartition(".")[2]
    while (short := _RELEASE.sub("", name)) != name:
        name = short
    return name


class Lookup:
    """The rules of one engine for the models of one trace; `notes` are sentences on doubtful ones used."""

    def __init__(self, engine: str, models: Sequence[str | None]) -> None:
        self._engine = engine
        self._models = models
        self._rules = [rule for rule in table() if rule.engine == engine]
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each value used that is assumed or contradicted."""
        return tuple(self._notes)

    def text(self, key: str, request: int) -> str:
        """The value for the model of `request`. Raises KeyError when the table has none."""
        return self._text(key, self._models[request])

    def numbers(self, key: str) -> list[int]:
        """The value for every request, as whole numbers."""
        known: dict[str | None, int] = {}
        for model in self._models:
            if model not in known:
                known[model] = int(self._text(key, model))
        return [known[model] for model in self._models]

    def number(self, key: str) -> int:
        """A value that does not depend on the model."""
        return int(self._text(key, ""))

    def _text(self, key: str, model: str | None) -> str:
        name = plain(model)
        for rule in self._rules:
            if rule.key == key and fnmatchcase(name, rule.model):
                if rule.evidence in ("assumed", "conflict"):
                    self._notes[self._sentence(rule, name)] = None
                return rule.value
        raise KeyError(f"{self._engine} has no rule {key}")

    @staticmethod
    def _sentence(rule: Rule, name: str) -> str:
        what = rule.key.replace("_", " ").capitalize()
        value = f"{int(rule.value):,}" if rule.value.isdigit() else rule.value
        doubt = "is assumed" if rule.evidence == "assumed" else "is contradicted"
        shown = name if _SPEAKABLE.fullmatch(name) else "of no plain name"
        return f"{what} {value} for model {shown} {doubt}: {rule.remark}."
