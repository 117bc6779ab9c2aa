"""What is shipped: the wheel holds the package with its data and nothing else, the sdist all it takes to test."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("hatchling", reason="building needs hatchling (extra `test`)")


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (made,) = folder.iterdir()
    return made


def shipped() -> set[str]:
    """Files of the package, as paths from the root."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "cachelens").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path):
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
        (entry_points,) = [wheel.read(n).decode() for n in names if n.endswith("entry_points.txt")]
    package = {name for name in names if ".dist-info/" not in name}
    assert package == shipped()
    assert "cachelens/py.typed" in package
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names - package}
    assert "cachelens = cachelens.cli:main" in entry_points


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_wheel_holds_the_encodings(tmp_path: Path, encoding: str):
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        sizes = [i.file_size for i in wheel.infolist() if encoding in Path(i.filename).name]
    assert sizes
    assert max(sizes) > 100_000


def test_sdist_holds_what_it_takes_to_test(tmp_path: Path):
    with tarfile.open(build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert shipped() <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "constraints.txt"} <= names
    assert {"sample_traces/README.md", "tests/samples/make.py", "docs/README.md"} <= names
