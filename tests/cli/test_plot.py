"""`cachelens plot`: one picture, of captures or of a saved result, in every image format, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachelens.cli import run
from cachelens.cli.plot import WHOLE
from cachelens.model.result import encode
from cachelens.report.plots import PLOTS
from tests.cli.test_startup import start
from tests.report import builders
from tests.report.plots.pictured import pictured, step

SAMPLE = str(Path(__file__).parents[2] / "sample_traces" / "clock.jsonl")


@pytest.fixture
def saved() -> str:
    rows = [
        builders.row(
            n, {"hit": 100 * n, "fresh": 50}, session_id=f"s{n % 2}-x", runs=(("hit", 100 * n), ("fresh", 50))
        )
        for n in range(1, 6)
    ]
    Path("r.json").write_bytes(encode(pictured(builders.result(rows), bridge=(step(200),))))
    return "r.json"


def test_every_format_by_suffix(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "growth", saved, "-o", "g.svg", "-o", "G.PNG", "-o", "g.pdf"]) == 0
    assert capfd.readouterr() == ("", "Wrote g.svg\nWrote G.PNG\nWrote g.pdf\n")
    assert Path("g.svg").read_bytes().startswith(b"<?xml")
    assert Path("G.PNG").read_bytes().startswith(b"\x89PNG")
    assert Path("g.pdf").read_bytes().startswith(b"%PDF")


def test_stdout_gets_the_picture_alone(saved: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["plot", "bridge", saved, "-o", "-", "--format", "png", "-o", "b.png"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == Path("b.png").read_bytes()
    assert err == b"Wrote b.png\n"


def test_a_capture_and_its_saved_result_give_the_same_picture(capfd: pytest.CaptureFixture[str]) -> None:
    cache = ["--capacity", "2k"]
    assert run(["analyze", SAMPLE, "-q", "-o", "r.json", *cache]) == 0
    for kind in ("curve", "bridge", "reported", "growth"):
        assert run(["plot", kind, SAMPLE, "-o", f"{kind}-1.svg", *cache]) == 0
        assert run(["plot", kind, "r.json", "-o", f"{kind}-2.svg"]) == 0
        assert Path(f"{kind}-1.svg").read_bytes() == Path(f"{kind}-2.svg").read_bytes()
    assert run(["plot", "curve", SAMPLE, "-o", "other.svg", "--capacity", "1k"]) == 0
    assert Path("other.svg").read_bytes() != Path("curve-1.svg").read_bytes()
    assert "today, 2 k:" in Path("curve-1.svg").read_text()


def test_session(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    for name, shown in (("a", []), ("b", ["--session", "s0-x"]), ("c", ["--session", "s0"])):
        assert run(["plot", "growth", saved, "-o", f"{name}.svg", *shown]) == 0
    assert "session s1-x" in Path("a.svg").read_text()
    assert "session s0-x" in Path("b.svg").read_text()
    assert Path("b.svg").read_bytes() == Path("c.svg").read_bytes()


def test_options_that_change_nothing_are_said_to(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "growth", saved, "-o", "g.svg", "--engine", "vllm"]) == 0
    err = capfd.readouterr().err
    assert "r.json keeps the cache it was made with" in err
    assert run(["plot", "growth", saved, "-q", "-o", "g.svg", "--force", "--capacity", "9k"]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["growth", "r.json"],
            "a picture needs a file to go to\n  for example -o growth.svg, or -o - --format svg",
        ),
        (["growth", "r.json", "--format", "svg"], "a picture needs a file to go to"),
        (
            ["growth", "r.json", "-o", "-"],
            "standard output has no suffix to go by\n  say --format svg, png or pdf",
        ),
        (
            ["growth", "r.json", "-o", "g.csv"],
            "csv does not show this kind of report\n  formats: svg, png, pdf",
        ),
        (["growth", "r.json", "-o", "g"], "the suffix names no output format\n  suffixes: .svg, .png, .pdf"),
        (["growth", "r.json", "-o", "there.svg"], "there.svg: exists already\n  --force overwrites it"),
        (["growth", "r.json", "-o", "r.json", "--format", "svg", "--force"], "formats: svg, png, pdf"),
        (["grwth", "r.json", "-o", "g.svg"], "unknown plot 'grwth'\n  did you mean 'growth'?"),
        (["growth", "r.json", "-o", "g.svg", "--session", "s"], "session 's' is the beginning of 2 ids"),
        (["growth", "r.json", "-o", "g.svg", "--session", "t"], "unknown session 't'"),
        (
            ["curve", "r.json", "-o", "g.svg", "--session", "s0-x"],
            "curve is of the whole trace\n  leave --session out",
        ),
        (["reported", "r.json", "-o", "g.svg"], "reported cannot be drawn: No server reported"),
        (["growth", "r.json", "r.json", "-o", "g.svg"], "r.json is a saved result: it is drawn alone"),
        (["growth", SAMPLE, "r.json", "-o", "g.svg"], "r.json is a saved result: it is drawn alone"),
        (["growth", "damaged.json", "-o", "g.svg"], "damaged.json: is damaged"),
        (["curve", "plain.json", "-o", "g.svg"], "holds no data for pictures.\n  save it again with"),
        (["growth", "nowhere.json", "-o", "g.svg"], "nowhere.json"),
        (["growth", "r.json", "-o", "g.svg", "--engine", "vlm"], "did you mean 'vllm'?"),
        (["growth", "r.json", "-o", "g.svg", "--capacity", "1k,2k"], "plot replays one size of cache"),
        (["growth", "r.json", "-o", "g.svg", "--threshold", "x"], "is no NAME=VALUE"),
        (["growth"], "Missing argument"),
    ],
)
def test_usage(saved: str, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    Path("there.svg").write_text("old")
    Path("damaged.json").write_bytes(Path(saved).read_bytes()[:-9])
    Path("plain.json").write_bytes(encode(builders.session()))
    before = sorted(Path().iterdir())
    assert run(["plot", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert sorted(Path().iterdir()) == before
    assert Path("there.svg").read_text() == "old"


def test_plots_of_the_whole_trace_are_plots() -> None:
    assert set(PLOTS) >= WHOLE


def test_help_and_lists_are_light() -> None:
    for arguments in (["plot", "--help"], ["list", "plots"]):
        out, err = start(arguments)
        assert err == "0\n"
        assert all(name in out for name in PLOTS)
