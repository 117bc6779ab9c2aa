"""How severe findings of a rule are. In: `CL101 = "error"` and the like. Out: `Level`s, and whether one is exceeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from cachelens.advise.rules import RULES
from cachelens.errors import UsageError, unknown_name
from cachelens.gate.metrics import METRICS, parse_value
from cachelens.model.findings import Finding

#: A finding is not looked at, told, worth a warning, or fails the gate.
SEVERITIES: Final = ("off", "note", "warn", "error")
_LIMITS: Final = ("max-tokens", "max-requests", "max-saving")


@dataclass(frozen=True)
class Level:
    """`severity` of the findings of one rule, beyond `limits`: by name, of tokens, requests, and tokens to be saved."""

    severity: str
    limits: Mapping[str, int]

    def exceeded(self, finding: Finding, tokens: int) -> bool:
        """Whether a finding, which is about so many tokens, is beyond any limit; without limits every one is."""
        found = {
            "max-tokens": tokens,
            "max-requests": finding.requests,
            "max-saving": finding.saving.computed_tokens if finding.saving is not None else 0,
        }
        return not self.limits or any(found[name] > limit for name, limit in self.limits.items())

    def __str__(self) -> str:
        limits = ", ".join(f"{name} {limit:,}" for name, limit in sorted(self.limits.items()))
        return f"{self.severity}: {limits}" if limits else self.severity


def code_of(text: str) -> str:
    """The code of a rule, from its code or name in any case. Raises UsageError, with a suggestion, for neither."""
    if text.upper() in RULES:
        return text.upper()
    for code in RULES:
        if RULES.load(code).name == text.lower():
            return code
    raise unknown_name("rule", text, [*RULES, *(RULES.load(code).name for code in RULES)])


def parse_rule(text: str) -> tuple[str, Level]:
    """`CL301=warn:max-tokens=50k,max-requests=3` as a code and its level. Raises UsageError for anything else."""
    name, equals, rest = text.partition("=")
    severity, colon, limits = rest.partition(":")
    if not equals:
        raise UsageError(f"rule {text!r} has no level", "such as CL101=error or CL301=warn:max-tokens=50k")
    pairs = [pair.partition("=") for pair in limits.split(",")] if colon else []
    return level_of(name.strip(), severity.strip(), {key.strip(): value.strip() for key, _, value in pairs})


def parse_rules(table: Mapping[str, Any]) -> dict[str, Level]:
    """A table `rule = "error"` or `rule = ["warn", {max-tokens = 50_000}]`. Raises UsageError for anything else."""
    found: dict[str, Level] = {}
    for name, value in table.items():
        severity, limits = value, {}
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
            severity, limits = value[0], value[1]
        if not isinstance(severity, str):
            raise UsageError(
                f"rule {name}: {value!r} is no level",
                '"error", "warn", "note", "off", or ["warn", {max-tokens = 50_000}]',
            )
        code, level = level_of(name, severity, {key: str(limit) for key, limit in limits.items()})
        found[code] = level
    return found


def level_of(name: str, severity: str, limits: Mapping[str, str]) -> tuple[str, Level]:
    """The code of a rule and its level. Raises UsageError for what there is not."""
    code = code_of(name)
    if severity not in SEVERITIES:
        raise unknown_name("level", severity, SEVERITIES)
    known: dict[str, int] = {}
    for key, text in limits.items():
        if key not in _LIMITS:
            raise unknown_name("limit of a rule", key, _LIMITS)
        amount: Fraction = parse_value(METRICS["prompt-tokens"], text)
        known[key] = int(amount)
    return code, Level(severity, known)
