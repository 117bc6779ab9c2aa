"""`cachelens export`: files that are complete, and what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from cachelens.cli import run

SAMPLES = Path(__file__).parents[2] / "sample_traces"


def test_the_verb(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = str(SAMPLES / "interleaved.jsonl")
    assert run(["export", trace, "--to", "mooncake"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) == 24
    assert lines[0]["timestamp"] == 0
    place = tmp_path / "sessions"
    assert run(["export", trace, "--to", "kv-cache-tester", "-o", str(place)]) == 0
    files = sorted(place.iterdir())
    assert len(files) == 3
    assert msgspec.json.decode(files[0].read_bytes())["hash_id_scope"] == "local"
    assert run(["analyze", str(place), "-q", "-o", str(tmp_path / "x.json")]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "tape"], "unknown export"),
        (["--to", "kv-cache-tester"], "-o FOLDER"),
        (["--to", "tokens", "--salt", "x"], "no blocks"),
        (["--to", "tokens", "-o", "there.jsonl"], "--force"),
        (["--to", "kv-cache-tester", "-o", "there.jsonl"], "is a folder"),
    ],
)
def test_what_cannot_be(
    arguments: list[str],
    said: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.jsonl").write_text("x")
    assert run(["export", str(SAMPLES / "append-only.jsonl"), *arguments]) == 2
    assert said in capfd.readouterr().err
