"""Color, width and character set follow the option, the environment and the stream, in that order."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from cachelens.cli import run
from cachelens.cli.console import Console, color_depth
from cachelens.cli.progress import DELAY_S, Bar
from tests.cli.fakes import Stages


@pytest.mark.parametrize(
    ("when", "terminal", "environment", "depth"),
    [
        ("auto", False, {}, "none"),
        ("auto", True, {}, "16"),
        ("auto", True, {"TERM": "dumb"}, "none"),
        ("auto", True, {"TERM": "xterm-256color"}, "256"),
        ("auto", True, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ("auto", True, {"NO_COLOR": "1"}, "none"),
        ("auto", True, {"NO_COLOR": ""}, "16"),
        ("auto", False, {"FORCE_COLOR": "1"}, "16"),
        ("auto", False, {"FORCE_COLOR": "0"}, "none"),
        ("auto", True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, "none"),
        ("always", False, {"NO_COLOR": "1"}, "16"),
        ("never", True, {"FORCE_COLOR": "1"}, "none"),
    ],
)
def test_color_depth(when: str, terminal: bool, environment: dict[str, str], depth: str) -> None:
    assert color_depth(when, terminal, environment) == depth


@pytest.mark.parametrize(
    ("columns", "width"), [("", 100), ("132", 132), ("20", 80), ("9999", 160), ("x", 100), ("٣", 100)]
)
def test_width_of_a_pipe(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Console().page().width == width


def test_no_color_into_a_pipe_unless_forced(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    run(["analyze", "x"])
    assert "\x1b" not in capfd.readouterr().out
    run(["analyze", "x", "--color", "always"])
    assert "\x1b[" in capfd.readouterr().out


def test_files_are_never_colored(stages: Stages) -> None:
    run(["analyze", "x", "--color", "always", "-o", "r.txt"])
    assert "\x1b" not in Path("r.txt").read_text()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_without_unicode_gets_ascii(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert run(["analyze", "x"]) == 0
    assert raw.getvalue().decode("ascii").startswith("cachelens 0.1.0")
    assert "# hit 88.0 %" in raw.getvalue().decode("ascii")


def test_warnings_survive_any_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    Console().tell("漢\x1b[2J\ud800x")
    assert raw.getvalue() == b"\\u6f22\\ufffdx\n"


def test_bar_waits_a_second_then_erases_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    stderr.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    now = [0.0]
    with Bar(visible=True, clock=lambda: now[0]) as bar:
        bar("reading", 1, 10)
        now[0] = DELAY_S - 0.01
        bar("reading", 2, 10)
        assert stderr.getvalue() == ""
        now[0] = DELAY_S
        bar("reading [bold]", 3, 10)
        assert "reading [bold]" in stderr.getvalue()
        shown = len(stderr.getvalue())
        bar("reading", 4, 10)
        assert len(stderr.getvalue()) == shown  # at most ten times a second
        now[0] += 1
        bar("replaying", 4, None)
        assert "replaying" in stderr.getvalue()
    assert stderr.getvalue().endswith("\x1b[1A\x1b[2K")


def test_bar_is_silent_when_not_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with Bar(visible=False, clock=lambda: now[0]) as bar:
        now[0] = 100.0
        bar("reading", 3, 10)
    assert capfd.readouterr() == ("", "")
