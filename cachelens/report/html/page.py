"""The report of an analysis as one HTML page. In: a `Result`. Out: bytes, the same for the same result.

It reads the Result alone, and what the package knows about engines and rules; nothing of the machine or the hour
gets in.
"""

from __future__ import annotations

from cachelens.model.result import Result
from cachelens.report.html.closeups import closeups
from cachelens.report.html.headline import headline
from cachelens.report.html.layouts import layouts
from cachelens.report.html.method import method
from cachelens.report.html.opportunities import diagnostics, opportunities
from cachelens.report.html.pictures import pictures
from cachelens.report.html.places import Places
from cachelens.report.html.rules import documentation, verdicts
from cachelens.report.html.sessions import sessions
from cachelens.report.html.shell import assemble, embedded
from cachelens.report.palette import OUTCOME_LOOKS


def page(result: Result) -> bytes:
    """The whole page."""
    places = Places(result)
    rules = documentation({item.code for item in result.findings})
    documented = frozenset(rule.code for rule in rules)
    top = headline(result)
    found = sessions(result, places)
    passed, other = verdicts(result)
    view = {
        "heading": top.heading,
        "top": top,
        "opportunities": opportunities(result, places, documented),
        "diagnostics": diagnostics(result, places, documented),
        "passed": passed,
        "not_applicable": other,
        "pictures": pictures(result),
        "layouts": layouts(result),
        "sessions": found,
        "data": None if found.data is None else embedded(found.data),
        "closeups": closeups(result, places),
        "method": method(result),
        "rules": rules,
        "outcomes": OUTCOME_LOOKS,
    }
    return assemble("result.html", view)
