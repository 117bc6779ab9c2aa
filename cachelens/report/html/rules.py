"""Rules: what found nothing, what could not apply, and the documentation of each. In: a `Result`. Out: view data.

A rule is said to be not applicable only where the Result itself tells so. The others found nothing that is worth
telling, which is less than to say that nothing is there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cachelens.advise.docs import Block, rule_page
from cachelens.advise.rules import RULES
from cachelens.errors import UsageError
from cachelens.model.result import Result
from cachelens.report.html.places import rule_anchor
from cachelens.simulate.engines import ENGINES

#: Families of rules that look into prompts.
_OF_PROMPTS = ("CL1", "CL2", "CL3")


@dataclass(frozen=True)
class Verdict:
    """A rule without findings. `why`: for what reason it does not apply; empty where it looked and found nothing."""

    code: str
    name: str
    summary: str
    anchor: str
    why: str = ""


@dataclass(frozen=True)
class Documentation:
    """What there is to read about a rule; `found`: it has findings here."""

    code: str
    name: str
    anchor: str
    summary: str
    sections: tuple[tuple[str, tuple[Block, ...]], ...]
    found: bool


def documentation(found: Collection[str]) -> tuple[Documentation, ...]:
    """The page of every rule that has one, in order of codes; `found`: codes of those that have findings."""
    pages = []
    for code in RULES:
        try:
            page = rule_page(code)
        except UsageError:  # a third party's rule, or a Python that drops docstrings
            continue
        pages.append(
            Documentation(code, page.name, rule_anchor(code), page.summary, page.sections, code in found)
        )
    return tuple(pages)


def verdicts(result: Result) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
    """Rules that looked and found nothing, and rules that do not apply to this trace or this cache."""
    found = {item.code for item in result.findings}
    passed: list[Verdict] = []
    other: list[Verdict] = []
    for code, entry in RULES.entries.items():
        if code in found:
            continue
        why = _not_applicable(code, result)
        verdict = Verdict(code, RULES.load(code).name, entry.summary, rule_anchor(code), why)
        (other if why else passed).append(verdict)
    return tuple(passed), tuple(other)


def _not_applicable(code: str, result: Result) -> str:
    """Why a rule without findings could not have had any; empty where it could."""
    encoding, engine = result.trace.encoding, result.engine
    if encoding in ("hashes", "exact") and (code.startswith(_OF_PROMPTS) or code == "CL403"):
        return "the capture holds no text and no parts of prompts"
    if code in ("CL401", "CL405") and engine.capacity_tokens is None:
        return "the replayed cache is unlimited: nothing is evicted"
    server = engine.name in ENGINES and ENGINES.load(engine.name).facts.kind != "api"
    if code in ("CL402", "CL403") and server:
        return "the replayed cache has no lifetimes and needs no breakpoints"
    if (
        code in ("CL404", "CL901")
        and result.confusion is None
        and result.totals.reported_cached_tokens is None
    ):
        return "no server reported cached tokens"
    return ""
