"""Explanations for people. In: the documentation of a rule, a term, or all of them. Out: lines, or Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cachelens.advise.docs import Block, RulePage
from cachelens.advise.terms import KINDS_OF_TERMS, Term
from cachelens.report.terminal.heading import wrap
from cachelens.report.terminal.screen import Line, Page, Span
from cachelens.report.untrusted import width

#: Text is wrapped to this width on wide pages too.
_WIDEST = 100
_CODE = re.compile(r"(`[^`]+`)")


def rule_screen(page_of: RulePage, page: Page) -> list[Line]:
    """All sections of a rule, wrapped to the page."""
    lines: list[Line] = [
        [Span(f"{page_of.code} {page_of.name}", "bold")],
        *_paragraph(page_of.summary, page, 0),
    ]
    for title, blocks in page_of.sections:
        lines += [[], [Span(title, "bold")]]
        for at, block in enumerate(blocks):
            if at and not (block.kind == "item" and blocks[at - 1].kind == "item"):
                lines.append([])
            lines += _block(block, page)
    return lines


def term_screen(name: str, term: Term, rules: Mapping[str, str], page: Page) -> list[Line]:
    """A term; `rules`: names of rules by code, to point to."""
    head: Line = [Span(name, "bold"), Span(f"   {_article(term.kind)}")]
    lines = [head, *_paragraph(_sentence(term), page, 2)]
    if term.more:
        lines += [[], *_paragraph(term.more, page, 2)]
    known = [code for code in term.rules if code in rules]
    if known:
        lines += [[], [Span("  rules about it", "dim")]]
        lines += [[Span(f"  {code} {rules[code]}")] for code in known]
    return [
        *lines,
        [],
        *_paragraph(f"{_article(term.kind).capitalize()}: {KINDS_OF_TERMS[term.kind]}.", page, 2),
    ]


def overview(rules: Sequence[tuple[str, str, str]], terms: Mapping[str, Term], page: Page) -> list[Line]:
    """Everything that can be explained: rules as (code, name, summary), and terms."""
    widest = max((width(name) for _, name, _ in rules), default=0)
    lines: list[Line] = [[Span("RULES", "bold")]]
    for code, name, summary in rules:
        lines += _entry(f"{code}  {name:<{widest}}  ", summary, page)
    for kind, what in KINDS_OF_TERMS.items():
        own = {name: term for name, term in terms.items() if term.kind == kind}
        widest = max(map(width, own))
        lines += [[], [Span(f"{kind.upper()}S", "bold")], *_paragraph(what, page, 0)]
        for name, term in own.items():
            lines += _entry(f"{name:<{widest}}  ", term.meaning, page)
    return lines


def rule_markdown(page_of: RulePage) -> str:
    """The page of a rule in docs/rules."""
    parts = [f"# {page_of.code} {page_of.name}", page_of.summary]
    for title, blocks in page_of.sections:
        parts.append(f"## {title}")
        for at, block in enumerate(blocks):
            text = {"paragraph": block.text, "item": f"* {block.text}", "code": f"```\n{block.text}\n```"}[
                block.kind
            ]
            if at and block.kind == "item" and blocks[at - 1].kind == "item":
                parts[-1] += f"\n{text}"
            else:
                parts.append(text)
    return "\n\n".join(parts) + "\n"


def terms_markdown(terms: Mapping[str, Term], kind: str) -> str:
    """A table of the terms of one kind, as it stands in the docs."""
    rows = [f"| `{name}` | {term.meaning} |" for name, term in terms.items() if term.kind == kind]
    return "\n".join([f"| {kind} | meaning |", "|---|---|", *rows])


def term_markdown(name: str, term: Term, rules: Mapping[str, str]) -> str:
    """One term."""
    parts = [f"# {name}", f"{_article(term.kind).capitalize()}: {_sentence(term)}"]
    parts += [term.more] if term.more else []
    known = [code for code in term.rules if code in rules]
    parts += ["\n".join(f"* {code} {rules[code]}" for code in known)] if known else []
    return "\n\n".join(parts) + "\n"


def overview_markdown(rules: Iterable[tuple[str, str, str]], terms: Mapping[str, Term]) -> str:
    """Everything that can be explained, as tables."""
    rows = [f"| {code} | {name} | {summary} |" for code, name, summary in rules]
    parts = ["\n".join(["| code | name | pattern |", "|---|---|---|", *rows])]
    parts += [terms_markdown(terms, kind) for kind in KINDS_OF_TERMS]
    return "\n\n".join(parts) + "\n"


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _sentence(term: Term) -> str:
    if term.kind == "edit":
        return f"The segment: {term.meaning}."
    return f"{term.meaning[0].upper()}{term.meaning[1:]}."


def _entry(head: str, text: str, page: Page) -> list[Line]:
    """A name, and beside it what it is."""
    indent = width(head) + 2
    wrapped = wrap(_plain(text, page), min(page.width, _WIDEST + 20) - indent, page)
    return [[Span(" " * indent if at else f"  {head}"), *_styled(line)] for at, line in enumerate(wrapped)]


def _block(block: Block, page: Page) -> list[Line]:
    if block.kind == "code":
        return [[Span("      " + _plain(line, page))] for line in block.text.splitlines()]
    if block.kind == "paragraph":
        return _paragraph(block.text, page, 2)
    mark = "* " if page.ascii_only else "• "
    wrapped = wrap(_plain(block.text, page), min(page.width, _WIDEST) - 4, page)
    return [[Span("    " if at else f"  {mark}"), *_styled(line)] for at, line in enumerate(wrapped)]


def _paragraph(text: str, page: Page, indent: int) -> list[Line]:
    wrapped = wrap(_plain(text, page), min(page.width, _WIDEST) - indent, page)
    return [[Span(" " * indent), *_styled(line)] for line in wrapped]


def _styled(line: str) -> list[Span]:
    """What stands between backticks in bold, the backticks kept: they are part of what is meant."""
    return [Span(part, "bold" if part[:1] == "`" else "") for part in _CODE.split(line) if part]


def _plain(text: str, page: Page) -> str:
    """Text of the documentation in the characters that the page knows."""
    if not page.ascii_only:
        return text
    return text.replace("…", "...").encode("ascii", "replace").decode()
