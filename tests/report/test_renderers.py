"""Renderers: the registry agrees with the files, bytes are reproducible, nothing is lost on the way."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import cachelens.report.renderers as renderers
from cachelens.gate.baseline import baseline_of
from cachelens.gate.judge import GateOptions, judge
from cachelens.model.curve import Curve, CurvePoint
from cachelens.model.result import decode
from cachelens.pipeline.comparison.compare import compare, illustrated
from cachelens.report.plots.picture import Picture
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import DocumentKind, RenderOptions
from cachelens.report.tables.names import TABLES
from tests.report import builders, inspections
from tests.report.pictured import pictured, tree

OPTIONS = RenderOptions()


def test_registry_and_files_agree() -> None:
    folder = Path(renderers.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    assert {
        entry.target.partition(":")[0].rpartition(".")[2] for entry in RENDERERS.entries.values()
    } == modules
    suffixes = [suffix for name in RENDERERS for suffix in RENDERERS.load(name).suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(RENDERERS.load(name).name == name for name in RENDERERS)


def test_every_renderer_says_what_it_shows() -> None:
    for name in RENDERERS:
        renderer = RENDERERS.load(name)
        assert {type(getattr(renderer, flag)) for flag in ("binary", "pictures", "tabular")} == {bool}, name
        assert renderer.documents <= set(get_args(DocumentKind))
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in renderer.suffixes)
        if renderer.tabular:
            assert renderer.documents <= set(TABLES)


def compared() -> Any:
    """Of both results as well: some renderers draw them side by side."""
    before, after = pictured(), pictured(tree()[:3])
    return illustrated(compare(before, after), before, after)


@pytest.mark.parametrize("name", list(RENDERERS))
def test_same_document_same_bytes(name: str) -> None:
    renderer = RENDERERS.load(name)()
    made: dict[str, Callable[[], Any]] = {
        "result": pictured,
        "curve": lambda: builders.curve(marked=200_000),
        "grid": builders.grid,
        "inspection": inspections.inspection,
        "verdict": lambda: judge([builders.wasteful()], GateOptions(), baseline_of([builders.session()])),
        "comparison": compared,
        "picture": lambda: Picture("icicle", pictured()),
    }
    for kind in renderer.documents:
        first = renderer.render(made[kind](), OPTIONS)
        assert first
        assert renderer.render(made[kind](), OPTIONS) == first


@pytest.mark.parametrize("name", [n for n in RENDERERS if "result" not in RENDERERS.load(n).documents])
def test_other_documents_are_refused(name: str) -> None:
    with pytest.raises(TypeError):
        RENDERERS.load(name)().render(builders.session(), OPTIONS)


def test_json_is_the_result_and_comes_back() -> None:
    result = builders.session()
    assert decode(RENDERERS.load("json")().render(result, OPTIONS)) == result
    curve = builders.curve(200_000)
    data = RENDERERS.load("json")().render(curve, OPTIONS)
    assert msgspec.json.decode(data, type=Curve) == curve


def test_csv_holds_every_point_exactly() -> None:
    curve = builders.curve(points=(CurvePoint(10, 1), CurvePoint(20, 2, 3)), prompt_tokens=8)
    rows = list(csv.DictReader(RENDERERS.load("csv")().render(curve, OPTIONS).decode().splitlines()))
    assert [tuple(row.values()) for row in rows] == [
        ("10", "1", "", "0.125", ""),
        ("20", "2", "3", "0.25", "0.375"),
    ]
    asked = msgspec.structs.replace(curve, capacities=(20,))
    assert len(RENDERERS.load("csv")().render(asked, OPTIONS).splitlines()) == 2


def test_csv_of_a_grid_has_one_row_a_cache_and_one_column_a_tier() -> None:
    grid = builders.grid()
    rows = list(csv.DictReader(RENDERERS.load("csv")().render(grid, OPTIONS).decode().splitlines()))
    assert [row["engine"] for row in rows] == ["sglang", "sglang", "hicache", "anthropic"]
    assert [row["host_hit_tokens"] for row in rows] == ["", "", "1000000", ""]
    assert [int(row["hit_tokens"]) for row in rows] == [cell.hit_tokens for cell in grid.cells]


def test_csv_and_parquet_of_an_analysis_have_one_row_a_request() -> None:
    import io

    import polars as pl

    result = builders.session()
    rows = list(csv.DictReader(RENDERERS.load("csv")().render(result, OPTIONS).decode().splitlines()))
    frame = pl.read_parquet(io.BytesIO(RENDERERS.load("parquet")().render(result, OPTIONS)))
    assert len(rows) == len(frame) == len(result.requests)
    for name in ("hit", "fresh", "divergence", "capacity"):
        total = result.totals.outcomes.get(name, 0)
        assert sum(int(row[f"{name}_tokens"]) for row in rows) == frame[f"{name}_tokens"].sum() == total


def test_csv_runs_nothing_in_a_spreadsheet() -> None:
    row = builders.row(1, {"fresh": 5}, request_id="=cmd()", model="@x", source_file="\ud800")
    text = RENDERERS.load("csv")().render(builders.result([row]), OPTIONS).decode()
    assert "\n'=cmd()," in text
    assert ",'@x," in text


def test_plot_shows_further_lines_and_bytes() -> None:
    from cachelens.model.curve import Series

    series = Series(engine="sglang", policy="lfu", page_size=16, points=((100_000, 10), (1_000_000, 20)))
    curve = msgspec.structs.replace(builders.curve(200_000), series=(series,), kv_bytes_per_token=262_144.0)
    text = RENDERERS.load("svg")().render(curve, OPTIONS).decode()
    assert ">sglang lfu, pages of 16</text>" in text
    assert re.search(r">[\d.]+ GiB</text>", text)


def test_plot_names_its_lines_and_nothing_of_the_machine() -> None:
    text = RENDERERS.load("svg")().render(builders.curve(200_000), OPTIONS).decode()
    for label in ("LRU", "perfect eviction", "infinite cache: 90.5 %", "200 k: LRU 27.5 %, best 56.2 %"):
        assert f">{label}</text>" in text
    for leak in ("<dc:date>", "matplotlib.org", "Matplotlib v"):
        assert leak not in text
    assert b"Software" not in RENDERERS.load("png")().render(builders.curve(), OPTIONS)


@pytest.mark.parametrize(
    "curve",
    [
        builders.curve(points=(), ideal_hit_tokens=0),
        builders.curve(points=(CurvePoint(0, 0),), ideal_hit_tokens=0),
        builders.curve(points=(CurvePoint(7, 5),), ideal_hit_tokens=5, prompt_tokens=10),
        builders.curve(points=(CurvePoint(7, 10, 10),), ideal_hit_tokens=10, prompt_tokens=10),
        builders.curve(
            points=(CurvePoint(7, 10, 10),), ideal_hit_tokens=10, prompt_tokens=10, marked_capacity_tokens=7
        ),
        builders.curve(points=(), ideal_hit_tokens=0, prompt_tokens=0),
    ],
)
def test_small_curves_are_drawn_and_shown(curve: Curve) -> None:
    for name in ("svg", "png", "terminal", "csv", "json"):
        assert RENDERERS.load(name)().render(curve, OPTIONS)


def test_plot_ignores_configuration_and_keeps_no_global_state(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: black\nxtick.labelsize: 30\n")
    code = (
        "import sys, hashlib\n"
        "from tests.report import builders\n"
        "from cachelens.report.renderers import RENDERERS\n"
        "from cachelens.report.renderers.base import RenderOptions\n"
        "data = RENDERERS.load('svg')().render(builders.curve(200_000), RenderOptions())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "import matplotlib; assert matplotlib.rcParams['svg.hashsalt'] is None\n"
        "print(hashlib.sha256(data).hexdigest())\n"
    )
    root = Path(__file__).parents[2]
    digests = set()
    for extra in ({}, {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7"}):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(root), **extra}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
