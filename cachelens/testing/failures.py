"""What a failed assertion says. In: a trace, the request that is wrong. Out: text as `cachelens inspect` shows it.

Texts of both sides are shown: they are the test author's own. Everything is bounded, however long the prompts are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cachelens.advise.docs import rule_page
from cachelens.model.findings import Finding
from cachelens.model.inspection import Inspection
from cachelens.model.options import AnalyzeOptions
from cachelens.model.trace import Trace
from cachelens.pipeline.analysis import analyze
from cachelens.pipeline.inspection import inspect
from cachelens.report.terminal.heading import wrap
from cachelens.report.terminal.inspection import inspection_screen
from cachelens.report.terminal.screen import Line, Page, paint
from cachelens.report.units import plural
from cachelens.report.untrusted import clean

#: The paper of all messages.
PAGE = Page(width=100)
#: Requests named in one sentence, and findings told.
_NAMED = 8
_TOLD = 10
#: Characters of a remedy.
_FIX_CHARS = 1200
#: Parts of the screen of a request that say what is wrong with it.
_PARTS = ("REQUEST", "BREAK", "ECHO", "EDITS")


def named(ids: Sequence[str]) -> str:
    """Ids in a sentence: the first ones, and how many more."""
    some = ", ".join(clean(name, 40) for name in ids[:_NAMED])
    return some if len(ids) <= _NAMED else f"{some} and {len(ids) - _NAMED:,} more"


def shown(sentences: Iterable[str]) -> list[str]:
    """Sentences, wrapped to the page."""
    return [line for sentence in sentences for line in wrap(clean(sentence, 2000), PAGE.width, PAGE)]


def broken(trace: Trace, request: int, options: AnalyzeOptions) -> list[str]:
    """What broke the prefix of one request: the rule whose edit it is, its fix, and both sides."""
    name = trace.requests["request_id"][request]
    found = inspect(trace, options, request=name)
    departure = found.break_ or found.echo
    lines: list[str] = []
    if departure is not None and departure.code is not None:
        lines = [*rule_lines(departure.code, name, analyze(trace, options).findings), ""]
    return [*lines, *screen(found)]


def screen(found: Inspection) -> list[str]:
    """The parts of the screen of a request that say what is wrong with it."""
    kept: list[Line] = []
    keep = False
    for line in inspection_screen(found, PAGE):
        if line and line[0].style == "bold" and line[0].text.strip():
            keep = line[0].text.split()[0] in _PARTS
        if keep:
            kept.append(line)
    return paint(kept, PAGE).decode().rstrip().split("\n")


def rule_lines(code: str, request: str, findings: Sequence[Finding]) -> list[str]:
    """A rule and its remedy: the one found for this request, or what the rule's own page says."""
    own = [finding for finding in findings if finding.code == code]
    finding = next((finding for finding in own if request in finding.request_ids), next(iter(own), None))
    page = rule_page(code)
    if finding is None:
        blocks = dict(page.sections)["How to fix"]
        title, fix = page.summary, " ".join(block.text for block in blocks)
    else:
        title, fix = finding.title, finding.fix
    return _advice(code, page.name, title, fix)


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Findings with what they cost, where they are and what mends them."""
    lines: list[str] = []
    for finding in findings[:_TOLD]:
        at = finding.location
        place = f", worst at {at.request_id}" if at is not None else ""
        path = f", {at.path}" if at is not None and at.path else ""
        tokens = f"{plural(finding.tokens, 'token')} {finding.measure}".strip()
        title = f"{finding.title} ({tokens}, {plural(finding.requests, 'request')}{place}{path})"
        lines += _advice(finding.code, finding.name, title, finding.fix)
    if len(findings) > _TOLD:
        lines.append(f"{len(findings) - _TOLD:,} more")
    return lines


def _advice(code: str, name: str, title: str, fix: str) -> list[str]:
    inner = [*wrap(clean(f"fix: {fix}", _FIX_CHARS), PAGE.width - 2, PAGE), f"more: cachelens explain {code}"]
    return [*shown([f"{code} {name}: {title}"]), *(f"  {line}" for line in inner)]
