"""`main` owns the exit codes, and no error quotes what was captured."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cachelens.cli import main, run
from cachelens.errors import GateFailed, InputError
from tests.cli.fakes import Stages

ROOT = Path(__file__).parents[2]
SECRET = "text of a prompt"


def test_done(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["analyze", "x.jsonl"])
    assert caught.value.code == 0
    out, err = capfd.readouterr()
    assert out.startswith("cachelens 0.1.0   agent.har")
    assert err == ""


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (InputError("x.har: no such file", "look again"), 2),
        (GateFailed("over budget"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_failures(
    stages: Stages, capfd: pytest.CaptureFixture[str], failure: BaseException, code: int
) -> None:
    stages.failing = failure
    assert run(["analyze", "x.jsonl"]) == code
    out, err = capfd.readouterr()
    assert out == ""
    if isinstance(failure, InputError):
        assert err == "cachelens: x.har: no such file\n  look again\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["analyse", "x"], "No such command 'analyse'. Did you mean 'analyze'?\n  see `cachelens --help`"),
        (["analyze"], "Missing argument 'TRACE...'.\n  see `cachelens analyze --help`"),
        (["analyze", "x", "--capcity", "3"], "Did you mean '--capacity'?"),
        (["analyze", "x", "--page-size", "0"], "'--page-size'"),
        (
            ["analyze", "x", "--render", "system-last"],
            "unknown rendering 'system-last'\n  did you mean 'system-first'?",
        ),
        (
            ["ingest", "x", "-o", "y", "--render", "tools-first", "--render", "system-first"],
            "renderings 'tools-first' and 'system-first' contradict each other",
        ),
        (["analyze", "x", "--capacity", "0"], "capacity '0' holds nothing\n  accepted: tokens such as 200k"),
        (
            ["analyze", "x", "--encoding", "o200k-base"],
            "unknown encoding 'o200k-base'\n  did you mean 'o200k_base'?",
        ),
        (["analyze", "x", "--input-format", "hra"], "unknown input format 'hra'\n  did you mean 'har'?"),
        (["analyze", "x", "--format", "jsno"], "unknown output format 'jsno'\n  did you mean 'json'?"),
        (["analyze", "x", "--format", "svg"], "formats: terminal, "),
        (["list", "fromats"], "did you mean 'formats'?"),
        (["simulate", "x", "--curve", "--capacity", "1k,2k"], "--curve marks one capacity"),
        (["simulate", "x", "--capacity", "8gib"], "capacity '8gib' is memory: how many tokens it holds"),
        (["simulate", "x", "--capacity", "15", "--page-size", "16"], "less than one page of 16 tokens"),
        (["analyze", "x", "--capacity", "1k,2k"], "analyze replays one size of cache"),
        (["analyze", "x", "--tier", "host:8gib"], "capacity '8gib' is memory"),
        (["simulate", "x", "--tier", "a:1k", "--tier", "a:2k"], "--tier 'a' is given twice"),
        (["simulate", "x", "--weights-dtype", "fp8"], "--weights-dtype says what --memory leaves"),
        (
            ["simulate", "x", "--memory", "80gib", "--model", "qwen3-32b", "--capacity", "1k"],
            "--capacity and --memory both say how large the cache is",
        ),
        (["simulate", "x", "--curve", "--set", "tree=classic"], "the curve is of LRU\n  add --engine NAMES"),
        (["simulate", "x", "--curve", "--jobs", "2"], "a curve is computed by one process"),
        (["simulate", "x", "--blocks", "--model", "qwen3-32b"], "have no size in bytes"),
        (["simulate", "x", "--engine", "sglnag"], "unknown engine 'sglnag'\n  did you mean 'sglang'?"),
        (["simulate", "x", "--policy", "lur"], "unknown policy 'lur'\n  did you mean"),
        (["simulate", "x", "--engine", ","], "a list of names is empty"),
        (["analyze", "x", "--engine", "vlm"], "unknown engine 'vlm'\n  did you mean 'vllm'?"),
        (["simulate", "x", "--router", "session"], "a router needs replicas\n  add --replicas N"),
        (["simulate", "x", "--memory", "80gib"], "--memory needs a model"),
        (["simulate", "x", "--tier", "host"], "--tier 'host' is not NAME:SIZE"),
        (["simulate", "x", "--set", "slots"], "--set 'slots' is not OPTION=VALUE"),
        (["simulate", "x", "--set", "a=1", "--set", "a=2"], "--set 'a' is given twice"),
        (["simulate", "x", "--curve", "--replicas", "2"], "a curve is of one cache"),
        (["simulate", "x", "--curve", "--per-request", "-"], "--per-request needs caches"),
        (["simulate", "x", "--blocks", "--engine", "vllm"], "--blocks replays plain block LRU only"),
        (["ingest", "x"], "Missing option '-o'"),
    ],
)
def test_usage(stages: Stages, capfd: pytest.CaptureFixture[str], argv: list[str], said: str) -> None:
    assert run(argv) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("cachelens: ")
    assert said in err
    assert stages.calls == {}


@pytest.mark.parametrize("failure", [ValueError(SECRET), type("Panic", (BaseException,), {})(SECRET)])
@pytest.mark.parametrize("traceback", [False, True])
def test_bug(
    stages: Stages,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    traceback: bool,
) -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as cause:
        failure.__cause__ = cause
    if traceback:
        monkeypatch.setenv("CACHELENS_TRACEBACK", "1")
    stages.failing = failure
    assert run(["analyze", "x.jsonl"]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"bug in cachelens: {type(failure).__name__} in tests.cli.fakes.load, line ")
    assert "please report" in err.splitlines()[0]
    assert SECRET not in err
    assert ("fakes.py" in err) == traceback
    assert ("KeyError" in err) == traceback


def test_interrupted_outside_a_verb(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("cachelens.cli.app.invoke", interrupt)
    assert run(["analyze", "x"]) == 130
    assert capfd.readouterr() == ("", "")


def test_escapes_in_messages_are_made_harmless(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    stages.failing = InputError("\x1b[2Jx\u202e.har: broken")
    assert run(["analyze", "x"]) == 2
    assert capfd.readouterr().err == "cachelens: x.har: broken\n"


def test_no_arguments_show_help_with_examples(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    out, err = capfd.readouterr()
    assert "  cachelens analyze trace.jsonl\n" in out
    assert "  cachelens simulate trace.har --curve -o curve.svg\n" in out
    assert err == ""
    assert run(["--help"]) == 0
    assert capfd.readouterr().out == out


@pytest.mark.parametrize("verb", [[], ["analyze"], ["simulate"], ["ingest"], ["list"]])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(capfd: pytest.CaptureFixture[str], verb: list[str], flag: str) -> None:
    assert run([*verb, flag]) == 0
    assert capfd.readouterr().out.startswith(f"Usage: {' '.join(['cachelens', *verb])} [OPTIONS]")


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == "cachelens 0.1.0\n"


def test_closed_stdout(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run(["analyze", "x", "--format", "json"]) == 2
    assert "standard output is closed" in capfd.readouterr().err


def test_full_stdout(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    full = io.TextIOWrapper(io.FileIO("/dev/full", "w"))
    monkeypatch.setattr(sys, "stdout", full)
    assert run(["analyze", "x", "--format", "json"]) == 2
    assert "standard output: No space left on device" in capfd.readouterr().err
    with contextlib.suppress(OSError):
        full.close()


@pytest.mark.parametrize("arguments", [["list", "formats"], ["--help"], ["--version"]])
def test_broken_pipe_is_quiet(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "cachelens", *arguments],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
