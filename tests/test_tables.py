"""Table folders: written once, read as if they were the capture."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from cachelens.errors import InputError, UsageError
from cachelens.ingest.store import read, write
from cachelens.model.options import AnalyzeOptions, CurveOptions, IngestOptions
from cachelens.model.result import encode
from cachelens.model.tables import CONTENTS, REQUESTS, SEGMENTS
from cachelens.pipeline import analyze, curve, load

SAMPLES = Path(__file__).parents[1] / "sample_traces"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_gives_the_same_bytes_as_its_capture(name: str, tmp_path: Path) -> None:
    trace = load([str(SAMPLES / name)], IngestOptions())
    write(trace, tmp_path / "tables")
    again = load([str(tmp_path / "tables")], IngestOptions())
    for options in (AnalyzeOptions(), AnalyzeOptions(capacity="3000", page_size=16)):
        assert encode(analyze(again, options)) == encode(analyze(trace, options))
    assert encode(curve(again, CurveOptions())) == encode(curve(trace, CurveOptions()))


def test_the_tables_have_the_documented_columns_and_agree_with_each_other(tmp_path: Path) -> None:
    write(load([str(SAMPLES / "pruned-history.jsonl.zst")], IngestOptions()), tmp_path / "tables")
    requests, segments, contents = (
        pl.read_parquet(tmp_path / "tables" / f"{name}.parquet")
        for name in ("requests", "segments", "contents")
    )
    assert dict(requests.schema) == REQUESTS
    assert dict(segments.schema) == SEGMENTS
    assert dict(contents.schema) == CONTENTS
    prompt = segments.filter(~pl.col("generated")).group_by("request_id").agg(pl.col("tokens").sum())
    both = requests.join(prompt, on="request_id")
    assert (both["prompt_tokens"] == both["tokens"]).all()
    assert (contents["tokens"] == contents["token_ids"].list.len()).all()
    assert set(segments["content_id"]) == set(contents["content_id"])


def test_an_existing_folder_is_replaced_only_when_forced_and_only_if_it_holds_tables(tmp_path: Path) -> None:
    trace = load([str(SAMPLES / "clock.jsonl")], IngestOptions())
    write(trace, tmp_path / "tables")
    with pytest.raises(UsageError, match="exists"):
        write(trace, tmp_path / "tables")
    write(trace, tmp_path / "tables", force=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("x")
    with pytest.raises(UsageError, match="no table folder"):
        write(trace, other, force=True)
    assert (other / "precious").exists()


def test_damaged_or_foreign_folders_are_input_errors(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    write(load([str(SAMPLES / "clock.jsonl")], IngestOptions()), folder)
    manifest = (folder / "cachelens.json").read_text()
    (folder / "cachelens.json").write_text(manifest.replace('"schema_version": 2', '"schema_version": 99'))
    with pytest.raises(InputError, match="schema version 99"):
        read(folder)
    (folder / "cachelens.json").write_text(manifest)
    whole = (folder / "segments.parquet").read_bytes()
    (tmp_path / "whole.parquet").write_bytes(whole)
    (folder / "segments.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a complete table folder"):
        read(folder)
    fewer = pl.read_parquet(tmp_path / "whole.parquet").slice(1)
    fewer.write_parquet(folder / "segments.parquet")
    with pytest.raises(InputError, match="not a complete table folder"):
        read(folder)
    (folder / "cachelens.json").write_text("{")
    with pytest.raises(InputError, match="not a complete table folder"):
        read(folder)
    (folder / "cachelens.json").write_text(manifest)
    (folder / "segments.parquet").unlink()
    with pytest.raises(InputError, match="not a complete table folder"):
        read(folder)


def test_tables_and_captures_do_not_mix(tmp_path: Path) -> None:
    write(load([str(SAMPLES / "clock.jsonl")], IngestOptions()), tmp_path / "tables")
    with pytest.raises(UsageError, match="cannot be mixed"):
        load([str(tmp_path / "tables"), str(SAMPLES / "clock.jsonl")], IngestOptions())
    with pytest.raises(UsageError, match="encoded as"):
        load([str(tmp_path / "tables")], IngestOptions(encoding="cl100k_base"))


def test_options_that_tables_cannot_honor_are_refused(tmp_path: Path) -> None:
    write(load([str(SAMPLES / "broken.jsonl")], IngestOptions()), tmp_path / "tables")
    with pytest.raises(InputError, match="skipped when these tables were written"):
        load([str(tmp_path / "tables")], IngestOptions(strict=True))
    with pytest.raises(UsageError, match="one format"):
        load([str(tmp_path / "tables")], IngestOptions(input_format="har"))


def test_the_same_capture_twice_is_said(tmp_path: Path) -> None:
    name = str(SAMPLES / "clock.jsonl")
    whole = load([name], IngestOptions())
    twice = load([name, name], IngestOptions())
    assert any("stand in more than one input" in note for note in twice.notes)
    assert not any("more than one input" in note for note in whole.notes)


def test_request_ids_of_the_capture_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tokens.jsonl"
    names = ['"a"', '"b"', "null", '"a"', '"a#2"']
    path.write_text("".join(f'{{"request_id": {name}, "tokens": [1, 2]}}\n' for name in names))
    assert load([str(path)], IngestOptions()).requests["request_id"].to_list() == [
        "a",
        "b",
        "r3",
        "a#2",
        "a#2#2",
    ]
