"""Documents as one flat table for other programs. In: a document. Out: Parquet with the columns of the CSV."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result


class Parquet:
    """The table of `csv` with types; the same document gives the same bytes."""

    name = "parquet"
    suffixes = (".parquet",)
    documents: frozenset[DocumentKind] = frozenset({"result", "curve", "grid"})
    binary = True

    def render(self, document: Result | Curve | Grid, options: RenderOptions) -> bytes:
        """A Parquet file; `options` change nothing."""
        import polars as pl

        from cachelens.report.tables import columns_of

        columns, rows = columns_of(document)
        frame = pl.DataFrame(rows, schema=list(columns), orient="row", infer_schema_length=None)
        stream = io.BytesIO()
        frame.write_parquet(stream, compression="zstd", statistics=False)
        return stream.getvalue()
