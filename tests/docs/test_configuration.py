"""docs/configuration.md: its table is that of the program, its file can be read and means what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cachelens.attribute.content.tools import read_tools
from cachelens.cli.app import build
from cachelens.cli.config.environment import OTHERS
from cachelens.cli.config.file import read as read_file
from cachelens.cli.config.known import settable
from cachelens.cli.config.settings import read
from cachelens.gate.levels import parse_rule
from tests.docs.make_configuration import COMMAND, PATH, with_table


def test_the_table_is_up_to_date() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert with_table(text) == text, f"make it again with: {COMMAND}"


def test_the_example_means_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(
        r"^```toml\n(.*?)^```", PATH.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "cachelens.toml").write_text(example, encoding="utf-8")
    found = read(read_file("cachelens.toml"), settable(build()))
    values = {verb: {name: one.value for name, one in own.items()} for verb, own in found.items()}
    assert values["analyze"]["engine"] == values["simulate"]["engine"] == "sglang"
    assert (values["analyze"]["capacity"], values["simulate"]["capacity"]) == ("8m", "1m,4m,16m")
    assert values["check"]["baseline"] == "cachelens-baseline.json"
    levels = dict(map(parse_rule, values["check"]["rule"]))
    assert {code: str(level) for code, level in levels.items()} == {
        "CL101": "error",
        "CL301": "warn: max-tokens 50,000",
    }
    assert values["analyze"]["threshold"] == ["min-tokens=500"]
    assert [tool.tool for tool in read_tools(Path(values["analyze"]["tools"]))] == ["peek|look_at"]


def test_variables_that_are_no_options_are_listed() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in OTHERS)
