"""`cachelens init`: a file that holds every setting and can be read again, and a baseline that passes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cachelens.cli import run
from cachelens.cli.app import build
from cachelens.cli.config.file import read as read_file
from cachelens.cli.config.known import settable
from cachelens.cli.config.settings import ALIASES, REFUSED, read

SAMPLES = Path(__file__).parents[2] / "sample_traces"
CONFIG = Path("cachelens.toml")
BASELINE = Path("cachelens-baseline.json")


def uncommented(text: str) -> str:
    """The file with every setting in it at work."""
    return re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)


def test_as_written_it_sets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    assert "next: cachelens check TRACE --update-baseline" in capsys.readouterr().err
    assert not BASELINE.exists()
    found = read(read_file(str(CONFIG)), settable(build()))
    assert {verb: values for verb, values in found.items() if values} == {}


def test_every_setting_is_in_it_and_is_one() -> None:
    assert run(["init", "-q"]) == 0
    CONFIG.write_text(uncommented(CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
    known = settable(build())
    found = read(read_file(str(CONFIG)), known)
    for verb, options in known.items():
        missing = set(options) - set(found[verb]) - set(REFUSED)
        assert missing == set(), verb
    table = read_file(str(CONFIG)).table
    assert set(ALIASES) < set(table)
    assert table["rules"]["CL101"] == "error"
    assert table["thresholds"]["echo-share"] == 0.8


def test_every_default_in_it_is_the_default() -> None:
    assert run(["init", "-q"]) == 0
    CONFIG.write_text(uncommented(CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
    known = settable(build())
    for verb, values in read(read_file(str(CONFIG)), known).items():
        for name, one in values.items():
            default = getattr(known[verb][name].default, "value", known[verb][name].default)
            if isinstance(default, str | int | float) and len(one.keys) > 1:
                assert one.value == default, (verb, name)


def test_the_text_is_plain_and_narrow() -> None:
    assert run(["init", "-q"]) == 0
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 100
    assert all(re.match(r"$|# |#?\[|#?[\w-]+ = ", line) for line in lines)


def test_a_baseline_of_captures_passes_its_own_check(capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(SAMPLES / "nonce-in-system.jsonl")
    assert run(["init", trace, "--engine", "sglang", "--capacity", "8k", "--set", "tree=classic"]) == 0
    said = capsys.readouterr().err
    assert f"next: cachelens check {trace} --baseline cachelens-baseline.json" in said
    baseline = json.loads(BASELINE.read_text())
    assert (baseline["engine"], baseline["capacity_tokens"], baseline["options"]) == (
        "sglang",
        8_000,
        {"tree": "classic"},
    )
    accepted = {one["code"] for one in baseline["findings"]}
    assert accepted
    assert f"{len(baseline['findings'])} findings accepted" in said
    values = read(read_file(str(CONFIG)), settable(build()))["check"]
    assert {name: one.value for name, one in values.items()} == {
        "engine": "sglang",
        "capacity": "8k",
        "set": ["tree=classic"],
        "baseline": "cachelens-baseline.json",
    }
    assert run(["check", trace]) == 0
    broken: Any = {**baseline, "findings": []}
    BASELINE.write_text(json.dumps(broken))
    assert run(["check", trace]) == 1  # that it passed was due to the baseline


@pytest.mark.parametrize("existing", [CONFIG, BASELINE])
def test_nothing_is_overwritten_unless_forced(existing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    existing.write_text("[analyze]\n")
    trace = str(SAMPLES / "append-only.jsonl")
    assert run(["init", trace]) == 2
    assert f"{existing}: exists already" in capsys.readouterr().err
    assert existing.read_text() == "[analyze]\n"
    assert len(list(Path().iterdir())) == 1
    assert run(["init", trace, "--force"]) == 0
    assert existing.read_text() != "[analyze]\n"


def test_a_broken_file_can_be_replaced() -> None:
    CONFIG.write_text("engin = 1")
    assert run(["init", "-q", "--force"]) == 0
    assert read(read_file(str(CONFIG)), settable(build())) is not None


def test_a_capture_that_cannot_be_read_leaves_nothing() -> None:
    assert run(["init", "missing.jsonl"]) == 2
    assert list(Path().iterdir()) == []
