"""Verdicts in SARIF 2.1.0, for code scanning. In: a `Verdict`. Out: JSON after the OASIS schema.

Source: Static Analysis Results Interchange Format, OASIS standard 2.1.0.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from cachelens.report.machines.renderer import VerdictRenderer

if TYPE_CHECKING:
    from cachelens.model.verdict import Check, Verdict

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {"failed": "error", "warned": "warning", "noted": "note"}


class Sarif(VerdictRenderer):
    """One result for each check that failed or is worth a warning."""

    name = "sarif"
    suffixes = (".sarif", ".sarif.json")

    def written(self, verdict: Verdict) -> bytes:
        """Indented JSON."""
        import msgspec

        bad = [check for check in verdict.checks if check.status in _LEVELS]
        named = sorted({_id(check): check for check in bad}.items(), key=itemgetter(0))
        log = {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "cachelens",
                            "version": verdict.cachelens,
                            "rules": [_rule(name, check) for name, check in named],
                        }
                    },
                    "columnKind": "unicodeCodePoints",
                    "results": [_result(verdict, check) for check in bad],
                    "invocations": [{"executionSuccessful": True}],
                }
            ],
        }
        return msgspec.json.format(msgspec.json.encode(log), indent=1) + b"\n"


def _id(check: Check) -> str:
    return check.name if check.kind == "rule" else f"{check.kind}/{check.name}"


def _rule(name: str, check: Check) -> dict[str, Any]:
    from cachelens.advise.rules import RULES

    rule: dict[str, Any] = {"id": name}
    if name in RULES:
        found = RULES.load(name)
        summary = RULES.entries[name].summary
        rule |= {"name": found.name, "shortDescription": {"text": summary}}
        rule["help"] = {"text": f"cachelens explain {name}"}
    else:
        rule["shortDescription"] = {"text": check.title}
    return rule


def _result(verdict: Verdict, check: Check) -> dict[str, Any]:
    from urllib.parse import quote

    from cachelens.report.machines.places import culprit_of, file_of, line_of, message

    one = culprit_of(verdict, check)
    logical = []
    if one is not None and one.finding.location is not None and one.finding.location.path:
        from cachelens.report.untrusted import clean

        path = clean(one.finding.location.path, 400)
        logical = [{"fullyQualifiedName": path, "kind": "element"}]
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(file_of(verdict, check), safe="/.-_~")},
            "region": {"startLine": line_of(verdict, check)},
        }
    }
    if logical:
        location["logicalLocations"] = logical
    return {
        "ruleId": _id(check),
        "level": _LEVELS[check.status],
        "message": {"text": message(verdict, check)},
        "locations": [location],
        "partialFingerprints": {"cachelens/v1": f"{_id(check)}:{check.culprit or check.session or ''}"},
    }
