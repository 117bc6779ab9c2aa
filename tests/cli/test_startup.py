"""Help, version, completion and lists import nothing heavy, and complete what the registries hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("polars", "pyarrow", "numpy", "tiktoken", "matplotlib", "msgspec", "rich", "zstandard", "xxhash")
_CODE = """
import sys
from cachelens.cli import run
code = run(sys.argv[1:])
sys.stdout.flush()
print(code, *sorted(name for name in sys.modules if name.split(".")[0] in {heavy!r}), file=sys.stderr)
"""


def start(arguments: list[str], **environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(heavy=HEAVY), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-h"],
        ["--help"],
        ["--version"],
        ["analyze", "-h"],
        ["simulate", "--help"],
        ["list", "formats"],
        ["list", "outputs"],
    ],
)
def test_light(arguments: list[str]) -> None:
    out, err = start(arguments)
    assert out
    assert err == "0\n"


def complete(words: str, count: int) -> list[str]:
    out, err = start([], _CACHELENS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count))
    assert err == "0\n"
    return out.split()


def test_completion() -> None:
    from cachelens.cli.verbs import VERBS

    assert complete("cachelens ", 1) == list(VERBS)
    assert complete("cachelens an", 1) == ["analyze"]
    assert complete("cachelens analyze --input-format h", 3) == ["har"]
    assert complete("cachelens analyze --format j", 3) == ["json", "junit"]
    assert complete("cachelens list d", 2) == ["dialects"]
    assert complete("cachelens analyze --color a", 3) == ["auto", "always"]
    assert "--capacity" in complete("cachelens analyze --cap", 2)


def test_completion_script() -> None:
    out, err = start(["--show-completion", "bash"], _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_CACHELENS_COMPLETE=complete_bash" in out
    assert err == "0\n"


def test_every_verb_and_list_loads() -> None:
    from cachelens.cli.names import NAMED
    from cachelens.cli.verbs import VERBS

    folder = ROOT / "cachelens" / "cli"
    targets = {entry.target.partition(":")[0].rpartition(".")[2] for entry in VERBS.entries.values()}
    assert targets <= {path.stem for path in folder.glob("*.py")}
    assert all(callable(VERBS.load(name)) for name in VERBS)
    assert all(list(NAMED.load(name)) for name in NAMED if name != "encodings")
