"""Output formats. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

RENDERERS = Registry(
    "output format",
    {
        "terminal": Entry("cachelens.report.renderers.terminal:Terminal", "text for people, one screen"),
        "json": Entry("cachelens.report.renderers.json_:Json", "everything, exact, docs/result.schema.json"),
        "csv": Entry(
            "cachelens.report.renderers.csv_:Csv", "one table: requests, points of a curve, or caches"
        ),
        "parquet": Entry("cachelens.report.renderers.parquet:Parquet", "the same table with types"),
        "svg": Entry("cachelens.report.renderers.image:Svg", "plot of a curve"),
        "png": Entry("cachelens.report.renderers.image:Png", "plot of a curve, as pixels"),
    },
    group="cachelens.renderers",
)
