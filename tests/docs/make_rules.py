"""Writes docs/rules and the tables of terms in docs/inspect.md. In: docstrings of rules, terms. Out: Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from cachelens.advise.docs import RulePage, rule_page
from cachelens.advise.rules import RULES
from cachelens.advise.terms import TERMS
from cachelens.report.terminal.explanation import rule_markdown, terms_markdown

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "rules"
INSPECT = DOCS / "inspect.md"
COMMAND = "python -m tests.docs.make_rules"

_FAMILIES = {
    "CL1": "Prefix stability",
    "CL2": "Tool traffic",
    "CL3": "History",
    "CL4": "Cache use",
    "CL9": "Trace quality",
}
_HEAD = f"""# Rules

Made from the docstrings of `cachelens/advise/rules` by `{COMMAND}`; do not edit. `cachelens explain CODE` prints
the same. A code is never used again for anything else.
"""


def pages() -> dict[Path, str]:
    """Every page of docs/rules by its path."""
    found = {code: rule_page(code) for code in RULES}
    made = {FOLDER / f"{code}.md": _page(page) for code, page in found.items()}
    made[FOLDER / "README.md"] = _index(found)
    return made


def _page(page: RulePage) -> str:
    return f"{rule_markdown(page)}\n[All rules](README.md)\n"


def _index(found: dict[str, RulePage]) -> str:
    parts = [_HEAD]
    for prefix, title in _FAMILIES.items():
        rows = [
            f"| [{code}]({code}.md) | {page.name} | {RULES.entries[code].summary} |"
            for code, page in found.items()
            if code.startswith(prefix)
        ]
        if rows:
            parts.append(
                "\n".join([f"## {title}\n", "| code | name | pattern |", "|---|---|---|", *rows]) + "\n"
            )
    return "\n".join(parts)


def with_tables(text: str) -> str:
    """`text` of docs/inspect.md with the tables of terms between their marks made anew."""
    for kind in ("outcome", "label", "bucket", "edit"):
        block = re.compile(rf"(<!-- {kind}s -->\n).*?(\n<!-- /{kind}s -->)", re.DOTALL)
        table = terms_markdown(TERMS, kind)
        text, count = block.subn(lambda found, table=table: found[1] + table + found[2], text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"docs/inspect.md must hold one block {kind}s")
    return text


def main() -> None:
    """Write the pages, and remove those of rules that are no more."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in set(FOLDER.glob("*.md")) - set(made):
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    INSPECT.write_text(with_tables(INSPECT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
