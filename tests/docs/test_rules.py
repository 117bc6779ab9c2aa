"""docs/rules and the tables of terms are made from the code; the tables of the concepts page say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cachelens.advise.rules as rules
from cachelens.advise.rules import RULES
from cachelens.advise.terms import KINDS_OF_TERMS, TERMS
from cachelens.model.edits import EDIT_KINDS
from cachelens.model.kinds import BREAK_KINDS, BUCKETS, LABELS, OUTCOMES
from tests.docs.make_rules import COMMAND, FOLDER, INSPECT, pages, with_tables

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts.md"


def test_pages_of_rules_are_up_to_date() -> None:
    made = pages()
    assert set(FOLDER.glob("*.md")) == set(made), f"make them again with: {COMMAND}"
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"make it again with: {COMMAND}"


def test_tables_of_terms_are_up_to_date() -> None:
    text = INSPECT.read_text(encoding="utf-8")
    assert with_tables(text) == text, f"make it again with: {COMMAND}"


def test_registry_modules_and_pages_agree() -> None:
    modules = {path.stem for path in Path(rules.__file__).parent.glob("cl[0-9]*.py")}
    assert {entry.target.partition(":")[0].rpartition(".")[2] for entry in RULES.entries.values()} == modules
    for code, entry in RULES.entries.items():
        rule = RULES.load(code)
        module = entry.target.partition(":")[0].rpartition(".")[2]
        assert rule.code == code
        assert module == f"{code.lower()}_{rule.name.replace('-', '_')}"


def test_every_word_of_a_report_is_explained() -> None:
    for kind, names in (("outcome", OUTCOMES), ("label", LABELS), ("bucket", BUCKETS[1:])):
        assert [name for name, term in TERMS.items() if term.kind == kind] == list(names)
    assert {name for name, term in TERMS.items() if term.kind == "edit"} == {*EDIT_KINDS, *BREAK_KINDS}
    assert {term.kind for term in TERMS.values()} == set(KINDS_OF_TERMS)
    assert not set(TERMS) & {rule.name for rule in map(RULES.load, RULES)}


def test_terms_point_to_rules_that_are_there() -> None:
    assert {code for term in TERMS.values() for code in term.rules} <= set(RULES)


@pytest.mark.parametrize("name", [name for name, term in TERMS.items() if term.kind in ("outcome", "edit")])
def test_the_concepts_page_says_the_same(name: str) -> None:
    row = re.search(rf"^\| `{name}` \| (.*) \|$", CONCEPTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None or TERMS[name].kind == "edit"
    assert row is None or row[1] == TERMS[name].meaning
