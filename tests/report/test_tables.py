"""Tables: names and makers agree, each sums to what the analysis counts, CSV and Parquet hold the same."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import polars as pl
import pytest

from cachelens.model.kinds import BUCKETS, OUTCOMES
from cachelens.model.result import LayoutRow, Result
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.tables import table
from cachelens.report.tables.analysis import ANALYSIS
from cachelens.report.tables.names import TABLES, table_named
from tests.report import builders
from tests.report.golden import compare


def full() -> Result:
    """A result in which every table has rows."""
    base = builders.wasteful()
    rows = list(base.requests)
    rows[1] = msgspec.structs.replace(rows[1], labels={"dup_exact": 700, "echo": 30}, echo=builders.broken(4))
    layout = LayoutRow(
        engine="anthropic",
        order="tools-first",
        prompt_tokens=9,
        hit_tokens=3,
        prefilled_tokens=6,
        hit_rate=0.25,
    )
    labels = {"live": base.totals.prompt_tokens - 730, "dup_exact": 700, "echo": 30}
    return msgspec.structs.replace(base, requests=tuple(rows), labels=labels, engines=(layout,))


def records(result: Result, name: str) -> list[dict[str, str]]:
    data = RENDERERS.load("csv")().render(result, RenderOptions(table=name)).decode()
    return list(csv.DictReader(io.StringIO(data)))


def total(found: list[dict[str, str]], column: str, **where: str) -> int:
    return sum(int(row[column]) for row in found if all(row[key] == value for key, value in where.items()))


def test_names_and_makers_agree() -> None:
    assert tuple(ANALYSIS) == TABLES["result"]
    assert TABLES["result"][0] == "requests"
    assert table(full()) == table(full(), "requests")
    assert table_named("result", "findings") == "findings"
    assert table_named("result", "v1") == table_named("grid", "findings") == table_named("verdict", "x") == ""


@pytest.mark.parametrize("name", TABLES["result"])
@pytest.mark.parametrize("make", [full, lambda: builders.result([])])
def test_rows_fit_their_columns_and_parquet_says_the_same(name: str, make: Any) -> None:
    result = make()
    found = table(result, name)
    assert len(set(found.names)) == len(found.names)
    for row in found.rows:
        assert len(row) == len(found.columns)
        for value, column in zip(row, found.columns, strict=True):
            assert value is None or type(value) is column.type, (name, column, value)
    if make is full:
        assert found.rows
    data = RENDERERS.load("parquet")().render(result, RenderOptions(table=name))
    frame = pl.read_parquet(io.BytesIO(data))
    assert frame.rows() == [tuple(row) for row in found.rows]
    assert pl.Null not in frame.dtypes
    assert len(records(result, name)) == len(found.rows)


def test_outcomes_and_labels_sum_to_the_prompts() -> None:
    result = full()
    outcomes, labels = records(result, "outcomes"), records(result, "labels")
    for row in result.requests:
        assert total(outcomes, "tokens", request_id=row.request_id) == row.prompt_tokens
        assert total(labels, "tokens", request_id=row.request_id) == row.prompt_tokens
    for name in OUTCOMES:
        assert total(outcomes, "tokens", outcome=name) == result.totals.outcomes.get(name, 0)
    for name, tokens in result.labels.items():
        assert total(labels, "tokens", label=name) == tokens
    assert all(int(row["tokens"]) for row in (*outcomes, *labels))
    assert records(builders.session(), "labels") == []  # they were not looked for there


def test_buckets_and_waste_say_the_same() -> None:
    result = full()
    by_request, waste = records(result, "buckets"), records(result, "waste")
    assert [row["bucket"] for row in waste] == list(BUCKETS[1:])
    for row in waste:
        assert total(by_request, "carried_tokens", bucket=row["bucket"]) == int(row["carried_tokens"])
        assert sum(int(row[f"{name}_tokens"]) for name in OUTCOMES) == int(row["carried_tokens"])


def test_breaks_are_of_prompts_and_of_replies() -> None:
    found = records(full(), "breaks")
    assert sum(row["departs_from"] == "prompt" for row in found) == 7
    (reply,) = [row for row in found if row["departs_from"] == "reply"]
    assert (reply["request_id"], reply["lost_tokens"], reply["path"]) == ("r2", "4", "system[0].text")


def test_findings_skipped_and_layouts() -> None:
    result = full()
    found = records(result, "findings")
    assert [row["code"] for row in found] == [item.code for item in result.findings]
    assert found[0]["saving_computed_tokens"] == "390000"
    assert found[0]["worst_path"] == "system[0].text"
    assert found[2]["saving_computed_tokens"] == ""
    assert {row["changes_input"] for row in found} == {"True", "False"}
    assert [(row["reason"], row["records"], row["first_record"]) for row in records(result, "skipped")] == [
        ("bad-json", "1", "17"),
        ("no-request-body", "2", "3"),
    ]
    assert records(result, "layouts")[0]["hit_rate"] == "0.25"


@pytest.mark.parametrize("name", TABLES["result"])
def test_golden(name: str) -> None:
    compare(f"full.{name}.csv", RENDERERS.load("csv")().render(full(), RenderOptions(table=name)))
