"""One request. In: a trace, the cache to replay, which request. Out: a `RequestReport`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cachelens.api.choices import Size, Value, one_cache
from cachelens.api.document import View
from cachelens.api.traces import Trace, tables_of
from cachelens.model.inspection import Inspection
from cachelens.model.options import AnalyzeOptions, KvOptions
from cachelens.pipeline import inspect as run
from cachelens.report.renderers.base import DocumentKind

if TYPE_CHECKING:
    import polars as pl


_SEGMENT = ("position", "kind", "role", "path", "name", "start", "tokens", "digest", "text")
_PLAIN = ("lo", "hi", "outcome", "label", "bucket")
_PIECE = ("position", *_PLAIN, "label_cause")
_NUMBERS = frozenset(("position", "start", "tokens", "lo", "hi"))


class RequestReport(View):
    """One request, token by token. `inspection` holds everything that an output may show."""

    kind: ClassVar[DocumentKind] = "inspection"

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self.inspection = inspection

    @property
    def segments(self) -> pl.DataFrame:
        """A row per segment of the prompt, in order; `start`: tokens before it. `text` where texts were asked for."""
        rows = [[getattr(segment, name) for name in _SEGMENT] for segment in self.inspection.segments]
        return _frame(_SEGMENT, rows)

    @property
    def pieces(self) -> pl.DataFrame:
        """A row per stretch `[lo, hi)` of the prompt that is alike: outcome, label, bucket; without gaps."""
        rows = [
            [
                segment.position,
                *(getattr(piece, name) for name in _PLAIN),
                piece.label_cause and piece.label_cause.path,
            ]
            for segment in self.inspection.segments
            for piece in segment.pieces
        ]
        return _frame(_PIECE, rows)


def _frame(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pl.DataFrame:
    import polars as pl

    schema = {name: pl.Int64() if name in _NUMBERS else pl.String() for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


def inspect(
    trace: str | os.PathLike[str] | Trace,
    request: str | int | None = None,
    *,
    finding: str | None = None,
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
    thresholds: Mapping[str, Value] | None = None,
    tools: str | os.PathLike[str] | None = None,
    show_text: bool = False,
) -> RequestReport:
    """Look at one request of `trace`: by id, how one begins, or its number in order of start, from 1.

    `finding`: the request where a finding is worst, by code or name of the rule, or by fingerprint. Neither: the
    request that wastes most. The other keywords are those of `analyze`. Raises UsageError for what is not there.
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
        what_if=(),
        thresholds=thresholds,
        tools=None if tools is None else os.fspath(tools),
        show_text=show_text,
    )
    return RequestReport(run(tables_of(trace), asked, None if request is None else str(request), finding))
