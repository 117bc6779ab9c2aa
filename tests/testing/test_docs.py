"""docs/testing.md keeps its word: its examples pass, and the failure it shows is the one that comes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
_EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```python\n(.*?)```\n", re.DOTALL)
_OUTPUT = re.compile(r"(<!-- output: failure -->\n```\n)(.*?)(```\n)", re.DOTALL)
EXAMPLES = dict(_EXAMPLE.findall(PAGE.read_text(encoding="utf-8")))


def run(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    (folder / f"test_{name}.py").write_text(EXAMPLES[name], encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-W", "error", "-p", "cachelens.testing.plugin",
         "-p", "no:cacheprovider"],
        cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


def test_every_python_block_is_an_example():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```python") == len(EXAMPLES) == 3


@pytest.mark.parametrize("name", ["bodies", "fixture"])
def test_examples_pass(name: str, tmp_path: Path):
    if name == "fixture":
        pytest.importorskip("openai", reason="openai is not installed (extra `test`)")
    done = run(tmp_path, name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_failure_is_as_shown(tmp_path: Path):
    done = run(tmp_path, "failure")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout[: done.stdout.rindex("\n.")] + "\n"
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        PAGE.write_text(_OUTPUT.sub(lambda m: m[1] + printed + m[3], text), encoding="utf-8")
    (shown,) = [found[1] for found in _OUTPUT.findall(PAGE.read_text(encoding="utf-8"))]
    assert printed == shown, "CACHELENS_ACCEPT=1 writes what is printed now into docs/testing.md"
