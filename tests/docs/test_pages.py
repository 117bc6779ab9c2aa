"""Pages that tell how to use the program keep their word: commands run, outputs and pictures are those shown."""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path

import pytest

from tests.docs.test_readme import ROOT, run

DOCS = ROOT / "docs"
PICTURES = re.findall(
    r"^cachelens plot .*$", (DOCS / "pictures.md").read_text(encoding="utf-8"), re.MULTILINE
)
#: Blocks of a page and the commands that print them.
SHOWN = {
    "audit analyze": "cachelens analyze sample_traces/clock.jsonl",
    "audit inspect": "cachelens inspect sample_traces/clock.jsonl --finding CL101 --show-text",
    "audit compare": "cachelens compare sample_traces/clock.jsonl sample_traces/no-clock.jsonl",
}


def accepting() -> bool:
    return os.environ.get("CACHELENS_ACCEPT") == "1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sample_traces").symlink_to(ROOT / "sample_traces")
    return tmp_path


@pytest.mark.parametrize("page", ["audit.md", "compare.md"])
def test_commands_run(page: str, folder: Path) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert commands
    for command in commands:
        done = run(command, folder)
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.parametrize("name", SHOWN)
def test_outputs_are_those_shown(name: str, folder: Path) -> None:
    page = DOCS / "audit.md"
    text = page.read_text(encoding="utf-8")
    assert SHOWN[name] in text
    block = re.compile(rf"(<!-- {name} -->\n```text\n)(.*?)(```\n<!-- /{name} -->)", re.DOTALL)
    printed = "".join(f"{line.rstrip()}\n" for line in run(SHOWN[name], folder).stdout.splitlines())
    if accepting():
        page.write_text(block.sub(lambda found: found[1] + printed + found[3], text), encoding="utf-8")
        return
    shown = block.search(text)
    assert shown is not None
    assert shown[2] == printed, "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs"


@pytest.mark.parametrize("command", PICTURES, ids=lambda command: command.split()[2])
def test_pictures_are_those_that_the_commands_make(command: str, folder: Path) -> None:
    pinned = re.search(r"^matplotlib==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    if pinned is None or importlib.metadata.version("matplotlib") != pinned[1]:
        pytest.skip("another version of matplotlib draws other bytes")
    place = command.split()[-1]
    (folder / "docs" / "pictures").mkdir(parents=True)
    done = run(command, folder)
    assert done.returncode == 0, done.stderr
    made = (folder / place).read_bytes()
    if accepting():
        (ROOT / place).write_bytes(made)
    assert (ROOT / place).read_bytes() == made, "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs"


def test_every_picture_is_shown() -> None:
    from cachelens.report.plots import PLOTS

    assert [command.split()[2] for command in PICTURES] == list(PLOTS)
    assert {path.stem for path in (DOCS / "pictures").iterdir()} == set(PLOTS)
