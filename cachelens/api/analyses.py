"""Analyses. In: a trace and the cache to replay. Out: a `Report`: where each token went, what was wasted and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cachelens.api.choices import Size, Value, one_cache
from cachelens.api.document import View, frame, table_html
from cachelens.api.traces import Trace, tables_of
from cachelens.errors import InputError, UsageError
from cachelens.model.options import AnalyzeOptions, KvOptions
from cachelens.model.result import Result
from cachelens.pipeline import analyze as run
from cachelens.pipeline import examine
from cachelens.pipeline.analysis import Analysis
from cachelens.pipeline.ledgers import ledger_frame
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.picture import Picture
from cachelens.report.renderers.base import DocumentKind, Renderer, RenderOptions
from cachelens.report.saved import saved_result
from cachelens.report.terminal.screen import Page
from cachelens.report.units import count, share

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 5


class Report(View):
    """An analysis. `result` holds everything that an output may show; the frames are the tables of docs/cli.md."""

    kind: ClassVar[DocumentKind] = "result"

    def __init__(
        self, result: Result, analysis: Analysis | None = None, options: AnalyzeOptions | None = None
    ) -> None:
        super().__init__(result)
        self.result = result
        self._analysis = analysis
        self._options = options

    @property
    def requests(self) -> pl.DataFrame:
        """A row per request: tokens by outcome, label and bucket, and what broke its prefix."""
        return frame(self.result, "requests")

    @property
    def outcomes(self) -> pl.DataFrame:
        """A row per request and outcome that has tokens; they sum to the prompt tokens."""
        return frame(self.result, "outcomes")

    @property
    def labels(self) -> pl.DataFrame:
        """A row per request and label that has tokens; they sum to the prompt tokens."""
        return frame(self.result, "labels")

    @property
    def buckets(self) -> pl.DataFrame:
        """A row per request and bucket of waste that has tokens in its prompt."""
        return frame(self.result, "buckets")

    @property
    def waste(self) -> pl.DataFrame:
        """A row per bucket of waste: tokens carried, computed again for what reason, held, and their cost."""
        return frame(self.result, "waste")

    @property
    def findings(self) -> pl.DataFrame:
        """A row per finding, most saved first, with what its remedy saves and where it is worst."""
        return frame(self.result, "findings")

    @property
    def breaks(self) -> pl.DataFrame:
        """A row per place where a prompt departs from the one before it."""
        return frame(self.result, "breaks")

    @property
    def layouts(self) -> pl.DataFrame:
        """A row per cache: the same trace under others, unlimited."""
        return frame(self.result, "layouts")

    @property
    def skipped(self) -> pl.DataFrame:
        """A row per reason for which records could not be read."""
        return frame(self.result, "skipped")

    def ledger(self) -> pl.DataFrame:
        """Both planes as rows: stretches of prompts with outcome, cause, label, bucket and kind; without gaps.

        Raises UsageError for a report that was read from a file.
        """
        if self._analysis is None:
            raise UsageError("a saved result holds no ledger", "analyze the trace again")
        return ledger_frame(self._analysis.case)

    def plot(self, name: str, session: str | None = None) -> Plot:
        """A picture of `cachelens list plots`, of one session where it is of one. Raises UsageError for one that there
        is not, or that cannot be drawn of this."""
        return Plot(Picture(name, self.with_pictures(), PlotOptions(session=session)))

    def with_pictures(self) -> Result:
        """The result with what pictures are drawn from; unless `analyze` made that, it takes a second analysis now.

        A report that was read from a file without it stays without.
        """
        if self.result.pictures is None and self._analysis is not None:
            options = replace(self._options or AnalyzeOptions(), pictures=True)
            self.result = run(self._analysis.case.trace, options)
        return self.result

    def _rendered(self, renderer: Renderer, table_name: str) -> bytes:
        result = self.with_pictures() if getattr(renderer, "pictures", False) else self.result
        return renderer.render(result, RenderOptions(Page(), table=table_name))

    def _repr_html_(self) -> str:
        totals, engine = self.result.totals, self.result.engine
        size = "unlimited" if engine.capacity_tokens is None else f"{engine.capacity_tokens:,} tokens"
        facts = [
            ("cache", f"{engine.title or engine.name}, {size}"),
            ("requests", f"{len(self.result.requests):,}"),
            ("prompt tokens", count(totals.prompt_tokens)),
            ("hit", share(totals.hit_tokens, totals.prompt_tokens)),
            ("computed", count(totals.prefilled_tokens)),
            *((name, count(tokens)) for name, tokens in totals.outcomes.items() if name != "hit" and tokens),
        ]
        found = [
            (
                one.code,
                one.title,
                one.verdict,
                "-" if one.saving is None else count(one.saving.computed_tokens),
            )
            for one in self.result.findings[:_SHOWN]
        ]
        more = len(self.result.findings) - len(found)
        caption = "Findings" + (f" (the first {len(found)}, {more} more)" if more else "")
        return table_html("Analysis", ("", ""), facts) + table_html(
            caption, ("rule", "finding", "verdict", "saves tokens"), found
        )


class Plot(View):
    """A picture; notebooks show it."""

    kind: ClassVar[DocumentKind] = "picture"

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.picture = picture

    def __repr__(self) -> str:
        return f"<Plot {self.picture.plot}>"

    def _repr_svg_(self) -> str:
        return self.picture.draw("svg").decode()

    def _repr_html_(self) -> None:
        """None: the picture is shown instead."""


def analyze(
    trace: str | os.PathLike[str] | Trace,
    *,
    engine: str | None = None,
    capacity: Size = AnalyzeOptions.capacity,
    policy: str | None = None,
    page_size: int | None = None,
    model: str | None = None,
    kv_dtype: str = KvOptions.kv_dtype,
    tp: int = KvOptions.tp,
    tiers: Mapping[str, Size] | None = None,
    options: Mapping[str, Value] | None = None,
    sequential: bool = False,
    what_if: str | Sequence[str] = (),
    thresholds: Mapping[str, Value] | None = None,
    tools: str | os.PathLike[str] | None = None,
    show_text: bool = False,
    pictures: bool = False,
) -> Report:
    """Replay one cache and account for every prompt token of `trace`, a capture or a trace that was loaded.

    Keywords are the options of `cachelens analyze`: `tiers` by name and size, `options` those of the engine (`--set`),
    `tools` a file of further tools. `show_text`: excerpts of prompts may stand in the report. `pictures`: make what
    pictures are drawn from at once, not when they are asked for. Raises UsageError for what cannot be had.
    """
    asked = one_cache(
        engine=engine,
        capacity=capacity,
        policy=policy,
        page_size=page_size,
        model=model,
        kv_dtype=kv_dtype,
        tp=tp,
        tiers_below=tiers,
        options=options,
        sequential=sequential,
        what_if=what_if,
        thresholds=thresholds,
        tools=None if tools is None else os.fspath(tools),
        show_text=show_text,
        pictures=pictures,
    )
    analysis = examine(tables_of(trace), asked)
    return Report(analysis.result, analysis, asked)


def read(path: str | os.PathLike[str]) -> Report:
    """A report that was saved as JSON. Raises InputError when there is none, UsageError when it cannot be used."""
    if not Path(path).exists():
        raise InputError(f"{os.fspath(path)}: No such file or directory")
    result = saved_result(os.fspath(path), pictures=False)
    if result is None:
        raise InputError(
            f"{os.fspath(path)}: holds no result of an analysis",
            "make one by Report.save, or by `cachelens analyze TRACE -o result.json`",
        )
    return Report(result)
