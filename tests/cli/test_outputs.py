"""Outputs are checked before the work, complete when they exist, and never overwritten unasked."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from cachelens.cli import run
from cachelens.errors import InputError
from cachelens.model.result import decode
from cachelens.report import atomic
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.parquet import Parquet
from cachelens.report.tables.names import TABLES
from tests.cli.fakes import Stages


def test_files_by_suffix(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        run(
            [
                "simulate",
                "x",
                "--curve",
                "-o",
                "c.csv",
                "-o",
                "c.png",
                "-o",
                "C.SVG",
                "-o",
                "c.txt",
                "-o",
                "c.json",
            ]
        )
        == 0
    )
    out, err = capfd.readouterr()
    assert out.startswith("cachelens 0.1.0")  # files do not replace the report
    assert err.splitlines() == [f"Wrote {name}" for name in ("c.csv", "c.png", "C.SVG", "c.txt", "c.json")]
    assert Path("c.csv").read_text().startswith("capacity_tokens,")
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")
    assert Path("C.SVG").read_text().startswith("<?xml")
    assert Path("c.txt").read_text().startswith("cachelens 0.1.0")
    assert json.loads(Path("c.json").read_text())["prompt_tokens"] == 6_100_000


def test_stdout_is_the_report_alone(stages: Stages, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["analyze", "x", "--format", "json"]) == 0
    out, err = capfdbinary.readouterr()
    assert decode(out) == stages.result
    assert err == b"cachelens: warning: records skipped: 1 bad-json, 2 no-request-body\n"


def test_dash_is_stdout_beside_files(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "x", "-o", "-", "-o", "r.json", "--format", "terminal"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("cachelens 0.1.0")
    assert err == "Wrote r.json\n"
    assert decode(Path("r.json").read_bytes()) == stages.result


def test_quiet_says_nothing(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "x", "-q", "-o", "r.json"]) == 0
    assert capfd.readouterr() == ("", "")


def test_format_is_for_stdout_when_files_go_by_their_suffix(
    stages: Stages, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["analyze", "x", "-o", "r.txt", "--format", "json"]) == 0
    assert decode(capfdbinary.readouterr().out) == stages.result
    assert Path("r.txt").read_text().startswith("cachelens 0.1.0")


def test_format_names_what_the_suffix_does_not(stages: Stages) -> None:
    assert run(["analyze", "x", "-o", "report", "--format", "json"]) == 0
    assert decode(Path("report").read_bytes()) == stages.result


def _folder() -> None:
    Path("there").mkdir()
    Path("there/requests.csv").write_text("old")
    Path("there.json").write_text("old")
    Path("x.json").write_text("capture")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["-o", "r.docx"],
            "r.docx: the suffix names no output format\n  suffixes: .txt, ",
        ),
        (["-o", "r"], "the suffix names no output format"),
        (
            ["-o", "r.junit.xml"],
            "junit does not show this kind of report\n  formats: terminal, ",
        ),
        (["-o", "there/"], "there/requests.csv: exists already"),
        (["-o", "there/requests.csv/"], "there/requests.csv/: is a file, not a folder"),
        (["-o", "nowhere/r/"], "nowhere/r/: folder nowhere does not exist"),
        (["-o", "t.json/"], "t.json/: json is one file, not a folder"),
        (["-o", "new/", "-o", "new/findings.csv"], "new/findings.csv: named twice"),
        (["-o", "there.json"], "there.json: exists already\n  --force overwrites it"),
        (["-o", "there", "--format", "json"], "is a folder"),
        (["-o", "nowhere/r.json"], "folder nowhere does not exist"),
        (["-o", "r.json", "-o", "./r.json"], "named twice"),
        (["-o", "-", "-o", "-"], "named twice"),
        (["-o", "", "--format", "json"], "is a folder"),
        (["-o", "x.json", "--force"], "is an input of this very run"),
    ],
)
def test_refused_before_the_work(
    stages: Stages, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    _folder()
    assert run(["analyze", "x.json", *arguments]) == 2
    assert said in capfd.readouterr().err
    assert stages.calls == {}
    assert Path("there.json").read_text() == Path("there/requests.csv").read_text() == "old"
    assert Path("x.json").read_text() == "capture"
    assert sorted(path.name for path in Path().iterdir()) == ["there", "there.json", "x.json"]


def test_folder_without_permission(
    stages: Stages, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert run(["analyze", "x", "-o", "r.json"]) == 2
    assert "cannot be written to" in capfd.readouterr().err
    assert stages.calls == {}


def test_force_overwrites_in_one_step(stages: Stages) -> None:
    _folder()
    Path("link.json").symlink_to("there.json")
    assert run(["analyze", "y", "-o", "link.json", "--force"]) == 0
    assert Path("link.json").is_symlink()
    assert decode(Path("there.json").read_bytes()) == stages.result


def test_mode_follows_the_umask(stages: Stages) -> None:
    before = os.umask(0o027)
    try:
        assert run(["analyze", "x", "-o", "r.json"]) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("r.json").stat().st_mode) == 0o640


def test_a_failed_run_leaves_nothing(stages: Stages) -> None:
    stages.failing = InputError("unreadable")
    assert run(["analyze", "x", "-o", "r.json"]) == 2
    assert list(Path().iterdir()) == []


def test_a_failed_write_leaves_nothing(
    stages: Stages, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: object, target: object) -> None:
        assert [path.name for path in Path().iterdir()] == [os.path.basename(str(source))]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert run(["analyze", "x", "-o", "r.json"]) == 2
    assert "r.json: No space left on device" in capfd.readouterr().err
    assert list(Path().iterdir()) == []


def test_a_failed_output_leaves_none_of_them(
    stages: Stages, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever fails, and whether it cannot be rendered or cannot be written."""
    Path("old.csv").write_text("old")
    files = ["-o", "a.json", "-o", "old.csv", "-o", "tables/", "-o", "z.txt", "--force"]
    assert Stages().result.pictures is None
    assert run(["analyze", "x", *files, "-o", "b.speedscope.json"]) == 2
    assert "speedscope: this result holds no data for pictures" in capfd.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["old.csv"]
    left = [0]

    def full(path: Path, mode: str) -> Any:
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device")
        return open(path, mode)

    monkeypatch.setattr(atomic, "open", full, raising=False)
    for failing in (1, 2, 7, 12):
        left[0] = failing
        assert run(["analyze", "x", *files]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert "No space left on device" in err
        assert "Wrote" not in err
        assert [path.name for path in Path().iterdir()] == ["old.csv"]
        assert Path("old.csv").read_text() == "old"


def test_interrupted_while_rendering(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Parquet, "render", stop)
    assert run(["analyze", "x", "-o", "a.json", "-o", "t/", "-o", "b.parquet"]) == 130
    assert list(Path().iterdir()) == []


def test_when_the_last_step_fails_what_was_put_in_place_is_complete(
    stages: Stages, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, moved = os.replace, [0]

    def fail(source: Any, target: Any) -> None:
        moved[0] += 1
        if moved[0] == 2:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", fail)
    assert run(["analyze", "x", "-o", "a.json", "-o", "b.txt", "-o", "c.txt"]) == 2
    assert "b.txt: Input/output error" in capfd.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["a.json"]
    assert decode(Path("a.json").read_bytes()) == stages.result


def test_files_left_by_a_killed_run_are_no_hindrance(stages: Stages) -> None:
    left = Path(f".r.json.{os.getpid()}.0.part")
    left.write_text("half")
    assert run(["analyze", "x", "-o", "r.json"]) == 0
    assert decode(Path("r.json").read_bytes()) == stages.result
    assert left.read_text() == "half"


def test_the_longest_suffix_names_the_format(stages: Stages) -> None:
    assert run(["analyze", "x", "-q", "-o", "r.trace.json", "-o", "trace.json", "-o", "R.Perfetto.JSON"]) == 0
    assert "traceEvents" in json.loads(Path("r.trace.json").read_text())
    assert Path("r.trace.json").read_bytes() == Path("R.Perfetto.JSON").read_bytes()
    assert decode(Path("trace.json").read_bytes()) == stages.result


def test_a_table_by_its_name(stages: Stages) -> None:
    names = ["findings.csv", "run.breaks.csv", "run.1.csv", "out.layouts.parquet", "Skipped.CSV"]
    assert run(["analyze", "x", "-q", *(part for name in names for part in ("-o", name))]) == 0
    assert Path("findings.csv").read_text().startswith("code,name,title,")
    assert Path("run.breaks.csv").read_text().startswith("request_id,lineage_id,departs_from,")
    assert Path("run.1.csv").read_text().startswith("request_id,session_id,")
    assert Path("Skipped.CSV").read_text().splitlines()[1].startswith("captures/agent.har,bad-json,1,17")
    assert Path("out.layouts.parquet").read_bytes()[:4] == b"PAR1"
    assert run(["analyze", "x", "-q", "-o", "outcomes", "--format", "csv"]) == 0
    assert Path("outcomes").read_text().startswith("request_id,outcome,tokens\n")


def test_a_folder_of_tables(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "x", "-o", "new/", "-o", "new.parquet/"]) == 0
    err = capfd.readouterr().err
    assert sorted(path.name for path in Path("new").iterdir()) == sorted(
        f"{name}.csv" for name in TABLES["result"]
    )
    assert sorted(path.stem for path in Path("new.parquet").iterdir()) == sorted(TABLES["result"])
    assert "Wrote new/requests.csv\n" in err
    assert "Wrote new.parquet/findings.parquet\n" in err
    kept = Path("new/notes.md")
    kept.write_text("mine")
    assert run(["analyze", "x", "-q", "-o", "new/"]) == 2
    assert run(["analyze", "x", "-q", "-o", "new/", "--force"]) == 0
    assert kept.read_text() == "mine"
    assert run(["simulate", "x", "-q", "-o", "grid/"]) == 0
    assert [path.name for path in Path("grid").iterdir()] == ["cells.csv"]


def test_pictures_are_prepared_for_those_that_show_them(stages: Stages) -> None:
    for files, wanted in (
        ([], False),
        (["-o", "a.md", "-o", "a.txt", "-o", "a.csv", "-o", "a.trace.json"], False),
        (["-o", "a.json", "--force"], True),
        (["--format", "json"], True),
    ):
        assert run(["analyze", "x", *files]) == 0
        assert stages.calls["analyze"][0].pictures is wanted
    for name in RENDERERS:
        renderer = RENDERERS.load(name)
        assert isinstance(getattr(renderer, "pictures", False), bool)


def test_a_pipe_by_name_is_written_to(stages: Stages) -> None:
    # a pipe of our own stands for all special files: a test must never be able to replace a real device
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    assert run(["analyze", "x", "-o", "pipe", "--format", "json"]) == 0
    reader.join(timeout=10)
    assert decode(got[0]) == stages.result
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_stages_get_what_was_asked_for(stages: Stages) -> None:
    arguments = [
        "--capacity",
        "200k",
        "--page-size",
        "16",
        "--input-format",
        "har",
        "--encoding",
        "cl100k_base",
    ]
    renderings = ["--render", "thinking-stripped", "--render", "system-hoisted, system-first"]
    assert run(["analyze", "a", "b", *arguments, *renderings, "--strict"]) == 0
    (names, reading), (model,) = stages.calls["load"], stages.calls["analyze"]
    assert names == ["a", "b"]
    assert (reading.input_format, reading.encoding, reading.render, reading.strict) == (
        "har",
        "cl100k_base",
        "system-first,thinking-stripped,system-hoisted",
        True,
    )
    assert (model.capacity, model.page_size) == ("200k", 16)


def test_simulate_asks_for_caches_or_a_curve(stages: Stages) -> None:
    assert run(["simulate", "a", "--capacity", "200k,10%", "--engine", "sglang,vllm", "--policy", "lru"]) == 0
    (options,) = stages.calls["simulate"]
    assert options.engines == ("sglang", "vllm")
    assert options.policies == ("lru",)
    assert options.capacities == ("200k", "10%")
    assert (
        run(["simulate", "a", "--set", "slots=2", "--set", "sglang.tree=classic", "--tier", "host:8m"]) == 0
    )
    (options,) = stages.calls["simulate"]
    assert options.engines == ("lru",)
    assert options.capacities == ("1%", "3%", "10%", "30%", "100%")
    assert options.engine_options == {"slots": "2", "sglang.tree": "classic"}
    assert options.tiers == (("host", "8m"),)
    assert run(["simulate", "a", "--curve", "--capacity", "200k", "--points", "9", "--page-size", "8"]) == 0
    (options,) = stages.calls["curve"]
    assert (options.points, options.capacities, options.marked) == (9, (), "200k")
    assert (options.page_size, options.lines) == (8, ())
    assert run(["simulate", "a", "--curve", "--policy", "lru,slru"]) == 0
    assert stages.calls["curve"][0].lines == (("sglang", "lru"), ("sglang", "slru"))
    assert run(["simulate", "a", "--blocks"]) == 0
    assert stages.calls["curve"][0].capacities == ("1%", "3%", "10%", "30%", "100%")


def test_verbose_shows_more_breaks(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    run(["analyze", "x"])
    short = capfd.readouterr().out
    run(["analyze", "x", "-v"])
    assert len(capfd.readouterr().out.splitlines()) == len(short.splitlines()) + 4


def test_ingest(stages: Stages, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["ingest", "x", "-o", "new/tables"]) == 0
    assert stages.calls["write"] == (Path("new/tables"), False)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Wrote new/tables: 84 requests\n" in err


@pytest.mark.parametrize(
    ("name", "said"), [("full", "--force"), ("file", "is a file"), ("file/below", "is not a folder")]
)
def test_ingest_refuses_before_the_work(
    stages: Stages, capfd: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    Path("full").mkdir()
    Path("full/x").write_text("")
    Path("file").write_text("")
    assert run(["ingest", "x", "-o", name]) == 2
    assert said in capfd.readouterr().err
    assert stages.calls == {}


def test_ingest_with_force(stages: Stages) -> None:
    Path("full").mkdir()
    Path("full/x").write_text("")
    assert run(["ingest", "x", "-o", "full", "--force"]) == 0
    assert stages.calls["write"] == (Path("full"), True)
