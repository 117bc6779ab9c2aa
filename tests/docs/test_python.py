"""docs/python.md keeps its word: its examples run, one after the other, and print what is shown below them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cachelens

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_MARK = "--- end of block ---"


def printed(blocks: list[str], folder: Path) -> list[str]:
    """What each block prints, all of them run by one interpreter in a folder that has the samples."""
    (folder / "sample_traces").symlink_to(ROOT / "sample_traces")
    script = folder / "examples.py"
    script.write_text("".join(f"{block}\nprint({_MARK!r})\n" for block in blocks), encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CACHELENS", "POLARS"))
    }
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{_MARK}\n")[:-1]


def test_examples_print_what_is_shown(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    assert len(found) > 5
    said = printed([block[1] for block in found], tmp_path)
    assert not any("shape: (0," in output for output in said), "an example that shows nothing"
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        for block, output in zip(reversed(found), reversed(said), strict=True):
            if block[2] is not None:
                text = text[: block.start(2)] + output + text[block.end(2) :]
        PAGE.write_text(text, encoding="utf-8")
        return
    again = "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs/test_python.py"
    assert [block[2] or "" for block in found] == said, again


def test_every_stable_name_is_explained() -> None:
    text = PAGE.read_text(encoding="utf-8")
    views = {
        "Trace",
        "__version__",
        *(name for name in cachelens.__all__ if name.endswith(("Report", "Plot"))),
    }
    for name in set(cachelens.__all__) - views:
        assert re.search(rf"\b{name}\b", text), name


def test_every_frame_of_a_report_is_explained() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, value in vars(cachelens.Report).items():
        if not name.startswith("_") and name not in ("kind", "with_pictures"):
            assert f"`report.{name}" in text, (name, value)
