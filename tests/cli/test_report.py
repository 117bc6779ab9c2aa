"""`cachelens report`: every output of a saved result is the one that the analysis makes, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cachelens.cli import run
from cachelens.report.renderers import RENDERERS
from cachelens.report.tables.names import TABLES

SAMPLES = Path(__file__).parents[2] / "sample_traces"
NAMES = ("clock.jsonl", "sub-agents.mitm", "broken.jsonl", "tokens.jsonl")


def suffixes() -> list[str]:
    """The first suffix of every format that shows analyses, and every table of those that have several."""
    found = []
    for name in RENDERERS:
        renderer = RENDERERS.load(name)()
        if "result" in renderer.documents and renderer.suffixes:
            found.append(renderer.suffixes[0])
            if getattr(renderer, "tabular", False):
                found += [f".{table}{renderer.suffixes[0]}" for table in TABLES["result"]]
    return found


def outputs(stem: str) -> list[str]:
    return [part for suffix in suffixes() for part in ("-o", stem + suffix)]


@pytest.mark.parametrize("name", NAMES)
def test_every_output_is_the_same_without_the_trace(
    name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    shutil.copy(SAMPLES / name, name)
    capacity = ["--capacity", "3k"] if name == "clock.jsonl" else []
    assert run(["analyze", name, *capacity, *outputs("first")]) == 0
    screen = capfdbinary.readouterr().out
    Path(name).unlink()
    assert run(["report", "first.json", *outputs("again")]) == 0
    assert capfdbinary.readouterr().out == screen
    assert {".md", ".json", ".speedscope.json", ".perfetto.json", ".csv"} <= set(suffixes())
    for suffix in suffixes():
        assert Path(f"again{suffix}").read_bytes() == Path(f"first{suffix}").read_bytes(), suffix


def test_stdout_formats_and_verbosity(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    source = str(SAMPLES / "clock.jsonl")
    assert run(["analyze", source, "-q", "-o", "r.json"]) == 0
    for options in (["--format", "markdown"], ["-v"], ["--format", "csv"], ["--color", "always"]):
        assert run(["analyze", source, *options]) == 0
        expected = capfdbinary.readouterr()
        assert run(["report", "r.json", *options]) == 0
        found = capfdbinary.readouterr()
        assert found.out == expected.out
        assert found.err == expected.err


def test_skipped_records_are_warned_of_again(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", str(SAMPLES / "broken.jsonl"), "-q", "-o", "r.json"]) == 0
    assert run(["report", "r.json", "--format", "markdown"]) == 0
    assert "records skipped: 4 bad-json, 1 bad-utf8, 1 no-request-body" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["x.har", "-", "nowhere.json", "folder"])
def test_what_is_no_saved_result(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("x.har").write_text('{"log": {}}')
    Path("folder").mkdir()
    assert run(["report", name]) == 2
    err = capfd.readouterr().err
    assert f"cachelens: {name}: is no saved result" in err
    assert "make one with `cachelens analyze TRACE -o result.json`" in err


def test_a_result_without_pictures_still_shows_all_else(capfd: pytest.CaptureFixture[str]) -> None:
    from cachelens.model.result import encode
    from tests.report import builders

    Path("r.json").write_bytes(encode(builders.session()))
    assert run(["report", "r.json", "-q", "-o", "r.md", "-o", "same.json"]) == 0
    assert Path("same.json").read_bytes() == Path("r.json").read_bytes()
    assert run(["report", "r.json", "-q", "-o", "new.md", "-o", "r.speedscope.json"]) == 2
    assert "speedscope: this result holds no data for pictures" in capfd.readouterr().err
    assert not Path("new.md").exists()


def test_the_result_is_no_output_of_its_own_report(capfd: pytest.CaptureFixture[str]) -> None:
    from cachelens.model.result import encode
    from tests.report import builders

    Path("r.json").write_bytes(encode(builders.session()))
    assert run(["report", "r.json", "-o", "r.json", "--force"]) == 2
    assert "is an input of this very run" in capfd.readouterr().err
