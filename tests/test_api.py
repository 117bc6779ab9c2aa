"""The library: what it gives is what the stages give, its names are stable, its views are safe to show."""

from __future__ import annotations

import inspect as signatures
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cachelens
from cachelens.errors import CachelensError
from cachelens.model.kinds import OUTCOMES
from cachelens.model.options import AnalyzeOptions, CurveOptions, GridOptions, IngestOptions, KvOptions
from cachelens.model.tables import CONTENTS, REQUESTS, SEGMENTS
from cachelens.pipeline import analyze, curve, inspect, load, simulate
from cachelens.report.renderers import RENDERERS
from cachelens.report.tables.names import TABLES

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_traces"
NONCE = SAMPLES / "nonce-in-system.jsonl"

STABLE = """
    CachelensError CheckReport ComparisonReport CurveReport GridReport InputError Plot Report RequestReport Trace
    UsageError __version__ analyze assert_append_only assert_hit_rate assert_no_findings assert_prefix_stable check
    compare curve inspect load read simulate write_baseline
"""


@pytest.fixture(scope="module")
def trace() -> cachelens.Trace:
    return cachelens.load(NONCE)


@pytest.fixture(scope="module")
def report(trace: cachelens.Trace) -> cachelens.Report:
    return cachelens.analyze(trace, engine="sglang", capacity=8_000)


# -- names


def test_names_are_stable() -> None:
    assert sorted(cachelens.__all__) == sorted(STABLE.split())
    assert set(cachelens.__all__) <= set(dir(cachelens))
    assert all(getattr(cachelens, name) is not None for name in cachelens.__all__)
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        cachelens.analyse  # type: ignore[attr-defined] # noqa: B018
    space: dict[str, Any] = {}
    exec("from cachelens import *", space)
    assert set(STABLE.split()) <= set(space)


