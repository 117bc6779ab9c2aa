"""`cachelens explain`: every rule and every word of a report, on every page, and as Markdown."""

from __future__ import annotations

import re

import pytest

from cachelens.advise.docs import Block, parse, rule_page
from cachelens.advise.rule import SECTIONS
from cachelens.advise.rules import RULES
from cachelens.advise.terms import TERMS
from cachelens.cli import run
from cachelens.errors import UsageError
from cachelens.report.terminal.explanation import rule_markdown, rule_screen
from cachelens.report.terminal.screen import Page, paint
from cachelens.report.untrusted import width


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["explain", *arguments]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("asked", ["CL101", "cl101", "volatile-prefix", "Volatile-Prefix"])
def test_a_rule_by_code_or_name(asked: str, capfd: pytest.CaptureFixture[str]) -> None:
    out = said(capfd, asked)
    assert out.startswith("CL101 volatile-prefix\n")
    assert [line for line in out.splitlines() if line in SECTIONS] == list(SECTIONS)


def test_a_rule_and_a_bucket_of_nearly_the_same_name_are_told_apart(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert said(capfd, "stale-history").startswith("CL301 stale-history\n")
    assert said(capfd, "stale_history").startswith("stale_history   a bucket\n")
    assert said(capfd, "dup-exact").startswith("dup_exact   a label\n")


def test_without_a_topic_everything_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    out = said(capfd)
    for code in RULES:
        assert re.search(rf"^  {code}  {RULES.load(code).name} ", out, re.MULTILINE)
    for name, term in TERMS.items():
        assert re.search(rf"^  {name} +{re.escape(term.meaning[:30])}", out, re.MULTILINE)


@pytest.mark.parametrize("name", list(TERMS))
def test_every_term(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    flat = " ".join(said(capfd, name.upper()).split())
    assert flat.startswith(f"{name} ")
    assert TERMS[name].meaning[1:] in flat
    assert TERMS[name].more in flat
    for code in TERMS[name].rules:
        if code in RULES:
            assert f"{code} {RULES.load(code).name}" in flat
    assert said(capfd, name, "--format", "markdown").startswith(f"# {name}\n")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("CL999", "CL901' | did you mean"), ("divergance", "did you mean 'divergence'?"), ("zzzzzz", "known: ")],
)
def test_unknown_topics(asked: str, hint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", asked]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert f"unknown topic '{asked}'" in err
    assert any(part in err for part in hint.split(" | "))


@pytest.mark.parametrize("code", list(RULES))
def test_every_rule_is_documented_and_fits_every_page(code: str) -> None:
    page = rule_page(code)
    assert page.summary.endswith(".")
    assert [title for title, _ in page.sections] == list(SECTIONS)
    words = " ".join(block.text for _, blocks in page.sections for block in blocks).split()
    for columns in (80, 100, 160):
        for ascii_only in (False, True):
            sheet = Page(columns, ascii_only)
            text = paint(rule_screen(page, sheet), sheet).decode()
            assert max(map(width, text.splitlines())) <= columns
            if not ascii_only:
                assert set(words) <= set(text.split())
    assert rule_markdown(page).count("\n## ") == len(SECTIONS)


def documented(**bodies: str) -> str:
    filled = {title: bodies.get(title.replace(" ", "_"), "    text.") for title in SECTIONS}
    return "Sum.\n\n" + "\n\n".join(f"{title}\n{body}" for title, body in filled.items()) + "\n"


def test_paragraphs_items_and_code_are_told_apart() -> None:
    lines = (
        "One",
        "line.",
        "",
        "* first",
        "  goes on",
        "* second",
        "",
        "    kept  as",
        "",
        "      it is",
        "",
        "Last.",
    )
    body = "\n".join(f"    {line}" for line in lines)
    _, sections = parse(documented(How_to_fix=body))
    assert dict(sections)["How to fix"] == (
        Block("paragraph", "One line."),
        Block("item", "first goes on"),
        Block("item", "second"),
        Block("code", "kept  as\n\n  it is"),
        Block("paragraph", "Last."),
    )


def test_the_summary_may_take_two_lines() -> None:
    assert parse("One\ntwo.\n\n" + documented().partition("\n\n")[2])[0] == "One two."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sum.\n",
        documented().replace("Example\n", "Sample\n"),
        documented(Example=""),
        documented() + "\nExample\n    again.\n",
        documented().replace("Sum.", ""),
        "Sum.\n\n" + "\n\n".join(f"{title}\n    text." for title in reversed(SECTIONS)),
    ],
)
def test_a_documentation_with_other_sections_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"section|summary"):
        parse(text)


def test_a_stripped_documentation_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    module = importlib.import_module(RULES.load("CL101").__module__)
    monkeypatch.setattr(module, "__doc__", None)
    with pytest.raises(UsageError, match="documentation is missing"):
        rule_page("CL101")
    monkeypatch.setattr(module, "__doc__", "Only a summary.")
    with pytest.raises(UsageError, match="CL101: the sections"):
        rule_page("CL101")
