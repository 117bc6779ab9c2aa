"""`cachelens explain`. In: the code or name of a rule, an outcome, a label, a bucket. Out: what it means."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cachelens.cli import options
from cachelens.cli.console import Console, write_stdout
from cachelens.cli.names import NAMED
from cachelens.errors import unknown_name

if TYPE_CHECKING:
    from cachelens.registry import Registry
    from cachelens.report.terminal.screen import Page


class Form(StrEnum):
    """How an explanation is written."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"


def _complete(incomplete: str) -> list[str]:
    from cachelens.advise.terms import TERMS

    return [name for name in (*NAMED.load("rules"), *TERMS) if name.startswith(incomplete)]


def explain(
    topic: Annotated[
        str,
        typer.Argument(metavar="[TOPIC]", show_default=False, hidden=True, autocompletion=_complete),
    ] = "",
    output_format: Annotated[
        Form, typer.Option("--format", help="Text for a terminal, or Markdown.")
    ] = Form.TERMINAL,
    color: options.ColorWhen = options.Color.AUTO,
) -> None:
    """Explain what a report says: a rule by its code or name, an outcome, a label, a bucket, an edit.

    TOPIC is for example CL101, volatile-prefix, divergence or stale_history. Without it everything that can be
    explained is listed.
    """
    page = Console(color=color.value).page()
    markdown = output_format is Form.MARKDOWN
    write_stdout(_one(topic, page, markdown) if topic else _all(page, markdown))


def _all(page: Page, markdown: bool) -> bytes:
    from cachelens.advise.terms import TERMS
    from cachelens.report.terminal.explanation import overview, overview_markdown
    from cachelens.report.terminal.screen import paint

    registry: Registry = NAMED.load("rules")
    rules = [(code, registry.load(code).name, entry.summary) for code, entry in registry.entries.items()]
    if markdown:
        return overview_markdown(rules, TERMS).encode()
    return paint(overview(rules, TERMS, page), page)


def _one(topic: str, page: Page, markdown: bool) -> bytes:
    """One topic. Raises UsageError, with a suggestion, for what is none."""
    from cachelens.advise.docs import rule_page
    from cachelens.advise.terms import TERMS
    from cachelens.report.terminal import explanation
    from cachelens.report.terminal.screen import paint

    registry: Registry = NAMED.load("rules")
    names = {code: registry.load(code).name for code in registry}
    code = next((code for code, name in names.items() if topic.lower() in (code.lower(), name)), None)
    if code is not None and topic.lower() not in TERMS:
        found = rule_page(code)
        if markdown:
            return explanation.rule_markdown(found).encode()
        return paint(explanation.rule_screen(found, page), page)
    term = next((name for name in TERMS if topic.lower().replace("-", "_") == name.replace("-", "_")), None)
    if term is None:
        raise unknown_name("topic", topic[:80], [*names, *names.values(), *TERMS])
    if markdown:
        return explanation.term_markdown(term, TERMS[term], names).encode()
    return paint(explanation.term_screen(term, TERMS[term], names, page), page)
