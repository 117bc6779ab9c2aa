"""The shape of the code: imports go down only, every module says what it does, none grows too long."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cachelens"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: A module nearing this wants to be two.
MOST_LINES = 500
#: Loading any of these runs code from the data that is read, or guesses at it.
REFUSED = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "click"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, text: str) -> Iterator[str]:
    """Modules that `text` imports, inside functions too; `from a import b` gives a.b as well."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = list(path.relative_to(ROOT).parts[:-1])
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def layers() -> dict[str, int]:
    """Package -> level, 0 at the top, as the import-linter contract in pyproject.toml has it."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return {
        part.strip(): level for level, layer in enumerate(contract["layers"]) for part in layer.split("|")
    }


def layer_of(module: str, levels: dict[str, int]) -> str | None:
    return next((layer for layer in levels if module == layer or module.startswith(f"{layer}.")), None)


def upward(module: str, imported: str, levels: dict[str, int]) -> bool:
    """Whether `module` may not import `imported`: it is above it, or beside it in another package."""
    own, other = layer_of(module, levels), layer_of(imported, levels)
    if own is None or other is None or own == other:
        return False
    return levels[other] <= levels[own]


@pytest.mark.parametrize(
    ("module", "imported", "wrong"),
    [
        ("cachelens.model.result", "cachelens.cli.app", True),
        ("cachelens.prefix.forest", "cachelens.tokens.encode", True),
        ("cachelens.cli.app", "cachelens.errors", False),
        ("cachelens.ingest.load", "cachelens.ingest.reader", False),
        ("cachelens.model.result", "cachelens.modelling", False),
    ],
)
def test_the_check_of_layers_sees_what_is_wrong(module: str, imported: str, wrong: bool):
    assert upward(module, imported, layers()) is wrong


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path: Path):
    levels = layers()
    text = path.read_text(encoding="utf-8")
    assert [i for i in imports(path, text) if upward(name_of(path), i, levels)] == []


def test_every_package_has_a_layer():
    levels = layers()
    below = {p.parent.name if p.name == "__init__.py" else p.stem for p in PACKAGE.glob("*.py")}
    below |= {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    free = {"cachelens", "__main__"}
    assert {f"cachelens.{name}" for name in below - free} - set(levels) == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_opens_with_what_it_is_for(path: Path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert "placeholder" not in docstring.lower()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_has_a_telling_name(path: Path):
    assert path.stem not in {"utils", "helpers", "common", "misc", "manager"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_unfinished_and_nothing_that_runs_data(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|NotImplementedError", text)
    assert {name.split(".")[0] for name in imports(path, text)} & REFUSED == set()
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"eval", "exec"} == set()
