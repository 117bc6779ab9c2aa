"""docs/labels.md names every label, threshold, action and known tool."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cachelens.attribute.content import LabelOptions
from cachelens.attribute.content.tools import ACTIONS, ToolEntry, known_tools, read_tools
from cachelens.model.kinds import LABELS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "labels.md"
_COLUMNS = [field.name for field in fields(ToolEntry) if field.name not in ("tool", "when", "action")]


def table() -> str:
    """The table of known tools as the page shows it."""
    rows = ["| tool | when | action | arguments |", "|---|---|---|---|"]
    for entry in known_tools():
        given = [(name, getattr(entry, name)) for name in _COLUMNS if getattr(entry, name)]
        cells = (
            ", ".join(f"`{name}`" for name in entry.tool.split("|")),
            f"`{entry.when.replace('|', ' or ')}`" if entry.when else "",
            entry.action,
            "; ".join(
                f"{name}: " + ", ".join(f"`{one}`" for one in value.split("|")) for name, value in given
            ),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def test_the_page_shows_the_table_of_tools() -> None:
    shown = (
        PAGE.read_text(encoding="utf-8")
        .partition("<!-- tools -->\n")[2]
        .partition("<!-- end of tools -->")[0]
    )
    assert shown == table()


def test_the_page_names_labels_thresholds_and_actions() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [label for label in LABELS if f"`{label}`" not in text] == []
    assert [action for action in ACTIONS if f"`{action}`" not in text] == []
    for field in fields(LabelOptions):
        if field.name != "tools":
            assert f"| `{field.name}` | {field.default} |" in text


def test_the_example_of_a_users_file_is_one(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if example is None:
        pytest.fail("no example")
    path = tmp_path / "tools.toml"
    path.write_text(example[1])
    assert [entry.action for entry in read_tools(path)] == ["read", "poll"]