def fresh(code: str) -> str:
    """What an interpreter of its own prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_is_light() -> None:
    heavy = (
        "polars",
        "numpy",
        "pyarrow",
        "msgspec",
        "tiktoken",
        "matplotlib",
        "typer",
        "rich",
        "cachelens.api",
    )
    code = (
        f"import sys, cachelens; dir(cachelens); print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert fresh(code) == "[]"


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import cachelens.simulate",
        "import cachelens.simulate.engines",
        "from cachelens.simulate.engine import Setup",
        "cachelens.load",
        "import cachelens.pipeline.grid",
    ],
)
def test_simulate_is_a_function_and_a_package(before: str) -> None:
    call = f"cachelens.simulate({str(NONCE)!r}, engines='lru', capacities='inf').grid.cells[0].hit_tokens"
    code = f"import cachelens\n{before}\nprint({call})\n"
    code += "from cachelens import simulate\nimport cachelens.simulate.engines as engines\n"
    code += f"assert simulate is cachelens.simulate and callable(simulate)\nprint({call})\n"
    code += "assert cachelens.simulate.engines.ENGINES is engines.ENGINES\n"
    code += "from cachelens.simulate.options import chosen\n"
    code += "import importlib; importlib.reload(cachelens.simulate); assert callable(cachelens.simulate)\n"
    first, second = fresh(code).splitlines()
    assert first == second
    assert int(first) > 0


def test_options_are_those_of_the_stages() -> None:
    """Defaults are not said twice: whoever changes one in the options changes it here."""
    kv = KvOptions()
    for function, options in ((cachelens.analyze, AnalyzeOptions()), (cachelens.inspect, AnalyzeOptions())):
        given = {name: one.default for name, one in signatures.signature(function).parameters.items()}
        assert given["capacity"] == options.capacity
        assert (given["kv_dtype"], given["tp"], given["model"]) == (kv.kv_dtype, kv.tp, kv.model)
        assert given["sequential"] is not options.concurrent


# -- the same as the stages give


def test_a_trace_is_what_the_stages_read(trace: cachelens.Trace) -> None:
    tables = load([str(NONCE)], IngestOptions())
    assert len(trace) == len(tables) == 10
    assert trace.requests.equals(tables.requests)
    assert dict(trace.requests.schema) == REQUESTS
    assert dict(trace.segments().schema) == SEGMENTS
    assert dict(trace.contents().schema) == CONTENTS
    sums = trace.segments().filter(~pl.col("generated")).group_by("request_id").agg(pl.col("tokens").sum())
    told = trace.requests.select("request_id", tokens="prompt_tokens")
    assert sums.sort("request_id").equals(told.sort("request_id"))


def test_reading_options_arrive(tmp_path: Path) -> None:
    found = cachelens.load(
        SAMPLES / "append-only-anthropic.har",
        input_format="har",
        encoding="cl100k_base",
        render=["system-first", "thinking-kept"],
    )
    expected = IngestOptions("har", "cl100k_base", "system-first,thinking-kept")
    assert (found.encoding, found.tables.render) == ("cl100k_base", expected.render)
    clock = SAMPLES / "clock.jsonl"
    assert len(cachelens.load(NONCE, clock)) == len(cachelens.load(NONCE)) + len(cachelens.load(clock))
    broken = SAMPLES / "broken.jsonl"
    assert sum(one.records for one in cachelens.load(broken).skipped) > 0
    with pytest.raises(CachelensError):
        cachelens.load(broken, strict=True)
    with pytest.raises(cachelens.InputError):
        cachelens.load(tmp_path / "missing.jsonl")
    with pytest.raises(cachelens.UsageError, match="unknown encoding 'o200k'"):
        cachelens.load(NONCE, encoding="o200k")
    with pytest.raises(cachelens.UsageError, match=r"unknown .*format 'ahr'"):
        cachelens.load(NONCE, input_format="ahr")


def test_a_table_folder_is_the_same_trace(trace: cachelens.Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "tables")
    again = cachelens.load(tmp_path / "tables")
    assert again.requests.equals(trace.requests)
    assert again.segments().equals(trace.segments())
    with pytest.raises(cachelens.UsageError):
        trace.save(tmp_path / "tables")
    trace.save(tmp_path / "tables", overwrite=True)


def test_analyses_are_those_of_the_stages(trace: cachelens.Trace, report: cachelens.Report) -> None:
    options = AnalyzeOptions(engine="sglang", capacity="8000")
    assert report.result == analyze(trace.tables, options)
    assert cachelens.analyze(NONCE, engine="sglang", capacity="8000").result == report.result
    assert cachelens.analyze(str(NONCE)).result == analyze(trace.tables, AnalyzeOptions())


def test_all_options_of_an_analysis_arrive(trace: cachelens.Trace) -> None:
    found = cachelens.analyze(
        trace,
        engine="hicache",
        capacity=0.5,
        policy="lfu",
        page_size=16,
        model="qwen3-8b",
        kv_dtype="fp8",
        tp=2,
        tiers={"host": 50_000},
        options={"load-back-threshold": 7},
        sequential=True,
        what_if="cl101,CL204",
        thresholds={"min-tokens": 1, "echo_share": 0.5},
        show_text=True,
        pictures=True,
    )
    expected = AnalyzeOptions(
        engine="hicache",
        capacity="0.5",
        policy="lfu",
        page_size=16,
        kv=KvOptions("qwen3-8b", "fp8", 2),
        tiers=(("host", "50000"),),
        engine_options={"load-back-threshold": "7"},
        concurrent=False,
        what_if=("CL101", "CL204"),
        thresholds={"min_tokens": "1", "echo_share": "0.5"},
        show_text=True,
        pictures=True,
    )
    assert found._options == expected
    assert found.result == analyze(trace.tables, expected)
    assert found.result.remedies.what_if_codes == ("CL101", "CL204")


def test_frames_of_a_report(report: cachelens.Report) -> None:
    sent = report.result.totals.prompt_tokens
    for name in TABLES["result"]:
        frame = getattr(report, name)
        assert isinstance(frame, pl.DataFrame)
        assert frame.equals(pl.read_parquet(io.BytesIO(rendered(report, name))))
    assert report.outcomes["tokens"].sum() == report.labels["tokens"].sum() == sent
    assert len(report.requests) == len(report.result.requests)
    assert report.findings["fingerprint"].to_list() == [one.fingerprint for one in report.result.findings]


def rendered(report: cachelens.Report, table: str) -> bytes:
    from cachelens.report.renderers.base import RenderOptions

    data: bytes = RENDERERS.load("parquet")().render(report.result, RenderOptions(table=table))
    return data


def test_the_ledger_has_every_token_once(report: cachelens.Report) -> None:
    ledger = report.ledger().sort("request_id", "depth_lo")
    assert (ledger["depth_hi"] - ledger["depth_lo"]).sum() == report.result.totals.prompt_tokens
    before = pl.col("depth_hi").shift(1).over("request_id").fill_null(0)
    assert ledger.select((pl.col("depth_lo") == before).all()).item()
    by = ledger.group_by("outcome").agg((pl.col("depth_hi") - pl.col("depth_lo")).sum())
    assert dict(by.iter_rows()) == {name: n for name, n in report.result.totals.outcomes.items() if n}


def test_frames_without_rows_have_their_columns() -> None:
    report = cachelens.analyze(SAMPLES / "tokens.jsonl", engine="ideal")
    assert report.skipped.is_empty()
    assert report.skipped.columns == ["source", "reason", "records", "first_record", "detail"]
    assert report.buckets.schema["carried_tokens"] == pl.Int64()


def test_grids_are_those_of_the_stages(trace: cachelens.Trace) -> None:
    found = cachelens.simulate(
        trace,
        engines="sglang,vllm",
        policies=["lru", "lfu"],
        capacities=[4_000, "10%", "inf"],
        options={"chunk": 64},
        sequential=True,
    )
    options = GridOptions(
        ("sglang", "vllm"),
        ("lru", "lfu"),
        ("4000", "10%", "inf"),
        engine_options={"chunk": "64"},
        concurrent=False,
    )
    expected = simulate(trace.tables, options)
    assert found.grid == expected.grid
    assert found.frame["hit_tokens"].to_list() == [cell.hit_tokens for cell in expected.grid.cells]
    keys = ["engine", "policy", "capacity"]
    sums = found.requests.group_by(keys, maintain_order=True).agg(pl.col("hit_tokens", "prompt_tokens").sum())
    assert sums.equals(found.frame.select(*keys, "hit_tokens", "prompt_tokens"))


def test_fleets_and_memory(trace: cachelens.Trace) -> None:
    fleet = cachelens.simulate(trace, capacities="inf", replicas=2)
    assert fleet.frame["router"].to_list() == ["round-robin"]
    held = cachelens.simulate(
        trace, engines="vllm", capacities="auto", model="qwen3-8b", memory="80gib", utilization=0.5
    )
    options = GridOptions(("vllm",), (), ("auto",), kv=KvOptions("qwen3-8b", "bf16", 1, "80gib", None, "0.5"))
    assert held.grid == simulate(trace.tables, options).grid
    with pytest.raises(cachelens.UsageError, match="memory needs a model"):
        cachelens.simulate(trace, memory="80gib")
    with pytest.raises(cachelens.UsageError, match="a router needs replicas"):
        cachelens.simulate(trace, router="session")


def test_curves_are_those_of_the_stages(trace: cachelens.Trace) -> None:
    found = cachelens.curve(trace, engines=["sglang"], policies="lru,lfu", marked="10%", points=5)
    options = CurveOptions(points=5, marked="10%", lines=(("sglang", "lru"), ("sglang", "lfu")))
    assert found.curve == curve(trace.tables, options)
    asked = cachelens.curve(trace, capacities=[1_000, "100%"])
    assert asked.frame["capacity_tokens"].to_list() == [1_000, asked.curve.working_set]
    assert found.frame.columns[-2:] == ["sglang_lru_hit_tokens", "sglang_lfu_hit_tokens"]


def test_one_request_is_that_of_the_stages(trace: cachelens.Trace) -> None:
    found = cachelens.inspect(trace, 3, engine="sglang", show_text=True)
    options = AnalyzeOptions(engine="sglang", show_text=True)
    assert found.inspection == inspect(trace.tables, options, "3")
    assert cachelens.inspect(NONCE, finding="CL101").inspection.chosen_by != "asked for"
    tokens = found.inspection.request.prompt_tokens
    assert found.segments["tokens"].sum() == tokens
    assert (found.pieces["hi"] - found.pieces["lo"]).sum() == tokens
    assert set(found.pieces["outcome"]) <= set(OUTCOMES)
    assert found.segments["text"].null_count() < len(found.segments)
    with pytest.raises(cachelens.UsageError):
        cachelens.inspect(trace, "nowhere")


def test_a_gate(report: cachelens.Report, tmp_path: Path) -> None:
    assert not cachelens.check(report, budgets=["hit-rate>=60%"]).passed
    assert not cachelens.check(report, budgets=["hit-rate>=60%"])
    assert cachelens.check([report, report], budgets=["hit-rate>=10%"])
    assert not cachelens.check(report, rules={"volatile-prefix": "error"})
    assert cachelens.check(report, rules={"CL101": ["error", {"max-tokens": 10**9}]})
    place = tmp_path / "baseline.json"
    accepted = cachelens.write_baseline(report, place)
    assert {one.code for one in accepted.findings} >= {"CL101"}
    for baseline in (place, str(place), accepted):
        assert cachelens.check(report, baseline=baseline, max_regression=["0pp"])
    other = cachelens.analyze(NONCE, engine="vllm")
    with pytest.raises(cachelens.UsageError, match="cannot be compared"):
        cachelens.check(other, baseline=place)
    with pytest.raises(cachelens.InputError, match="No such file"):
        cachelens.check(report, baseline=tmp_path / "missing.json")
    with pytest.raises(cachelens.UsageError, match="nothing to check"):
        cachelens.check(report)
    frame = cachelens.check(report, budgets=["hit-rate>=60%", "breaks<=100"]).checks
    assert frame["status"].to_list() == ["failed", "passed"]
    assert frame["value"][0] == pytest.approx(report.result.totals.hit_rate)


def test_before_and_after(report: cachelens.Report) -> None:
    after = cachelens.analyze(SAMPLES / "append-only.jsonl", engine="sglang", capacity=8_000)
    found = cachelens.compare(report, after, names=("a", "b"))
    assert (found.comparison.before.name, found.comparison.after.name) == ("a", "b")
    rates = found.figures.filter(pl.col("name") == "hit-rate").row(0, named=True)
    assert rates["before"] == pytest.approx(report.result.totals.hit_rate)
    assert rates["after"] == pytest.approx(after.result.totals.hit_rate)
    assert "CL101" in found.causes.filter(pl.col("state") == "vanished")["code"].to_list()
    with pytest.raises(cachelens.UsageError):
        cachelens.compare(report, cachelens.analyze(NONCE, engine="vllm"))
    assert cachelens.compare(
        report, cachelens.analyze(NONCE, engine="vllm"), across=["engine", "capacity", "page-size"]
    )


# -- files


@pytest.mark.parametrize("name", [name for name in RENDERERS if "result" in RENDERERS.load(name).documents])
def test_reports_are_saved_in_every_format(report: cachelens.Report, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"report{RENDERERS.load(name).suffixes[0]}"
    report.save(path)
    data = path.read_bytes()
    assert data
    assert data == report.render(name)
    report.save(path)
    report.save(tmp_path / "named", format=name)
    assert (tmp_path / "named").read_bytes() == data
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(("named", path.name))


def test_pictures_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    report = cachelens.analyze(NONCE, engine="sglang", capacity=8_000)
    assert report.result.pictures is None
    report.save(tmp_path / "report.html")
    assert report.result.pictures is not None
    at_once = cachelens.analyze(NONCE, engine="sglang", capacity=8_000, pictures=True)
    assert report.result == at_once.result
    plot = report.plot("waterfall")
    assert plot._repr_svg_().lstrip().startswith("<?xml")
    assert plot._repr_html_() is None
    plot.save(tmp_path / "w.svg")
    assert b"<svg" in (tmp_path / "w.svg").read_bytes()
    with pytest.raises(cachelens.UsageError, match="unknown plot 'watrefall'"):
        report.plot("watrefall")


def test_a_saved_report_is_the_same(report: cachelens.Report, tmp_path: Path) -> None:
    report.save(tmp_path / "r.json")
    again = cachelens.read(tmp_path / "r.json")
    assert again.result == report.result
    assert again.findings.equals(report.findings)
    assert repr(again) == repr(report)
    with pytest.raises(cachelens.UsageError, match="no ledger"):
        again.ledger()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": 1}', "[" * 100_000, "\ufeff"])
def test_files_that_are_no_report(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(cachelens.InputError, match="holds no result"):
        cachelens.read(tmp_path / "x.json")
    with pytest.raises(cachelens.InputError, match="No such file"):
        cachelens.read(tmp_path / "y.json")


def test_a_report_that_does_not_add_up_is_refused(report: cachelens.Report, tmp_path: Path) -> None:
    document = json.loads(report.render("json"))
    document["totals"]["hit_tokens"] += 1
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(cachelens.UsageError, match="is damaged"):
        cachelens.read(tmp_path / "x.json")


def test_saving_leaves_nothing_half_written(
    report: cachelens.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    path.write_text("before")

    def fail(source: Any, target: Any) -> None:
        raise OSError("full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(cachelens.UsageError, match="cannot be written"):
        report.save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]
    assert path.read_text() == "before"


def test_formats_that_do_not_fit(report: cachelens.Report, trace: cachelens.Trace, tmp_path: Path) -> None:
    with pytest.raises(cachelens.UsageError, match="suffix names no output format"):
        report.save(tmp_path / "report.xlsx")
    with pytest.raises(cachelens.UsageError, match="unknown output format 'jsn'"):
        report.render("jsn")
    with pytest.raises(cachelens.UsageError, match="does not show this kind"):
        cachelens.inspect(trace).save(tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


# -- what people see


def test_screens_are_those_of_the_commands(report: cachelens.Report, trace: cachelens.Trace) -> None:
    assert repr(report).startswith("cachelens ")
    assert "sglang, lru, 8 k tokens" in repr(report)
    assert "working set" in repr(cachelens.simulate(trace))
    assert repr(trace).startswith("<Trace: requests 10, sessions 1, lineages 1, prompt tokens 29.2 k")
    assert max(len(line) for line in repr(report).splitlines()) <= 100


def test_notebooks_get_nothing_that_a_capture_could_run(tmp_path: Path) -> None:
    """Names of tools, models and files come from the capture; none of them becomes markup."""
    evil = "<img src=x onerror=alert(1)>"
    lines = NONCE.read_text(encoding="utf-8")
    assert '"run_command"' in lines
    path = tmp_path / "t.jsonl"
    path.write_text(lines.replace('"run_command"', json.dumps(evil)), encoding="utf-8")
    trace = cachelens.load(path)
    report = cachelens.analyze(trace, engine="sglang", capacity=8_000)
    assert evil in repr(report)  # it is there to be shown
    views = (
        trace,
        report,
        cachelens.simulate(trace),
        cachelens.curve(trace),
        cachelens.inspect(trace),
        cachelens.check(report, budgets=["breaks<=0"]),
        cachelens.compare(report, report),
    )
    for view in views:
        shown = view._repr_html_()
        assert "<img" not in (shown or "")
    assert "&lt;img" in (report._repr_html_() or "")
    assert len(report._repr_html_() or "") < 5_000


@pytest.mark.parametrize("size", [True, None, [1], object()])
def test_sizes_that_are_none(trace: cachelens.Trace, size: Any) -> None:
    with pytest.raises(cachelens.UsageError, match="a size is a number or a text"):
        cachelens.analyze(trace, capacity=size)


def test_one_analysis_has_one_size(trace: cachelens.Trace) -> None:
    with pytest.raises(cachelens.UsageError, match="is not understood"):
        cachelens.analyze(trace, capacity="1%,2%")
    with pytest.raises(cachelens.UsageError, match="a list of names is empty"):
        cachelens.simulate(trace, engines=" , ")
