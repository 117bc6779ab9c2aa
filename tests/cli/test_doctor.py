"""`cachelens doctor`: every effective value with its origin, what is intact and what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cachelens.cli import run
from cachelens.cli.app import build
from cachelens.cli.config.known import settable
from cachelens.tokens import encodings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CACHELENS_"):
            monkeypatch.delenv(name)


def examined(capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run(["doctor", "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def values(found: Any, name: str) -> dict[str, tuple[Any, str]]:
    """Value and origin of an option by verb."""
    return {one["verb"]: (one["value"], one["origin"]) for one in found["values"] if one["name"] == name}


def test_every_option_of_every_verb_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = examined(capsys)
    expected = {(verb, name) for verb, options in settable(build()).items() for name in options}
    assert {(one["verb"], one["name"]) for one in found["values"]} == expected
    assert len(found["values"]) == len(expected)
    origins = {(one["verb"], one["name"]): one["origin"] for one in found["values"]}
    assert origins.pop(("doctor", "format")) == "default"
    assert set(origins.values()) == {"default"}
    assert found["problems"] == []
    assert found["config"] is None


def test_values_and_where_they_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("cachelens.toml").write_text(
        'engine = "sglang"\n\n[analyze]\npage-size = 4\n[thresholds]\nshingle = 3\nmin-tokens = 9\n'
    )
    monkeypatch.setenv("CACHELENS_TP", "2")
    monkeypatch.setenv("CACHELENS_CHECK_TP", "4")
    monkeypatch.setenv("CACHELENS_STRICT", "1")
    monkeypatch.setenv("CACHELENS_THRESHOLD", "shingle=5")
    monkeypatch.setenv("CACHELENS_TOKEN", "hunter2")
    found = examined(capsys)
    assert found["config"] == "cachelens.toml"
    assert set(values(found, "engine").values()) == {("sglang", "cachelens.toml:1")}
    pages = values(found, "page-size")
    assert pages.pop("analyze") == (4, "cachelens.toml:4")
    assert set(pages.values()) == {(None, "default")}
    ranks = values(found, "tp")
    assert ranks.pop("check") == (4, "CACHELENS_CHECK_TP")
    assert set(ranks.values()) == {(2, "CACHELENS_TP")}
    assert values(found, "strict")["analyze"] == (True, "CACHELENS_STRICT")
    assert values(found, "threshold")["analyze"] == (["min-tokens=9", "shingle=5"], "CACHELENS_THRESHOLD")
    assert found["variables"] == ["CACHELENS_TOKEN"]
    assert "hunter2" not in json.dumps(found)


def test_the_screen_says_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("cachelens.toml").write_text('engine = "sglang"\n')
    monkeypatch.setenv("CACHELENS_TOKEN", "hunter2")
    assert run(["doctor"]) == 0
    shown, said = capsys.readouterr()
    assert "sglang <- cachelens.toml:1 (analyze, " in shown
    assert "intact, 199,998 tokens" in shown
    assert "CACHELENS_TOKEN" in shown
    assert "hunter2" not in shown + said


def test_what_a_verb_would_refuse_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHELENS_TP", "two")
    (problem,) = examined(capsys, code=2)["problems"]
    assert "CACHELENS_TP: Invalid value" in problem


def test_a_file_that_cannot_be_used_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cachelens.toml").write_text("\nengin = 1\n")
    found = examined(capsys, code=2)
    assert found["problems"] == ["cachelens.toml:2: unknown key 'engin' (did you mean 'engine'?)"]
    assert found["config"] == "cachelens.toml"
    assert {one["origin"] for one in found["values"]} == {"default"}


def test_a_damaged_encoding_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    intact = encodings.pkgutil.get_data

    def damaged(package: str, resource: str) -> bytes | None:
        data = intact(package, resource)
        assert data is not None
        return data[:-9] + b"\0" * 9 if "cl100k" in resource else data

    monkeypatch.setattr(encodings.pkgutil, "get_data", damaged)
    found = examined(capsys, code=2)
    assert [(one["name"], one["tokens"]) for one in found["encodings"]] == [
        ("o200k_base", 199_998),
        ("cl100k_base", 0),
    ]
    (problem,) = found["problems"]
    assert "token table cl100k_base" in problem


def test_files_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cachelens.toml").write_text("")
    Path("pyproject.toml").write_text("[tool.cachelens]\n")
    found = examined(capsys)
    assert (found["config"], found["ignored"]) == ("cachelens.toml", "pyproject.toml")
