"""Engines, policies, rules and all else that other packages add by entry points: installed, listed, used, refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cachelens.model.options import IngestOptions
from cachelens.pipeline import load
from cachelens.prefix.queries import infinite_hits
from cachelens.registry import Entry, Registry
from cachelens.simulate.workload import workload

ROOT = Path(__file__).parents[2]
EXAMPLE = Path(__file__).parent / "example_plugin"
SAMPLES = ROOT / "sample_traces"


def run(arguments: list[str], *folders: Path, code: int = 0) -> str:
    """Standard output of the program, with packages of `folders` installed; its errors when it is to fail."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CACHELENS_")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*folders, ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "cachelens", *arguments],
        cwd=folders[0],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed as any other into a folder of its own."""
    pytest.importorskip("hatchling", reason="building needs hatchling (extra `test`)")
    pytest.importorskip("pip", reason="installing needs pip")
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run(
        [*command, "--target", str(target), str(source)], check=True, capture_output=True, timeout=300
    )
    return target


def package(folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], code: str = "") -> Path:
    """An installed package made by hand: one module and its entry points."""
    folder.mkdir(exist_ok=True)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in points.items())
        for group, points in entry_points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))
    (folder / f"{name}.py").write_text(textwrap.dedent(code))
    return folder


# -- the example


@pytest.mark.parametrize(
    ("what", "name"), [("engines", "last-prompts"), ("policies", "deepest-first"), ("rules", "EX101")]
)
def test_names_are_listed(installed: Path, what: str, name: str) -> None:
    assert f"{name} " in run(["list", what], installed)
    assert f"{name} " not in run(["list", what], ROOT)


def analyzed(folder: Path, *arguments: str) -> Any:
    return json.loads(run(["analyze", *arguments, "--format", "json"], folder))


@pytest.mark.parametrize("prompts", [0, 1, 2, 3])
def test_the_engine_is_replayed(installed: Path, prompts: int) -> None:
    trace = SAMPLES / "interleaved.jsonl"
    found = analyzed(installed, str(trace), "--engine", "last-prompts", "--set", f"prompts={prompts}")
    assert (found["engine"]["name"], found["engine"]["options"]) == (
        "last-prompts",
        {"prompts": str(prompts)},
    )
    tables = load([str(trace)], IngestOptions())
    # Token by token: the longest common beginning with any of the last prompts and what was generated after them.
    tokens = []
    for last, output, kept in zip(
        tables.last_segment, tables.last_output, workload(tables).kept_tokens.tolist(), strict=True
    ):
        texts = []
        for row in (last, output):
            path = tables.segments.path(int(row))
            texts.append(
                [int(i) for one in path for i in tables.contents.token_ids(int(tables.segments.content[one]))]
            )
        tokens.append((texts[0], texts[1][:kept]))
    namespaces = tables.requests["namespace"].to_list()
    expected = []
    for at, (prompt, _) in enumerate(tokens):
        before = range(max(at - prompts, 0) if prompts else 0, at)
        same = (common(prompt, tokens[one][1]) for one in before if namespaces[one] == namespaces[at])
        expected.append(max(same, default=0))
    assert [row["outcomes"].get("hit", 0) for row in found["requests"]] == expected
    assert sum(expected) > 0
    if prompts == 0:
        work = workload(tables)
        assert expected == work.spread(infinite_hits(work.runs(), len(work.order))).tolist()


def common(one: list[int], other: list[int]) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def test_what_the_engine_lost_is_accounted_for(installed: Path) -> None:
    found = analyzed(installed, str(SAMPLES / "interleaved.jsonl"), "--engine", "last-prompts")
    outcomes = found["totals"]["outcomes"]
    assert outcomes["capacity"] > 0
    assert sum(outcomes.values()) == found["totals"]["prompt_tokens"]


def test_the_engine_refuses_what_it_cannot_do(installed: Path) -> None:
    trace = str(SAMPLES / "append-only.jsonl")
    assert "no size in tokens" in run(
        ["analyze", trace, "--engine", "last-prompts", "--capacity", "9k"], installed, code=2
    )
    assert "last-prompts option 'slots'" in run(
        ["analyze", trace, "--engine", "last-prompts", "--set", "last-prompts.slots=2"], installed, code=2
    )


def test_the_policy_evicts(installed: Path) -> None:
    arguments = ["simulate", str(SAMPLES / "tokens.jsonl"), "--engine", "sglang", "--capacity", "40%"]
    policies = ["--policy", "lru,deepest-first,filo"]
    out = run([*arguments, *policies, "--format", "json"], installed)
    cells = {cell["policy"]: cell for cell in json.loads(out)["cells"]}
    assert list(cells) == ["lru", "deepest-first", "filo"]
    assert all(0 <= cell["of_optimal"] <= 1 for cell in cells.values())
    assert cells["deepest-first"]["hit_tokens"] not in (
        cells["lru"]["hit_tokens"],
        cells["filo"]["hit_tokens"],
    )
    assert run([*arguments, *policies, "--format", "json", "--jobs", "2"], installed) == out
    one = analyzed(installed, *arguments[1:], "--policy", "deepest-first")
    assert one["totals"]["hit_tokens"] == cells["deepest-first"]["hit_tokens"]


def test_a_policy_is_for_engines_that_have_policies(installed: Path) -> None:
    arguments = ["simulate", str(SAMPLES / "append-only.jsonl"), "--policy", "deepest-first"]
    assert "does not evict by 'deepest-first'" in run([*arguments, "--engine", "vllm"], installed, code=2)


def test_the_rule_finds_and_is_explained(installed: Path) -> None:
    found = analyzed(installed, str(SAMPLES / "append-only.jsonl"))
    (finding,) = [one for one in found["findings"] if one["code"] == "EX101"]
    assert finding["name"] == "long-system-prompt"
    assert finding["location"]["component"] == "system"
    assert finding["requests"] == len(found["requests"])
    page = run(["explain", "EX101", "--format", "markdown"], installed)
    assert "Lineages whose system prompt is longer" in page
    assert run(["explain", "long-system-prompt", "--format", "markdown"], installed) == page
    failed = run(
        ["check", str(SAMPLES / "append-only.jsonl"), "--rule", "long-system-prompt=error"], installed, code=1
    )
    assert failed


def test_the_doctor_names_the_package(installed: Path) -> None:
    found = json.loads(run(["doctor", "--format", "json"], installed))
    added = {one["name"]: one["added"] for one in found["registries"] if one["added"]}
    assert added == {
        "engines": {"last-prompts": "cachelens_example.engine:LastPrompts"},
        "policies": {"deepest-first": "cachelens_example.policy:DeepestFirst"},
        "rules": {"EX101": "cachelens_example.rule:LongSystemPrompt"},
    }
    assert found["problems"] == []


def test_what_the_documentation_shows_is_the_example() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8").splitlines() for path in sorted(EXAMPLE.rglob("*.py"))]
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        lines = [line for line in block.splitlines() if line]
        assert any(set(lines) <= set(source) for source in sources), block
    project = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert tomllib.loads(shown).items()
    for group, points in tomllib.loads(shown)["project"]["entry-points"].items():
        assert tomllib.loads(project)["project"]["entry-points"][group] == points


def test_every_group_is_documented() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    groups = {found for path in (ROOT / "cachelens").rglob("__init__.py") for found in registries(path)}
    assert len(groups) > 5
    assert groups == set(re.findall(r"^\| `(cachelens\.\w+)` \|", page, re.MULTILINE))
    for target in re.findall(r"`(\w+(?:/\w+)+\.py): (\w+)`", page):
        text = (ROOT / "cachelens" / target[0]).read_text(encoding="utf-8")
        assert re.search(rf"^class {target[1]}\b", text, re.MULTILINE), target


def registries(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(r'"(cachelens\.[a-z]+)",?\n?\)', text) if " = Registry(" in text else []


# -- all other groups


def test_a_format_a_router_and_an_output_of_another_package(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "site",
        "other",
        {
            "cachelens.formats": {"words": "other:Words"},
            "cachelens.routers": {"last": "other:Last"},
            "cachelens.renderers": {"total": "other:Total"},
        },
        """
        from dataclasses import dataclass

        from cachelens.ingest.exchange import Block, TokenRequest


        class Words:
            name = "words"
            note = "Words are counted, not tokens."

            def claim(self, source):
                return 1.0 if source.head().startswith(b"#words") else 0.0

            def read(self, source, context):
                with source.open() as stream:
                    for number, line in enumerate(stream.read().decode().splitlines()[1:], 1):
                        words = line.split()
                        blocks = [Block(word.encode(), 1) for word in words]
                        yield TokenRequest(record=number, prompt=blocks, output=[], output_tokens=0)


        @dataclass(frozen=True)
        class Options:
            pass


        class Last:
            Options = Options

            def __init__(self, workload, replicas, options):
                self._last = replicas - 1

            def choose(self, request, running):
                return self._last


        class Total:
            name = "total"
            suffixes = (".total",)
            documents = frozenset({"result"})
            binary = False

            def render(self, document, options):
                return f"{document.totals.hit_tokens} of {document.totals.prompt_tokens}\\n".encode()
        """,
    )
    trace = tmp_path / "t.words"
    trace.write_text("#words\na b c\na b c d\na x\n")
    assert run(["analyze", str(trace), "--format", "total"], folder) == "4 of 9\n"
    assert run(["analyze", str(trace), "--input-format", "words", "-q", "-o", "out.total"], folder) == ""
    assert (folder / "out.total").read_text() == "4 of 9\n"
    arguments = [
        "simulate",
        str(trace),
        "--engine",
        "lru",
        "--capacity",
        "inf",
        "--replicas",
        "3",
        "--format",
        "json",
    ]
    (cell,) = json.loads(run([*arguments, "--router", "last"], folder))["cells"]
    assert (cell["router"], cell["hit_tokens"]) == ("last", 4)


def test_a_dialect_and_a_plot_of_another_package(tmp_path: Path) -> None:
    folder = package(
        tmp_path / "site",
        "other",
        {"cachelens.dialects": {"mine": "other:Mine"}, "cachelens.plots": {"dot": "other:Dot"}},
        """
        from cachelens.ingest.dialects.chat import Chat


        class Mine(Chat):
            name = "mine"

            def claim(self, url, fields):
                return 2.0


        class Dot:
            name = "dot"
            title = "A dot"

            def missing(self, result):
                return None

            def size(self, result):
                return (2.0, 2.0)

            def describe(self, result):
                return "A dot."

            def draw(self, figure, result, options):
                axes = figure.add_subplot()
                axes.plot([0], [0], "o")
        """,
    )
    added = {
        one["name"]: one["added"]
        for one in json.loads(run(["doctor", "--format", "json"], folder))["registries"]
        if one["added"]
    }
    assert added == {"dialects": {"mine": "other:Mine"}, "plots": {"dot": "other:Dot"}}
    assert "mine " in run(["list", "dialects"], folder)
    captured = (SAMPLES / "append-only.jsonl").read_text(encoding="utf-8")
    assert "/v1/chat/completions" in captured
    trace = str(tmp_path / "mine.jsonl")
    # At an address that no dialect of cachelens is sure of.
    Path(trace).write_text(captured.replace("/v1/chat/completions", "/mine"), encoding="utf-8")
    found = json.loads(run(["analyze", trace, "-o", "result.json", "--format", "json"], folder))
    assert found["trace"]["dialects"] == ["mine"]
    assert found["totals"]["hit_tokens"] == analyzed(ROOT, trace)["totals"]["hit_tokens"]
    assert "<svg" in run(["plot", "dot", "result.json", "-o", "-", "--format", "svg"], folder)


# -- what is wrong with a package


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    points = {"cachelens.engines": {"gone": "nowhere:Gone"}, "cachelens.rules": {"ZZ1": "broken:Rule"}}
    folder = package(tmp_path / "site", "broken", points, "raise RuntimeError('hunter2')\n")
    trace = str(SAMPLES / "append-only.jsonl")
    said = run(["analyze", trace, "--engine", "gone"], folder, code=2)
    assert "engine 'gone' of another package cannot be loaded from nowhere:Gone (ModuleNotFoundError)" in said
    said = run(["analyze", trace], folder, code=2)
    assert "rule 'ZZ1' of another package cannot be loaded from broken:Rule (RuntimeError)" in said
    said = run(["doctor"], folder, code=2)
    assert "nowhere:Gone" in said
    assert "broken:Rule" in said
    assert "2 problems" in said
    assert "hunter2" not in said


def test_names_that_are_taken_stay_as_they_are(tmp_path: Path) -> None:
    folder = package(tmp_path / "site", "thief", {"cachelens.engines": {"sglang": "thief:Mine"}})
    found = json.loads(
        run(["analyze", str(SAMPLES / "append-only.jsonl"), "--engine", "sglang", "--format", "json"], folder)
    )
    assert found["engine"]["title"] == "SGLang radix cache"
    assert "engine sglang from thief:Mine is not used: the name is taken" in run(["doctor"], folder, code=2)


def test_entries_of_a_registry_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = package(
        tmp_path / "site",
        "points",
        {"group.x": {"b": "points:Outer.Inner", "a": "points:Outer [extra]", "own": "points:Outer"}},
        "class Outer:\n    class Inner: ...\n",
    )
    monkeypatch.syspath_prepend(str(folder))
    registry = Registry("thing", {"own": Entry("cachelens.errors:UsageError", "one")}, "group.x")
    assert list(registry) == ["own", "a", "b"]
    assert registry.load("a").__name__ == "Outer"
    assert registry.load("b").__qualname__ == "Outer.Inner"
    assert registry.load("own").__name__ == "UsageError"
    assert list(registry.added) == ["a", "b"]
    assert registry.refused == ("own from points:Outer",)
