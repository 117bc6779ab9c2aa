"""Output formats. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

RENDERERS = Registry(
    "output format",
    {
        "terminal": Entry("cachelens.report.renderers.terminal:Terminal", "text for people, one screen"),
        "html": Entry(
            "cachelens.report.renderers.html:Html", "one page for people: figures, pictures, drill-down"
        ),
        "json": Entry("cachelens.report.renderers.json_:Json", "everything, exact, docs/result.schema.json"),
        "csv": Entry(
            "cachelens.report.renderers.csv_:Csv",
            "one table: requests, or the one in the name (findings.csv, x.labels.csv)",
        ),
        "parquet": Entry("cachelens.report.renderers.parquet:Parquet", "the same tables with types"),
        "speedscope": Entry(
            "cachelens.report.renderers.speedscope:Speedscope",
            "flame graphs of the tree of prompts, for speedscope",
        ),
        "perfetto": Entry(
            "cachelens.report.renderers.perfetto:Perfetto", "timeline of the requests, for ui.perfetto.dev"
        ),
        "markdown": Entry("cachelens.report.renderers.markdown:Markdown", "comment for a pull request"),
        "svg": Entry("cachelens.report.renderers.image:Svg", "plot, as vector graphics"),
        "png": Entry("cachelens.report.renderers.image:Png", "plot, as pixels"),
        "pdf": Entry("cachelens.report.renderers.image:Pdf", "plot, as a page for print"),
        "github": Entry("cachelens.report.renderers.github:Github", "annotations of a GitHub workflow run"),
        "sarif": Entry("cachelens.report.renderers.sarif:Sarif", "SARIF 2.1.0, for code scanning"),
        "junit": Entry("cachelens.report.renderers.junit:Junit", "a test report with a case for each check"),
        "gitlab": Entry("cachelens.report.renderers.gitlab:Gitlab", "GitLab code quality"),
    },
    group="cachelens.renderers",
)
