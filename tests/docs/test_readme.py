"""README.md keeps its word: its commands run, and the first one prints what is shown below it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def marked(name: str) -> str:
    """The fenced block between `<!-- name -->` and `<!-- /name -->`, without its fence."""
    found = re.findall(rf"<!-- {name} -->\n```\w*\n(.*?)```\n<!-- /{name} -->", README, re.DOTALL)
    assert len(found) == 1, f"README.md must hold one block {name}"
    return str(found[0])


def run(command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run one `cachelens …` line with this interpreter, at a width of 100 columns and without color."""
    words = shlex.split(command)
    assert words[0].rpartition("/")[2] == "cachelens", command
    environment = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "CLICOLOR_FORCE"}}
    # The interpreter's folder is not the repository: make sure that this code runs, installed or not.
    environment |= {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "cachelens", *words[1:]],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def commands() -> list[str]:
    """Lines of fenced blocks that start with `cachelens`, on their own or as the last step of a set-up."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lasts = [line.rpartition("&&")[2].strip() for line in lines]
    return [line for line in lasts if re.match(r"(\.venv/bin/)?cachelens\b", line)]


def test_first_command_prints_what_is_shown():
    command = marked("first command").strip().rpartition("&&")[2]
    done = run(command)
    assert done.returncode == 0, done.stderr
    printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        block = re.compile(r"(<!-- first output -->\n```\w*\n).*?(```\n<!-- /first output -->)", re.DOTALL)
        text = block.sub(lambda found: found[1] + printed + found[2], README)
        (ROOT / "README.md").write_text(text, encoding="utf-8")
        return
    assert printed == marked("first output"), "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs"


def test_the_gate_fails_as_shown(tmp_path: Path):
    (tmp_path / "sample_traces").symlink_to(ROOT / "sample_traces")
    accept = next(command for command in commands() if "--update-baseline" in command)
    assert run(accept, tmp_path).returncode == 0
    done = run(marked("failing check").strip(), tmp_path)
    assert done.returncode == 1, done.stderr
    assert "CL101" in done.stdout
    printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        block = re.compile(
            r"(<!-- failing output -->\n```\w*\n).*?(```\n<!-- /failing output -->)", re.DOTALL
        )
        (ROOT / "README.md").write_text(block.sub(lambda f: f[1] + printed + f[2], text), encoding="utf-8")
        return
    assert printed == marked("failing output"), "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs"


def passing() -> list[str]:
    """Commands of the README but for the one that is to fail, and those that need what an earlier one wrote."""
    failing = marked("failing check").strip()
    return [command for command in commands() if command != failing and "--max-regression" not in command]


@pytest.mark.parametrize("command", passing())
def test_commands_run(command: str, tmp_path: Path):
    # Outputs go to the current folder: run where they do no harm, with the samples in reach.
    (tmp_path / "sample_traces").symlink_to(ROOT / "sample_traces")
    done = run(command.partition(" #")[0], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["first command", "test command"])
def test_set_up_is_one_line_that_needs_only_python(name: str):
    (line,) = marked(name).splitlines()
    steps = [step.split()[0] for step in line.split(" && ")]
    assert steps[0] == "python3"
    assert all(step.startswith(".venv/bin/") for step in steps[1:])
    assert "-c constraints.txt" in line


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    pinned = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if re.fullmatch(r"[\w.-]+==[\w.]+", line)
    }
    names = {re.sub(r"[-_.]+", "-", re.split(r"[<>=!~; \[]", d)[0]).lower() for d in wanted}
    assert names - pinned == set()
