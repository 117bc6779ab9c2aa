"""Fixtures of the command line: stand-in stages, and an environment of its own."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.cli import fakes

with warnings.catch_warnings():
    # typer before 0.26 imports names that click deprecated in 8.5; pytest would make errors of the warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer  # noqa: F401


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> fakes.Stages:
    return fakes.install(monkeypatch)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "CACHELENS_TRACEBACK", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
